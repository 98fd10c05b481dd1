"""Images in memory: MNIST, digits, CIFAR-10, or a folder of pictures, each cut into train, validation and test.

`open_images` is the whole of it. Importing this package does not import torch, so that it is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytime.data.sets import open_images

if TYPE_CHECKING:
    from anytime.data.images import ImageSet

__all__ = ["ImageSet", "open_images"]


def __getattr__(name: str) -> object:
    """Imports `ImageSet`, and torch with it, when it is first asked for."""
    if name == "ImageSet":
        from anytime.data.images import ImageSet

        return ImageSet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
