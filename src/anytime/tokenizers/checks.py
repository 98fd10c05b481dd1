"""What every tokenizer of images refuses: images of another size, and codes that it cannot have made."""

from __future__ import annotations

from torch import Tensor

from anytime.errors import AnytimeError


def check_images(images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Images as (B, C, H, W); (B, H, W) will do for one channel.

    Raises:
        AnytimeError: they are of another size than `shape`, (C, H, W).
    """
    if images.ndim == 3 and shape[0] == 1:
        images = images[:, None]
    if images.ndim != 4 or tuple(images.shape[1:]) != tuple(shape):
        raise AnytimeError(f"images of shape {tuple(images.shape)} should be (B, {', '.join(map(str, shape))})")
    return images


def check_codes(codes: Tensor, longest: int, entries: int) -> None:
    """Looks at codes (B, k) that are to be decoded; -1 is a missing one.

    Raises:
        AnytimeError: there are too many, or values outside -1..entries - 1.
    """
    if codes.ndim != 2 or not 1 <= codes.shape[1] <= longest:
        raise AnytimeError(f"codes of shape {tuple(codes.shape)} should be (B, k) with 1 <= k <= {longest}")
    if codes.numel() and not (int(codes.min()) >= -1 and int(codes.max()) < entries):
        raise AnytimeError(f"codes should lie in 0..{entries - 1}, or be -1 where missing")
