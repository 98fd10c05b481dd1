"""Raw bytes as codes: r1 g1 b1 r2 g2 b2 ..., row after row. Nothing is learnt but the mean image, which stands for missing bytes.

A prefix is the top of an image. It decodes to a whole image too, if a poor one: what is missing is filled by the mean of the
training images, or left blank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anytime.tokenizers.checks import check_codes, check_images

LEVELS = 256


@dataclass(frozen=True)
class PixelsConfig:
    """How bytes become images.

    Attributes:
        kind: tells this tokenizer from others in a YAML file.
        fill: what stands where bytes are missing: the "mean" of the training images, or "blank", which is black.
    """

    kind: Literal["pixels"] = "pixels"
    fill: Literal["mean", "blank"] = "mean"


class Pixels(nn.Module):
    """Images <-> bytes. Images are (B, C, H, W): uint8 in 0..255 or floats in [0, 1]; codes are (B, H W C) int64 in 0..255.

    Args:
        config: see `PixelsConfig`.
        image: (C, H, W) of the images.

    Attributes:
        fill: as in the config; may be set to see the other.
        mean: of the training images, (H W C,) in [0, 1].
    """

    mean: Tensor

    def __init__(self, config: PixelsConfig, image: tuple[int, int, int]) -> None:
        super().__init__()
        channels, height, width = image
        self.config, self.image, self.fill = config, image, config.fill
        self.grid = [height, width, channels]
        self.num_codes, self.codebook_size = height * width * channels, LEVELS
        self.register_buffer("mean", torch.zeros(self.num_codes))

    def learn(self, images: Tensor) -> None:
        """Takes the mean of training images, uint8 (M, C, H, W)."""
        self.mean.copy_(images.permute(0, 2, 3, 1).flatten(1).double().mean(0) / (LEVELS - 1))

    def encode(self, images: Tensor) -> Tensor:
        """Bytes of images: (B, C, H, W), or (B, H, W) if C = 1, -> (B, H W C) int64.

        Raises:
            AnytimeError: the images are of another size.
        """
        images = check_images(images, self.image)
        if images.dtype != torch.uint8:
            images = (images * (LEVELS - 1)).round()
        return images.permute(0, 2, 3, 1).flatten(1).to(self.mean.device, torch.int64)

    def decode(self, codes: Tensor) -> Tensor:
        """Images of prefixes: bytes (B, k), 1 <= k <= N, -1 where missing, -> (B, C, H, W) in [0, 1].

        Raises:
            AnytimeError: there are too many, or values outside -1..255.
        """
        check_codes(codes, self.num_codes, LEVELS)
        codes = F.pad(codes, (0, self.num_codes - codes.shape[1]), value=-1)
        missing = self.mean if self.fill == "mean" else torch.zeros_like(self.mean)
        values = torch.where(codes >= 0, codes / (LEVELS - 1), missing)
        images: Tensor = values.unflatten(1, self.grid).permute(0, 3, 1, 2)
        return images
