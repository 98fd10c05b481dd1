"""What a budget costs: milliseconds of the prior and of the decode against the number of codes, at batch 1 and 64.

Beside it stands the floor: the matrix products of one step and nothing else, on buffers allocated once.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import anytime
from anytime.models.model import Model
from anytime.sampling.budget import one_length

FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1.0)
REPEATS = 21
QUICK = {"REPEATS": 5}


def measure(name: str) -> dict[str, Any]:
    """Interleaves the budgets, so that a change of the machine's speed meets them all alike; medians of the repeats."""
    model = anytime.load(name)
    rows = [row for batch in (1, 64) for row in _rows(model, batch)]
    return {"title": f"Time against budget, {name}, {torch.get_num_threads()} threads", "model": name, "rows": rows}


def _rows(model: Model, batch: int) -> list[dict[str, Any]]:
    runs: dict[float, list[tuple[float, float]]] = {fraction: [] for fraction in FRACTIONS}
    floors: list[float] = []
    floor = floor_step(model, batch)
    for repeat in range(REPEATS + 2):
        for fraction in FRACTIONS:
            samples = model.sample(batch, budget=fraction, seed=repeat)
            runs[fraction].append((samples.prior_ms, samples.decode_ms))
        floors.append(floor())
    prior = {fraction: statistics.median(run[0] for run in runs[fraction][2:]) for fraction in FRACTIONS}
    total = {fraction: statistics.median(sum(run) for run in runs[fraction][2:]) for fraction in FRACTIONS}
    step = statistics.median(floors[2:])
    return [
        {
            "batch": batch,
            "budget": fraction,
            "codes": one_length(fraction, model.num_codes),
            "prior ms": prior[fraction],
            "total ms": total[fraction],
            "prior, of full": prior[fraction] / prior[1.0],
            "total, of full": total[fraction] / total[1.0],
            "prior / floor": prior[fraction] / (one_length(fraction, model.num_codes) * step),
        }
        for fraction in FRACTIONS
    ]


@torch.inference_mode()
def floor_step(model: Model, batch: int) -> Callable[[], float]:
    """A function that does the matrix products of one step and returns the milliseconds they took."""
    weights = [layer.weight.detach() for layer in model.prior.modules() if isinstance(layer, nn.Linear)]
    pairs = [(torch.randn(batch, w.shape[1]), w, torch.empty(batch, w.shape[0])) for w in weights]

    def step() -> float:
        with torch.inference_mode():
            started = time.perf_counter()
            for x, w, y in pairs:
                torch.mm(x, w.T, out=y)
            return 1000 * (time.perf_counter() - started)

    return step
