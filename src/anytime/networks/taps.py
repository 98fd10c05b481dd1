"""The causal convolution of a WaveNet's layer: a matrix product for each lag, added up in place.

With time as the first axis, the inputs `lag` steps earlier are the same rows, shifted: no tap copies anything, forwards or
backwards, and rows before the beginning are left out instead of padded by nought.

In reduced precision (autocast) the shifted rows are laid side by side instead, for one product that is summed in float32 before
it is rounded: processors that multiply bfloat16 natively want few and large products.
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


class CausalColumns(torch.autograd.Function):
    """The same in the precision of autocast: one product with all shifted rows side by side."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, taps: Tensor, bias: Tensor, shifts: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Rows (T * B, K I) times (K I, O), in `dtype`; the result and the bias are of the dtype of `bias`."""
        columns = x.new_zeros(len(x), len(shifts), x.shape[1], dtype=dtype)
        for index, shift in enumerate(shifts):
            if shift < len(x):
                columns[shift:, index] = x[: len(x) - shift]
        columns, weight = columns.flatten(1), taps.to(dtype).flatten(0, 1)
        ctx.save_for_backward(columns, weight)
        ctx.shifts = shifts
        return torch.mm(columns, weight).to(bias.dtype).add_(bias)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """The transposed products; those of the inputs are shifted back and added up."""
        columns, weight = ctx.saved_tensors
        rounded = gradient.to(weight.dtype)
        to_columns = torch.mm(rounded, weight.T).unflatten(1, (len(ctx.shifts), -1))
        to_x = gradient.new_zeros(len(gradient), to_columns.shape[2])
        for index, shift in enumerate(ctx.shifts):
            if shift < len(to_x):
                to_x[: len(to_x) - shift] += to_columns[shift:, index]
        to_taps = torch.mm(columns.T, rounded).unflatten(0, (len(ctx.shifts), -1))
        return to_x, to_taps.to(gradient.dtype), gradient.sum(0), None, None


def causal_taps(x: Tensor, taps: Tensor, bias: Tensor, lags: list[int]) -> Tensor:
    """Convolves (T, B, I) by taps (K, I, O) at `lags` steps back, with a bias (O,), as if nought came before: (T * B, O)."""
    shifts = tuple(lag * x.shape[1] for lag in lags)
    rows, kind = x.flatten(0, 1), x.device.type
    if torch.is_autocast_enabled(kind):
        z: Tensor = CausalColumns.apply(rows, taps, bias, shifts, torch.get_autocast_dtype(kind))  # type: ignore[no-untyped-call]
        return z
    z = CausalTaps.apply(rows, taps, bias, shifts)  # type: ignore[no-untyped-call]
    return z
