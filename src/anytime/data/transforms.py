"""The named ways to bring a picture to a square of another size."""

from __future__ import annotations

from typing import Literal, get_args

from PIL import Image, ImageOps

from anytime.errors import AnytimeError

Fit = Literal["crop", "squash", "pad"]
BICUBIC = Image.Resampling.BICUBIC


def check_fit(fit: str) -> None:
    """Refuses a name that is none of them."""
    if fit not in get_args(Fit):
        raise AnytimeError(f"There is no way {fit!r} to fit an image into a square", f"Choose {', '.join(get_args(Fit))}")


def fit_square(picture: Image.Image, size: int, fit: Fit = "crop") -> Image.Image:
    """Brings a picture to `size` by `size` pixels, by bicubic interpolation.

    Args:
        picture: of mode L or RGB.
        size: at least 1.
        fit: "crop" resizes the shorter side and cuts the centre out of the longer one; "squash" resizes each side by itself;
            "pad" resizes the longer side and puts black beside the picture.
    """
    square = (size, size)
    if fit == "squash":
        return picture.resize(square, BICUBIC)
    return ImageOps.pad(picture, square, BICUBIC) if fit == "pad" else ImageOps.fit(picture, square, BICUBIC)
