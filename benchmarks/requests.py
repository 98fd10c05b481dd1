"""Requests that share a batch beside the same ones drawn one after another: what a server gains that waits for a few of them.

Each request is for one image, every fourth of a quarter of the codes. Medians, in turn, one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

import anytime
from benchmarks.turns import in_turn, timed

COUNTS, REPEATS = (1, 4, 16, 64), 7
QUICK = {"COUNTS": (4, 16), "REPEATS": 3}


def measure(name: str) -> dict[str, Any]:
    """Half a minute."""
    torch.set_num_threads(1)
    model = anytime.load(name)
    rows = []
    for count in COUNTS:
        asked = [anytime.Request(1, 0.25 if place % 4 == 3 else None, seed=place) for place in range(count)]
        jobs = {
            "together": timed(lambda asked=asked: list(model.answer(asked))),
            "in turn": timed(lambda asked=asked: one_by_one(model, asked)),
        }
        seconds = in_turn(jobs, REPEATS, warm=2)
        rows += [
            {
                "requests": count,
                "way": way,
                "ms": 1000 * taken,
                "requests/s": count / taken,
                "faster than in turn": seconds["in turn"] / taken,
            }
            for way, taken in seconds.items()
        ]
    return {"title": f"Requests that share a batch, {name}, one thread", "model": name, "rows": rows}


def one_by_one(model: Any, asked: Sequence[Any]) -> None:
    """Draws each by itself."""
    for request in asked:
        model.sample(request.n, request.budget, seed=request.seed)
