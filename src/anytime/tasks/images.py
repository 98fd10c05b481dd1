"""Data sets as a model sees them."""

from __future__ import annotations

from pathlib import Path

from anytime.data import ImageSet, open_images
from anytime.models.model import Model


def images_for(model: Model, name: str, split: str, root: str | Path | None = None) -> ImageSet:
    """Opens a split of a data set; images of another size are resized to the model's, as in training.

    Raises:
        AnytimeError: there is no such data set, or it cannot be read.
    """
    _, height, width = model.tokenizer.image
    # Resizing gives squares only: for other models the pictures have to be of the right size already.
    return open_images(name, split, root, size=height if height == width else None)
