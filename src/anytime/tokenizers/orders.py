"""In which order the pixels of an image become a sequence.

Raster goes through every row from the left. Boustrophedon turns at the end of each row, as oxen plough: even rows (counted from
0) run from left to right, odd ones back, so that pixels which follow each other always touch. The channels of a pixel follow
each other as r, g, b in either.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Order = Literal["raster", "boustrophedon"]


def places(order: Order, height: int, width: int, channels: int) -> Tensor:
    """Where each code of a sequence lies in the image: flat indices into (H, W, C), a permutation, int64 (H W C,)."""
    pixels = torch.arange(height * width).view(height, width)
    if order == "boustrophedon":
        pixels[1::2] = pixels[1::2].flip(1)
    return (channels * pixels[..., None] + torch.arange(channels)).flatten()
