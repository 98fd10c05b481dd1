"""Data sets as a model sees them."""

from __future__ import annotations

from pathlib import Path

from anytime.data import ImageSet, open_images
from anytime.data.sets import folder_of
from anytime.models.model import Model


def images_for(model: Model, name: str, split: str, root: str | Path | None = None) -> ImageSet:
    """Opens a split of a data set; a folder's pictures are resized and cropped to the model's images, as in training.

    Raises:
        AnytimeError: there is no such data set, or it cannot be read.
    """
    _, height, width = model.tokenizer.image
    # Resizing gives squares only: for other models the pictures have to be of the right size already.
    return open_images(name, split, root, size=height if folder_of(name) and height == width else None)
