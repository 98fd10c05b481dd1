"""Opens one picture file safely: whatever Pillow says against it becomes one error that names the file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from anytime.errors import AnytimeError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
GRAY_MODES = ("1", "L", "LA")


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Opens a picture; its pixels are decoded only when the body asks for them.

    Raises:
        AnytimeError: the file is missing, corrupt, of another format, or over `Image.MAX_IMAGE_PIXELS`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=FORMATS) as image:
                yield image
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise AnytimeError(f"{path} holds more than the {Image.MAX_IMAGE_PIXELS:,} pixels allowed") from None
        except AnytimeError:
            raise
        except Exception as error:  # Pillow's decoders raise SyntaxError, struct.error and others on corrupt files
            reason = str(error) or type(error).__name__
            raise AnytimeError(f"{path} cannot be read as an image: {reason}", "Mend or remove it") from None


def read_header(path: Path) -> tuple[bool, tuple[int, int]]:
    """Tells whether a picture is grayscale, and its (width, height) in pixels, without decoding it.

    Raises:
        AnytimeError: as `opened`, or it has more than 8 bits a channel.
    """
    with opened(path) as image:
        if image.mode.startswith(("I", "F")):
            raise AnytimeError(f"{path} has more than 8 bits a channel", "Convert it to 8 bits")
        return image.mode in GRAY_MODES, image.size


def decode(path: Path, gray: bool, size: int | None = None) -> Tensor:
    """Decodes a picture.

    Args:
        path: the file.
        gray: one channel if true, else RGB. An alpha channel is dropped.
        size: if given, the shortest side is resized to this and the centre cropped to a square.

    Returns:
        uint8 (C, H, W).

    Raises:
        AnytimeError: as `opened`.
    """
    with opened(path) as image:
        picture = image.convert("L" if gray else "RGB")
        if size is not None:
            picture = ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(picture))
    return pixels.unsqueeze(0) if gray else pixels.permute(2, 0, 1)
