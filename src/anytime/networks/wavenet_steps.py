"""Single steps of a WaveNet, with as few operations as they can be told in.

At a few dozen channels a step costs more in launching operations than in arithmetic. So every layer is: one product for each
tap, added up in place; one tanh for both halves of the gate, as sigmoid(b) = (1 + tanh(b / 2)) / 2; one product that adds to the
residual stream and to the sum for the head, which lie side by side, the bias being a channel of ones. What follows from the
weights alone is worked out at the first step, and what a step needs is allocated then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from anytime.networks.gated import GatedLayer
from anytime.networks.ring import WaveNetState

if TYPE_CHECKING:
    from anytime.networks.wavenet import WaveNet


class WaveNetSteps:
    """Steps of one batch.

    Args:
        network: whose weights are used as they are now.
        state: of the batch; its ring buffers are written to.
    """

    def __init__(self, network: WaveNet, state: WaveNetState) -> None:
        config, batch = network.config, state.batch
        new = network.output.weight.new_empty
        self._z = new(batch, 2 * config.gate)
        self._tanh, self._sigmoid = self._z[:, : config.gate], self._z[:, config.gate :]
        self._ones = torch.ones_like(new(batch, config.gate + 1))
        self._h = self._ones[:, : config.gate]
        self._streams = new(batch, config.residual + config.skip)
        self._stream, self._skip = self._streams[:, : config.residual], self._streams[:, config.residual :]
        self._skip_bias, self._input = network.skip_bias, next(network.gated_layers()).input
        self._layers = [
            _Layer(layer, config.residual, ring, gate, None if network.local is None else network.local[index])
            for index, (layer, ring, gate) in enumerate(zip(network.gated_layers(), state.rings, state.gates, strict=True))
        ]

    def step(self, x: Tensor, position: int, local: Tensor | None) -> Tensor:
        """Runs all layers at one position.

        Args:
            x: embedded tokens (B, E).
            position: of this input.
            local: (B, L), or None.

        Returns:
            The sum for the head (B, S), which the next step overwrites.
        """
        self._stream.copy_(x if self._input is None else x @ self._input)
        self._skip.copy_(self._skip_bias)
        for layer in self._layers:
            layer.convolve(x, position, self._z)
            if local is not None and layer.local is not None:
                self._z.addmm_(local, layer.local)
            self._z.tanh_()
            torch.addcmul(self._tanh, self._tanh, self._sigmoid, out=self._h)
            self._streams.addmm_(self._ones, layer.onward)
            x = self._stream
        return self._skip


class _Layer:
    """One layer's weights and its ring buffer, taken apart into the tensors that a step reads."""

    def __init__(self, layer: GatedLayer, channels: int, ring: Tensor, gate: Tensor, local: Tensor | None) -> None:
        halves = torch.ones_like(layer.bias)
        halves[layer.gate :] = 0.5  # tanh(b / 2)
        *self._past, self._present = (layer.taps * halves).unbind(0)
        self._lags = layer.lags[:-1]
        self._slots = ring.unbind(0)
        self._gate = gate * halves
        self.local = None if local is None else local * halves
        residual = layer.skip.new_zeros(layer.gate + 1, channels)
        if layer.residual is not None and layer.residual_bias is not None:
            residual = torch.cat([layer.residual / 2, layer.residual_bias[None]])
        self.onward = torch.cat([residual, torch.cat([layer.skip / 2, torch.zeros_like(layer.skip[:1])])], dim=1)

    def convolve(self, x: Tensor, position: int, z: Tensor) -> None:
        """The gates before their non-linearity, into `z` (B, 2 D); remembers `x` (B, I)."""
        torch.addmm(self._gate, x, self._present, out=z)
        slots = self._slots
        for lag, tap in zip(self._lags, self._past, strict=True):
            z.addmm_(slots[(position - lag) % len(slots)], tap)
        if slots:
            slots[position % len(slots)].copy_(x)
