"""Exponential moving average of the weights, with a warm-up so that short runs are averaged too."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """An average of `model` that starts as its copy: w <- w + (1 - d) (current - w), d = min(decay, (1 + n) / (10 + n)).

    A codebook is a buffer, and an encoder averaged over thousands of steps needs one averaged over as many: so buffers of
    floats are averaged too, and those of integers copied.
    """

    @torch.no_grad()
    def move(average: list[Tensor], current: list[Tensor], updates: Tensor) -> None:
        n = float(updates)
        if average[0].is_floating_point():  # torch calls this for the tensors of one type at a time
            torch._foreach_lerp_(average, current, 1 - min(decay, (1 + n) / (10 + n)))
        else:
            torch._foreach_copy_(average, current)

    return AveragedModel(model, multi_avg_fn=move, use_buffers=True)  # type: ignore[arg-type]
