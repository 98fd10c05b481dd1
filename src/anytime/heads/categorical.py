"""The categorical head: one of V tokens, parametrised by logits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Categorical:
    """A distribution over `vocabulary` tokens; parameters are logits (..., V)."""

    vocabulary: int

    @property
    def parameters(self) -> int:
        """How many numbers a sequence model must put out for one token."""
        return self.vocabulary

    def log_prob(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Natural logarithm of p(token): logits (..., V), tokens (...) int64 -> (...)."""
        return logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0]

    def initialise(self, output: nn.Module) -> None:
        """Logits may start anywhere near nought."""

    def log_probs(self, logits: Tensor) -> Tensor:
        """Of all tokens: (..., V) -> (..., V)."""
        return logits.log_softmax(-1)

    def sample(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """Inverts the distribution function: logits (B, V) and one uniform number a row (B,) float64 -> tokens (B,).

        One number per token makes a draw a function of the logits and that number alone, whatever else is in the batch.
        float64, because in float32 a cumulative sum over a large vocabulary can miss or doubly count a token.
        """
        cumulative = logits.double().softmax(-1).cumsum(-1)
        # The last entry may round to just under 1; a uniform number beyond it must still give a token with mass.
        threshold = torch.minimum(uniform * cumulative[:, -1], torch.nextafter(cumulative[:, -1], uniform.new_zeros(())))
        return torch.searchsorted(cumulative, threshold[:, None], right=True)[:, 0]

    def mode(self, logits: Tensor) -> Tensor:
        """The most likely token: (..., V) -> (...)."""
        return logits.argmax(-1)
