"""How far images drawn from their first codes are from the images themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from anytime.tokenizers.nested import NestedCodes

BATCH = 512


@torch.no_grad()
def mean_squared_error(tokenizer: NestedCodes, images: Tensor, prefix: Tensor) -> float:
    """Mean over images (M, C, H, W) and their pixels in [0, 1] of the squared error when decoding (M, k) codes."""
    total = 0.0
    for x, part in zip(torch.split(images, BATCH), torch.split(prefix, BATCH), strict=True):
        target = tokenizer.prepare(x)
        error = tokenizer.decode(part.to(target.device)) - target
        total += float(error.double().square().sum())
    return total / images.numel()
