"""Whether deadlines are met: calls with deadlines from 5 to 100 ms at batch sizes from 1 to 64.

Overshoot is how late the decoded samples are in the caller's hands. A deadline below what one code and a decode take, "least
ms", cannot be met. Asked for is an overshoot below 2 ms in 99 of 100 calls with any other. Deadlines take turns.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

import anytime

BATCHES, DEADLINES, RUNS = (1, 4, 16, 64), (5, 10, 20, 50, 100), 100
QUICK = {"BATCHES": (1, 64), "DEADLINES": (10, 50), "RUNS": 20}


def measure(name: str) -> dict[str, Any]:
    """Every run must return whole samples; about a minute."""
    torch.set_num_threads(1)
    model = anytime.load(name)
    rows = [row for batch in BATCHES for row in _rows(model, batch)]
    return {"title": f"Deadlines, {name}, one thread", "model": name, "rows": rows}


def _rows(model: Any, batch: int) -> list[dict[str, Any]]:
    for _ in range(5):
        model.sample(batch)  # the clock of this batch size learns, as it does in any program that runs for a while
    least = statistics.median(_call(model, batch, 1e-3)[0] for _ in range(11))
    runs: dict[float, list[tuple[float, int]]] = {deadline: [] for deadline in DEADLINES}
    for _ in range(RUNS):
        for deadline in DEADLINES:
            runs[deadline].append(_call(model, batch, deadline))
    return [_row(batch, deadline, least, runs[deadline]) for deadline in DEADLINES]


def _row(batch: int, deadline: float, least: float, runs: list[tuple[float, int]]) -> dict[str, Any]:
    late = sorted(taken - deadline for taken, _ in runs)
    return {
        "batch": batch,
        "deadline ms": deadline,
        "least ms": least,
        "possible": deadline > least,
        "met": sum(each <= 0 for each in late) / len(late),
        "p99 overshoot ms": late[int(0.99 * (len(late) - 1))],
        "worst ms": late[-1],
        "median used": statistics.median(taken for taken, _ in runs) / deadline,
        "median codes": statistics.median(codes for _, codes in runs),
        "whole": all(codes >= 1 for _, codes in runs),
    }


def _call(model: Any, batch: int, deadline: float) -> tuple[float, int]:
    """Milliseconds, and codes of the samples; 0 if they were not whole."""
    started = time.perf_counter()
    samples = model.sample(batch, deadline=deadline)
    taken = 1000 * (time.perf_counter() - started)
    return taken, samples.codes.shape[1] if len(samples.data) == batch else 0
