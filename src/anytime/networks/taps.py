"""The causal convolution of a WaveNet's layer: a matrix product for each lag, added up in place.

With time as the first axis, the inputs `lag` steps earlier are the same rows, shifted: no tap copies anything, forwards or
backwards, and rows before the beginning are left out instead of padded by nought.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable


class CausalTaps(torch.autograd.Function):
    """z_t = b + sum_j x_{t - lag_j} W_j, of rows (T * B, I); see `causal_taps`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, taps: Tensor, bias: Tensor, shifts: tuple[int, ...]) -> Tensor:
        """Adds the product of every tap where it has inputs."""
        ctx.save_for_backward(x, taps)
        ctx.shifts = shifts
        z = bias.expand(len(x), -1).clone()
        for tap, shift in zip(taps, shifts, strict=True):
            if shift < len(x):
                z[shift:].addmm_(x[: len(x) - shift], tap)
        return z

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """The transposed products."""
        x, taps = ctx.saved_tensors  # type: ignore[attr-defined]
        to_x, to_taps = torch.zeros_like(x), torch.zeros_like(taps)
        for index, shift in enumerate(ctx.shifts):  # type: ignore[attr-defined]
            if shift < len(x):
                later = gradient[shift:]
                to_x[: len(x) - shift].addmm_(later, taps[index].T)
                torch.mm(x[: len(x) - shift].T, later, out=to_taps[index])
        return to_x, to_taps, gradient.sum(0), None


def causal_taps(x: Tensor, taps: Tensor, bias: Tensor, lags: list[int]) -> Tensor:
    """Convolves (T, B, I) by taps (K, I, O) at `lags` steps back, with a bias (O,), as if nought came before: (T * B, O)."""
    shifts = tuple(lag * x.shape[1] for lag in lags)
    z: Tensor = CausalTaps.apply(x.flatten(0, 1), taps, bias, shifts)  # type: ignore[no-untyped-call]
    return z
