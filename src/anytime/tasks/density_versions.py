"""Images as they are, turned, noised and inverted: what a model may find more or less likely."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

ANGLE = 15  # degrees of the small rotation
NOISE = (0.05, 0.2)  # shares of the bytes that are replaced
ORIGINAL = "original"


def versions(images: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """Versions of images by name, the original first; all uint8 (n, C, H, W), made before a tokenizer makes levels of bytes.

    Args:
        images: uint8 (n, C, H, W).
        seed: of the noise.
    """
    made = {ORIGINAL: images, f"rotated {ANGLE}°": rotated(images, ANGLE)}
    if images.shape[2] == images.shape[3]:
        made["rotated 90°"] = images.rot90(dims=(2, 3))
    made |= {"rotated 180°": images.rot90(2, dims=(2, 3)), "inverted": 255 - images}
    return made | {f"noise in {share:.0%}": noised(images, share, seed) for share in NOISE} | {"noise": noised(images, 1.0, seed)}


def rotated(images: Tensor, degrees: float) -> Tensor:
    """Turns images anticlockwise about their middle, by bilinear interpolation; beyond the border the border goes on."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    ratio = images.shape[2] / images.shape[3]  # coordinates reach from -1 to 1 on both sides
    turn = torch.tensor([[cosine, -sine * ratio, 0.0], [sine / ratio, cosine, 0.0]])
    grid = F.affine_grid(turn.expand(len(images), -1, -1), list(images.shape), align_corners=False)
    moved = F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
    return moved.round().clamp(0, 255).to(torch.uint8)


def noised(images: Tensor, share: float, seed: int) -> Tensor:
    """Replaces a share of the bytes, each by chance, by uniform ones."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(256, images.shape, generator=generator, dtype=torch.uint8)
    return torch.where(torch.rand(images.shape, generator=generator) < share, noise, images)
