"""Tokens further back that the network is shown beside the last one: in an image, the bytes above.

Attention has to find out that the byte above matters as much as the one before, which takes it thousands of steps; small models
are told. Each distance has an embedding of its own, added to the input.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anytime.errors import AnytimeError


class Neighbours(nn.Module):
    """Embeddings of the tokens so many positions before the one that is to be predicted.

    Args:
        distances: how far back, 1 being the last token.
        vocabulary: V.
        width: D.

    Raises:
        AnytimeError: a distance is not positive.
    """

    def __init__(self, distances: Sequence[int], vocabulary: int, width: int) -> None:
        super().__init__()
        if min(distances) < 1:
            raise AnytimeError(f"a neighbour cannot lie {min(distances)} tokens back", "Choose distances of 1 or more")
        self.distances, self.outside = list(distances), vocabulary
        self.tables = nn.ModuleList(nn.Embedding(vocabulary + 1, width) for _ in distances)  # the last row stands for outside

    def forward(self, tokens: Tensor, begin: int = 0) -> Tensor:
        """What is seen from positions `begin`..T - 1 of tokens (B, T), the last of which need not be known: (B, T - begin, D)."""
        padded = nn.functional.pad(tokens, (max(self.distances), 0), value=-1)
        seen = [self._seen(table, padded, begin, back) for table, back in zip(self.tables, self.distances, strict=True)]
        return torch.stack(seen).sum(0)

    def _seen(self, table: nn.Module, padded: Tensor, begin: int, back: int) -> Tensor:
        start = max(self.distances) - back
        there = padded[:, start + begin : padded.shape[1] - back]
        embedded: Tensor = table(torch.where(there < 0, self.outside, there))
        return embedded
