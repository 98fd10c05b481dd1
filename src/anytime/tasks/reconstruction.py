"""How well codes describe images: the error at every number of codes, and how evenly the codebook is used."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from anytime.tokenizers.distortion import mean_squared_error
from anytime.tokenizers.ordered import OrderedVQ


@dataclass(frozen=True)
class Reconstruction:
    """Images drawn from their first codes.

    Attributes:
        codes: k, how many.
        bits: an image, k log2 K.
        mse: mean over images and pixels in [0, 1].
        psnr: of that mean, decibels; null in JSON if there is no error.
    """

    codes: int
    bits: float
    mse: float
    psnr: float | None


@dataclass(frozen=True)
class CodebookUse:
    """The codes of a set of images, all positions taken together.

    Attributes:
        entries: K, how many there are.
        used: share of them that occur.
        perplexity: 2 to the entropy of the codes, 1..K: as many entries in equal use would have the same entropy.
    """

    entries: int
    used: float
    perplexity: float


@torch.inference_mode()
def reconstructions(tokenizer: OrderedVQ, images: Tensor, codes: Tensor, progress: Callable[[str], None]) -> list[Reconstruction]:
    """The error at every k in 1..N.

    Args:
        tokenizer: decodes.
        images: uint8 (M, C, H, W).
        codes: of the images, (M, N) int64.
        progress: told how far it is.
    """
    found = []
    for k in range(1, tokenizer.num_codes + 1):
        progress(f"reconstruction from {k} of {tokenizer.num_codes} codes")
        mse = mean_squared_error(tokenizer, images, codes[:, :k])
        psnr = -10 * math.log10(mse) if mse else None
        found.append(Reconstruction(k, k * math.log2(tokenizer.codebook_size), mse, psnr))
    return found


def codebook_use(codes: Tensor, entries: int, per_position: bool = False) -> CodebookUse:
    """How codes (M, N) use a codebook of `entries`; or N of them, one for each position, of which the mean is given."""
    columns = codes.T if per_position else codes.flatten()[None]
    counts = torch.stack([torch.bincount(column, minlength=entries) for column in columns])
    perplexities = [2 ** entropy(each) for each in counts]
    return CodebookUse(entries, float((counts > 0).double().mean()), sum(perplexities) / len(perplexities))


def entropy(counts: Tensor) -> float:
    """Entropy in bits of the distribution that counts (K,) stand for."""
    p = counts.double() / counts.sum()
    return float(-torch.xlogy(p, p).sum()) / math.log(2) + 0.0  # no negative zero
