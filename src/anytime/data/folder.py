"""A folder of pictures as a data set: PNG, JPEG, WebP or BMP.

Subfolders train/ with test/ or val/ are its splits; without them a seeded tenth is test, another validation.
The subfolder that an image lies in is its class, if every image lies in one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anytime.data.decode import SUFFIXES, read_header
from anytime.data.listing import Listing
from anytime.data.names import pictures_in
from anytime.data.splits import split_rows
from anytime.data.stores import FolderStore
from anytime.errors import AnytimeError

SPLIT_FOLDERS = {"train": ("train",), "validation": ("val", "validation"), "test": ("test",)}


def list_folder(folder: Path, split: str, validation: int | None = None, size: int | None = None) -> Listing:
    """Lists the pictures of a split, and looks at their headers: of every split, so that all agree on the number of channels.

    Args:
        folder: the folder.
        split: "train", "validation" or "test".
        validation: how many images are validation; a tenth if None.
        size: to which they will be resized; pictures may differ in size if it is given.

    Returns:
        The pictures, which are gray if every picture of every split is.

    Raises:
        AnytimeError: no images, a corrupt one, sizes that differ without `size`, or an empty split.
    """
    parts = find_splits(folder, validation)
    names = parts[split]
    if not names:
        raise AnytimeError(f"{folder} has no {split} images", f"Put some into {folder / SPLIT_FOLDERS[split][0]}")
    everything = [name for part in parts.values() for name in part]
    gray = _check_headers(folder, everything, size)
    classes = _find_classes(everything, depth=1 if _split_folders(folder) else 0)
    return Listing(FolderStore(folder, names), _label(names, classes), classes, gray)


def find_splits(folder: Path, validation: int | None = None) -> dict[str, list[str]]:
    """Lists the picture files of each split, relative to the folder and by name, without opening them.

    Raises:
        AnytimeError: there is no such folder, it holds no images, or too few for the splits.
    """
    if not folder.is_dir():
        raise AnytimeError(f"{folder} is not a folder", "Give the path of a folder of images")
    folders = _split_folders(folder)
    if validation is not None and "validation" in folders:
        raise AnytimeError(f"{folder} has its validation images in {folders['validation']}/ already")
    if not folders:
        return _cut(folder, pictures_in(folder), validation, with_test=True)
    parts: dict[str, list[str]] = {split: [] for split in SPLIT_FOLDERS}
    for split, name in folders.items():
        parts[split] = [f"{name}/{picture}" for picture in pictures_in(folder / name)]
    if "validation" not in folders:
        parts |= _cut(folder / folders["train"], parts["train"], validation, with_test=False)
    return parts


def _split_folders(folder: Path) -> dict[str, str]:
    """Maps each split to its subfolder, or gives nothing if the folder is not laid out in splits."""
    found = {split: name for split, names in SPLIT_FOLDERS.items() for name in names if (folder / name).is_dir()}
    return found if "train" in found and len(found) > 1 else {}


def _cut(folder: Path, names: Sequence[str], validation: int | None, with_test: bool) -> dict[str, list[str]]:
    """Cuts files into splits: a tenth is test if `with_test`, and `validation` or a tenth is validation."""
    if not names:
        raise AnytimeError(f"{folder} holds no images", f"Put {', '.join(SUFFIXES)} files into it")
    tenth = max(1, len(names) // 10)
    held = tenth if validation is None else validation
    rows = split_rows(str(folder), len(names), held, tenth if with_test else 0)
    cut = ("train", "validation", "test") if with_test else ("train", "validation")
    return {split: [names[row] for row in rows[split]] for split in cut}


def _check_headers(folder: Path, names: Sequence[str], size: int | None) -> bool:
    """Tells whether all pictures are grayscale; one of another size than the first is an error, unless they are resized."""
    gray, first = True, None
    for name in names:
        if size is not None and not gray:  # nothing is left to find out, and there may be millions of them
            break
        is_gray, shape = read_header(folder / name)
        gray, first = gray and is_gray, first or shape
        if size is None and shape != first:
            found, expected = ("×".join(map(str, each)) for each in (shape, first))
            raise AnytimeError(
                f"{folder / name} is {found} pixels but {folder / names[0]} is {expected}",
                "Give --data.size N to resize and crop all images to N×N pixels",
            )
    return gray


def _find_classes(names: Iterable[str], depth: int) -> tuple[str, ...]:
    """Names the subfolders, sorted, if every image lies one level below a folder of splits (`depth` 1) or all (0); else none."""
    parents = [name.split("/")[:-1] for name in names]
    if any(len(parent) != depth + 1 for parent in parents):
        return ()
    return tuple(sorted({parent[-1] for parent in parents}))


def _label(names: Sequence[str], classes: tuple[str, ...]) -> NDArray[np.int64] | None:
    """Gives the class number of each file, int64 (N,), or None if there are no classes."""
    number = {name: row for row, name in enumerate(classes)}
    return np.array([number[name.split("/")[-2]] for name in names], np.int64) if classes else None
