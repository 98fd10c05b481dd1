"""Vector quantisation in two forms: an exact nearest-neighbour look-up, and the quantiser that learns the codebook.

A trained tokenizer needs only its `Codebook`. Training wraps `vector-quantize-pytorch` (van den Oord et al. 2017: straight-
through gradients, commitment loss, codebook by exponential moving averages; k-means start and revival of dead entries, since
by gradient alone half of the codebook dies).
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DEAD = 2.0  # vectors a step: an entry that is chosen less often is moved to where vectors are


class Codebook(nn.Module):
    """Entries shared by all positions, or one set of entries for each.

    Args:
        entries: K, the number of entries.
        dimension: D, the width of one entry.
        positions: 1 for a shared codebook, or N for one per position.
    """

    vectors: Tensor  # (positions, K, D)

    def __init__(self, entries: int, dimension: int, positions: int = 1) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.zeros(positions, entries, dimension))

    def nearest(self, z: Tensor) -> Tensor:
        """Indices of the nearest entries in Euclidean distance: (B, N, D) -> (B, N) int64."""
        books = self.vectors.expand(z.shape[1], -1, -1)
        # argmin |c - z|^2 = argmin |c|^2 - 2 c.z: one batched product, no (B, N, K, D) array.
        scores = torch.baddbmm(books.square().sum(-1)[:, None], z.transpose(0, 1), books.transpose(1, 2), alpha=-2)
        return scores.argmin(-1).T.contiguous()

    def look_up(self, codes: Tensor) -> Tensor:
        """Entries of (B, k) codes: (B, k, D). A code of -1 stands for a missing one and gives zeros."""
        rows = codes.clamp(min=0)
        if len(self.vectors) == 1:  # indexing by two arrays takes three times as long
            entries = F.embedding(rows, self.vectors[0])
        else:
            entries = self.vectors[torch.arange(codes.shape[1], device=codes.device), rows]
        return entries * (codes >= 0)[..., None]


class Quantizer(Protocol):
    """Quantises (B, N, D) vectors where `kept` (B, N) is true, and in training learns a codebook from them."""

    def __call__(self, z: Tensor, kept: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Straight-through vectors (B, N, D), zeros where dropped; codes (B, N), -1 where dropped; the commitment loss ()."""
        ...


class SharedQuantizer(nn.Module):
    """Quantises what nested dropout kept, and learns one codebook for all positions from it.

    Args:
        codebook: where the learnt entries go after every step.
        commitment: beta, the weight of the commitment loss.
        decay: of the moving averages that are the codebook.
    """

    def __init__(self, codebook: Codebook, commitment: float, decay: float) -> None:
        super().__init__()
        self.codebook = [codebook]  # in a list, so that it stays a part of the tokenizer alone
        _, entries, dimension = codebook.vectors.shape
        self.quantizer = _quantizer(dimension, entries, commitment, decay)

    def forward(self, z: Tensor, kept: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantises (B, N, D) where `kept` (B, N) is true.

        Returns:
            Straight-through vectors (B, N, D), zeros where dropped; codes (B, N), -1 where dropped; the commitment loss ().
        """
        # Of few vectors for many entries no entry can be chosen often: then a smaller share of an equal one is no sign of death.
        self.quantizer._codebook.threshold_ema_dead_code = min(DEAD, kept.numel() / self.quantizer.codebook_size / 10)
        vectors, codes, loss = self.quantizer(z, mask=kept)
        with torch.no_grad():
            self.codebook[0].vectors.copy_(self.quantizer.codebook)
        return vectors * kept[..., None], codes.masked_fill(~kept, -1), loss.sum()


def _quantizer(dimension: int, entries: int, commitment: float, decay: float) -> Any:
    from vector_quantize_pytorch import VectorQuantize

    return VectorQuantize(
        dim=dimension,
        codebook_size=entries,
        commitment_weight=commitment,
        decay=decay,
        kmeans_init=True,
        threshold_ema_dead_code=DEAD,
        rotation_trick=False,
    )
