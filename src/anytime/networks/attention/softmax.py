"""Causal softmax attention with a preallocated key/value cache (Vaswani et al. 2017, eq. 1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn


@dataclass
class KeyValueCache:
    """Keys and values of the past, (B, heads, length, head width) each; only the positions already fed are meaningful."""

    keys: Tensor
    values: Tensor

    def select(self, rows: Tensor) -> KeyValueCache:
        """The cache of some rows of the batch."""
        return KeyValueCache(self.keys[rows], self.values[rows])


class SoftmaxAttention(nn.Module):
    """Multi-head causal self-attention, softmax(Q K^T / sqrt(d)) V, with fused projections.

    Args:
        width: width of the residual stream, a multiple of `heads`.
        heads: number of heads.
        dropout: dropout of the attention weights, in training only.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D), position t seeing positions 0..t."""
        query, key, value = self._project(x)
        return self._merge(self._attend(query, key, value, causal=True))

    def init_state(self, batch: int, length: int) -> KeyValueCache:
        """A cache for `length` positions, on the device and in the precision of the weights."""
        weight = self.output.weight
        shape = (batch, self.heads, length, weight.shape[0] // self.heads)
        # Zeros rather than empty memory: what is masked must still be finite.
        return KeyValueCache(weight.new_zeros(shape), weight.new_zeros(shape))

    def step(self, x: Tensor, cache: KeyValueCache, position: int) -> Tensor:
        """Feeds (B, T, D) at `position` and the T - 1 after it: (B, T, D). T = 1 in generation; T > 1 needs position 0."""
        query, key, value = self._project(x)
        end = position + x.shape[1]
        cache.keys[:, :, position:end] = key
        cache.values[:, :, position:end] = value
        seen = (cache.keys[:, :, :end], cache.values[:, :, :end])
        return self._merge(self._attend(query, *seen, causal=x.shape[1] > 1))

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # Plain views: in generation, where T = 1, parsing a pattern would cost more than the attention itself.
        split = self.query_key_value(x).view(len(x), x.shape[1], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return split[0], split[1], split[2]

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, causal: bool) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=causal)

    def _merge(self, heads: Tensor) -> Tensor:
        merged: Tensor = self.output(heads.transpose(1, 2).flatten(2))
        return merged
