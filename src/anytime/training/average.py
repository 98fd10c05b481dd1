"""Exponential moving average of the weights, with a warm-up so that short runs are averaged too."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """An average of `model` that starts as its copy: w <- w + (1 - d) (current - w), d = min(decay, (1 + n) / (10 + n)).

    Buffers, a codebook for instance, are copied and not averaged.
    """

    @torch.no_grad()
    def move(average: list[Tensor], current: list[Tensor], updates: Tensor) -> None:
        n = float(updates)
        torch._foreach_lerp_(average, current, 1 - min(decay, (1 + n) / (10 + n)))

    return AveragedModel(model, multi_avg_fn=move)  # type: ignore[arg-type]
