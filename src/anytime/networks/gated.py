"""One layer of a WaveNet: a causal dilated convolution, a gate, and what goes on to the next layer and to the head.

    z_t = sum_j W_j x_{t - lag_j} + b + V c_t;   h = tanh(z_a) * sigmoid(z_b);   x <- x + W_r h;   skip <- W_s h

(van den Oord et al. 2016, "WaveNet: A Generative Model for Raw Audio", eq. 2 and 3, figure 4.) Time is the first axis
everywhere, (T, B, C), see `taps.py`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anytime.networks.taps import causal_taps


class GatedLayer(nn.Module):
    """(T, B, I) -> (T, B, C) for the next layer and (T, B, S) for the head.

    Args:
        inputs: I, channels that come in.
        channels: C, of the residual stream.
        gate: D, channels of tanh and sigmoid each.
        skips: S, channels that go to the head.
        lags: how many steps back each tap of the convolution reads, the present, 0, last.
        last: of the stack, so that nothing goes on to a next layer.
    """

    def __init__(self, inputs: int, channels: int, gate: int, skips: int, lags: list[int], last: bool) -> None:
        super().__init__()
        self.lags, self.gate = lags, gate
        self.taps = nn.Parameter(torch.empty(len(lags), inputs, 2 * gate))
        self.bias = nn.Parameter(torch.zeros(2 * gate))
        self.skip = nn.Parameter(torch.empty(gate, skips))
        self.input = None if inputs == channels or last else nn.Parameter(torch.empty(inputs, channels))
        self.residual = None if last else nn.Parameter(torch.empty(gate, channels))
        self.residual_bias = None if last else nn.Parameter(torch.zeros(channels))
        for weight in (*self.taps.data, self.skip, self.input, self.residual):
            if weight is not None:
                nn.init.xavier_uniform_(weight)

    @property
    def memory(self) -> int:
        """How many earlier inputs the layer looks back to."""
        return max(self.lags)

    def forward(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """The whole sequence at once, as if nought came before it.

        Args:
            x: (T, B, I).
            condition: (T or 1, B, 2 D), what the gate is told besides; None for nothing.
        """
        time, batch, _ = x.shape
        z = causal_taps(x, self.taps, self.bias, self.lags)
        if condition is not None:
            z = (z.view(time, batch, 2 * self.gate) + condition).flatten(0, 1)
        going, h = self.gated(x.flatten(0, 1), z)
        return going.unflatten(0, (time, batch)), (h @ self.skip).unflatten(0, (time, batch))

    def gated(self, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """What follows the convolution: inputs (M, I) and gates (M, 2 D) -> the next layer's inputs (M, C), h (M, D).

        Nobody looks at what goes on from the last layer.
        """
        a, b = z.split(self.gate, dim=-1)
        h = torch.tanh(a) * torch.sigmoid(b)
        if self.residual is None or self.residual_bias is None:
            return x, h
        stream = x if self.input is None else x @ self.input
        return torch.addmm(stream + self.residual_bias, h, self.residual), h
