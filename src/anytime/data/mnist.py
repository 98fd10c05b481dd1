"""MNIST: 70,000 handwritten digits, 28 by 28, one channel (LeCun, Cortes and Burges, 1998)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from anytime.data.idx import read_idx
from anytime.data.images import ImageSet
from anytime.data.locate import find_file
from anytime.data.splits import split_rows
from anytime.errors import AnytimeError

CLASSES = tuple("0123456789")
VALIDATION = 5_000


def load_mnist(split: str, root: str | Path | None = None, validation: int | None = None) -> ImageSet:
    """Loads a split of MNIST: 55,000 train, 5,000 validation (cut from the training files), 10,000 test.

    Args:
        split: "train", "validation" or "test".
        root: the folder to look in before `$ANYTIME_DATA` and the cache.
        validation: how many of the 60,000 are validation; 5,000 if None.

    Returns:
        Images (N, 1, 28, 28) with their labels.

    Raises:
        AnytimeError: a file is missing or corrupt, or images and labels do not belong together.
    """
    images, labels = _read_pair("t10k" if split == "test" else "train", root)
    if split != "test":
        held = VALIDATION if validation is None else validation
        rows = split_rows("mnist", len(images), held)[split]
        images, labels = images[rows], labels[rows]
    pixels = torch.from_numpy(images).unsqueeze(1)
    return ImageSet("mnist", split, pixels, torch.from_numpy(labels.astype(np.int64)), CLASSES)


def _read_pair(prefix: str, root: str | Path | None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Reads the images (N, 28, 28) and the labels (N,) of the "train" or "t10k" files, and checks them."""
    images_path = find_file("mnist", f"{prefix}-images-idx3-ubyte", root)
    labels_path = find_file("mnist", f"{prefix}-labels-idx1-ubyte", root)
    images, labels = read_idx(images_path, dims=3), read_idx(labels_path, dims=1)
    if images.shape[1:] != (28, 28):
        raise AnytimeError(f"{images_path} holds images of {images.shape[1]}×{images.shape[2]} pixels, not 28×28")
    if len(images) != len(labels):
        raise AnytimeError(f"{images_path} holds {len(images):,} images but {labels_path} {len(labels):,} labels")
    if labels.size and labels.max() > 9:
        row = int(np.argmax(labels > 9))
        raise AnytimeError(f"{labels_path} holds the label {labels[row]} at row {row}, which is not a digit")
    return images, labels
