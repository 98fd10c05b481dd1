"""What a WaveNet remembers while tokens are drawn one by one: a ring buffer for each layer.

The input of a layer at position p lies in slot p % memory until it is overwritten memory positions later, when no tap reaches it
any more. Nothing is moved, so that a step costs the same at any receptive field (Paine et al. 2016, "Fast Wavenet Generation
Algorithm", keep the same values in queues).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from anytime.networks.wavenet_steps import WaveNetSteps


@dataclass
class WaveNetState:
    """The state of a batch that is being drawn.

    Attributes:
        rings: for each layer (memory, B, I), zeros where nothing was fed yet, as the convolution pads.
        gates: for each layer what its gates are told at every position, bias and label: (B, 2 D).
        rows: of the table of labels, (B,).
        first: parameters of the first token (B, P), if they are not the network's.
        local: the condition that changes with time, (N, B, L), or None.
        position: inputs fed so far, the start token being one.
        steps: what does single steps, from the first one on.
    """

    rings: list[Tensor]
    gates: list[Tensor]
    rows: Tensor
    first: Tensor | None = None
    local: Tensor | None = None
    position: int = 0
    steps: WaveNetSteps | None = None

    @property
    def batch(self) -> int:
        """B, the number of rows."""
        return len(self.rows)

    def select(self, rows: Tensor) -> WaveNetState:
        """The state of some rows only: `rows` (M,) int64 indexes the batch."""
        first = None if self.first is None else self.first[rows]
        local = None if self.local is None else self.local[:, rows]
        rings, gates = [ring[:, rows] for ring in self.rings], [gate[rows] for gate in self.gates]
        return WaveNetState(rings, gates, self.rows[rows], first, local, self.position)

    def remember(self, layer: int, x: Tensor, end: int) -> None:
        """Remembers the inputs (T, B, I) of a layer that end before position `end`, as many of them as it looks back to."""
        ring = self.rings[layer]
        kept = min(len(ring), len(x))
        if kept:
            ring[torch.arange(end - kept, end, device=x.device) % len(ring)] = x[len(x) - kept :].detach()
