"""Learning-rate schedules, as factors of the highest rate. A function of the step alone, so there is no state to save."""

from __future__ import annotations

import math

from anytime.training.settings import StageConfig


def learning_rate(step: int, stage: StageConfig) -> float:
    """Learning rate of step 0, 1, ... of a stage."""
    warmup = min(1.0, (step + 1) / max(1, stage.warmup))
    progress = min(1.0, max(0, step - stage.warmup) / max(1, stage.steps - stage.warmup))
    match stage.schedule:
        case "constant":
            factor = warmup
        case "cosine":
            factor = warmup * _cosine(1.0, stage.final, progress)
        case "inverse_sqrt":
            factor = warmup * math.sqrt(max(1, stage.warmup) / max(step + 1, stage.warmup, 1))
        case "one_cycle":
            # Smith 2018: a cosine up from a 25th of the highest rate, then a cosine down.
            factor = _cosine(1 / 25, 1.0, warmup) if step < stage.warmup else _cosine(1.0, stage.final, progress)
    return stage.learning_rate * factor


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
