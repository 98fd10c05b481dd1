"""CIFAR-10: 60,000 colour photographs of ten classes, 32 by 32 (Krizhevsky, 2009, "Learning multiple layers of features")."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from anytime.data.cifar_batches import CLASSES, read_batches
from anytime.data.cifar_files import BATCHES, JPEG, ZIPS, require_cifar10
from anytime.data.cifar_jpeg import decode_pictures, label_pictures, list_pictures
from anytime.data.images import ImageSet
from anytime.data.splits import split_rows

TRAINING = 50_000
VALIDATION = 5_000


def load_cifar10(name: str, split: str, root: str | Path | None = None, validation: int | None = None) -> ImageSet:
    """Loads a split: 45,000 train, 5,000 validation (cut from the training files), 10,000 test, or what there is of them.

    Args:
        name: "cifar10", which is read from a JPEG copy, lossy, only if the published batches lie nowhere; or
            "cifar10-jpeg", which always is.
        split: "train", "validation" or "test".
        root: the folder to look in before `$ANYTIME_DATA` and the cache.
        validation: how many of the training images are validation; if None, 5,000, or a tenth if there are fewer than 50,000.

    Returns:
        Images (N, 3, 32, 32) with their labels.

    Raises:
        AnytimeError: a file is missing, corrupt, or not what it should be.
    """
    form, files = require_cifar10(name, root)
    part = "test" if split == "test" else "train"
    if form is JPEG:
        archive = files[ZIPS[part]]
        pictures = list_pictures(archive)
        chosen = [pictures[row] for row in _rows(name, len(pictures), split, validation)]
        images, labels = decode_pictures(archive, chosen), label_pictures(chosen)
    else:
        batches = read_batches(files, BATCHES[part]).values()
        rows = _rows(name, sum(len(each) for _, each in batches), split, validation)
        images = torch.from_numpy(np.concatenate([each for each, _ in batches])[rows])
        labels = np.concatenate([each for _, each in batches])[rows]
    return ImageSet(name, split, images, torch.from_numpy(labels), CLASSES)


def count_cifar10(name: str, root: str | Path | None = None) -> tuple[int, int, int]:
    """Counts the images of train, validation and test that are here, without decoding a picture.

    Raises:
        AnytimeError: as `load_cifar10`.
    """
    form, files = require_cifar10(name, root)
    if form is JPEG:
        train, test = (len(list_pictures(files[ZIPS[part]])) for part in ("train", "test"))
    else:
        batches = read_batches(files, [*BATCHES["train"], *BATCHES["test"]])
        train, test = (sum(len(batches[batch][1]) for batch in BATCHES[part]) for part in ("train", "test"))
    held = _held(train)
    return train - held, held, test


def _held(total: int) -> int:
    """Says how many training images are validation if nobody chooses."""
    return VALIDATION if total >= TRAINING else max(1, total // 10)


def _rows(name: str, total: int, split: str, validation: int | None) -> NDArray[np.int64]:
    """Gives the rows of a split among the `total` images of its file or files."""
    if split == "test":
        return np.arange(total)
    return split_rows(name, total, _held(total) if validation is None else validation)[split]
