"""What a sequence model is: one network in two forms, whole sequences for training and scoring, single steps for drawing.

`forward(tokens)[:, t]` and the t-th `step` both parametrise p(token t | tokens before t, condition), and are equal: that is
the first invariant of the design. The decode loop of `anytime.sampling` drives any model that keeps this protocol.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

import torch
from torch import Tensor


class State(Protocol):
    """What a model remembers of the tokens so far; `step` and `prefill` change it in place."""

    position: int

    def select(self, rows: Tensor) -> State:
        """The state of some rows only: `rows` (M,) int64 indexes the batch."""
        ...


S = TypeVar("S", bound=State)


class SequenceModel(Protocol[S]):
    """p(token t | tokens before t, label), as parameters for a head. S is the model's own kind of state."""

    length: int

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        ...

    def __call__(self, tokens: Tensor, labels: Tensor | None = None) -> Tensor:
        """Parameters for every position of (B, T) tokens: (B, T, P)."""
        ...

    def init_state(self, batch: int, labels: Tensor | None = None) -> S:
        """The state before the first token."""
        ...

    def step(self, previous: Tensor | None, state: S) -> Tensor:
        """Parameters (B, P) of the next token, given the `previous` one (B,), or None before the first."""
        ...

    def prefill(self, prefix: Tensor, state: S) -> Tensor:
        """Feeds (B, k >= 1) tokens into a fresh state at once; parameters (B, P) of the next token."""
        ...
