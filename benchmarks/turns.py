"""Measuring side by side: jobs take turns, so that a change of the machine's speed meets them all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

K = TypeVar("K")


def in_turn(jobs: Mapping[K, Callable[[], float]], repeats: int, warm: int = 0) -> dict[K, float]:
    """Runs the jobs one after another, several times; the median of what each returns, without the first `warm` rounds."""
    found: dict[K, list[float]] = {name: [] for name in jobs}
    for _ in range(warm + repeats):
        for name, job in jobs.items():
            found[name].append(job())
    return {name: statistics.median(each[warm:]) for name, each in found.items()}


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """A job that says how many seconds some work took."""

    def job() -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    return job
