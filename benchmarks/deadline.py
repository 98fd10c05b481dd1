"""Whether deadlines are met: a hundred calls with half, a quarter and three quarters of the time that all codes take."""

from __future__ import annotations

import statistics
import time
from typing import Any

import anytime

RUNS = 100
SHARES = (0.25, 0.5, 0.75)


def measure(name: str) -> dict[str, Any]:
    """Measures the full time, then asks for shares of it; every run must return whole samples."""
    model = anytime.load(name)
    rows = []
    for batch in (1, 64):
        for _ in range(5):
            model.sample(batch)  # the clock of this batch size learns, as it does in any program that runs for a while
        full = statistics.median(_milliseconds(model, batch, None)[0] for _ in range(11))
        for share in SHARES:
            runs = [_milliseconds(model, batch, share * full) for _ in range(RUNS)]
            over = sorted(taken - share * full for taken, _ in runs)
            rows.append(
                {
                    "batch": batch,
                    "deadline ms": share * full,
                    "met of 100": sum(late <= 0 for late in over),
                    "p99 late ms": over[98],
                    "median used": statistics.median(taken for taken, _ in runs) / (share * full),
                    "median codes": statistics.median(codes for _, codes in runs),
                    "whole": all(codes >= 1 for _, codes in runs),
                }
            )
    return {"title": f"Deadlines, {name}", "model": name, "rows": rows}


def _milliseconds(model: Any, batch: int, deadline: float | None) -> tuple[float, int]:
    started = time.perf_counter()
    samples = model.sample(batch, deadline=deadline)
    taken = 1000 * (time.perf_counter() - started)
    whole = samples.data.shape[0] == batch
    return taken, samples.codes.shape[1] if whole else 0
