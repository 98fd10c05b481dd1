"""A folder of pictures as a data set: PNG, JPEG, WebP or BMP.

Subfolders train/ with test/ or val/ are its splits; without them a seeded tenth is test, another validation.
The subfolder that an image lies in is its class, if every image lies in one.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from anytime.data.decode import SUFFIXES, decode, read_header
from anytime.data.images import ImageSet
from anytime.data.splits import split_rows
from anytime.errors import AnytimeError

SPLIT_FOLDERS = {"train": ("train",), "validation": ("val", "validation"), "test": ("test",)}


def load_folder(folder: Path, split: str, validation: int | None = None, size: int | None = None) -> ImageSet:
    """Loads a split of a folder of pictures.

    Args:
        folder: the folder.
        split: "train", "validation" or "test".
        validation: how many images are validation; a tenth if None.
        size: if given, every image is resized and cropped to `size` by `size` pixels.

    Returns:
        Images (N, C, H, W): C is 1 if every picture of every split is grayscale, else 3.

    Raises:
        AnytimeError: no images, a corrupt one, sizes that differ without `size`, or an empty split.
    """
    parts = find_splits(folder, validation)
    files = parts[split]
    if not files:
        raise AnytimeError(f"{folder} has no {split} images", f"Put some into {folder / SPLIT_FOLDERS[split][0]}")
    everything = [file for part in parts.values() for file in part]
    gray = _check_headers(everything, size)
    images = torch.stack([decode(file, gray, size) for file in files])
    classes = _find_classes(everything, {folder, *_split_folders(folder).values()})
    return ImageSet(f"folder:{folder}", split, images, _label(files, classes), classes)


def find_splits(folder: Path, validation: int | None = None) -> dict[str, list[Path]]:
    """Lists the picture files of each split, by name, without opening them.

    Raises:
        AnytimeError: there is no such folder, it holds no images, or too few for the splits.
    """
    if not folder.is_dir():
        raise AnytimeError(f"{folder} is not a folder", "Give the path of a folder of images")
    folders = _split_folders(folder)
    if validation is not None and "validation" in folders:
        raise AnytimeError(f"{folder} has its validation images in {folders['validation'].name}/ already")
    parts = {split: _pictures_in(folders.get(split)) for split in SPLIT_FOLDERS}
    if not folders:
        parts = _cut(folder, _pictures_in(folder), validation, with_test=True)
    elif "validation" not in folders:
        parts |= _cut(folders["train"], parts["train"], validation, with_test=False)
    return parts


def _split_folders(folder: Path) -> dict[str, Path]:
    """Maps each split to its subfolder, or gives nothing if the folder is not laid out in splits."""
    found = {split: folder / name for split, names in SPLIT_FOLDERS.items() for name in names if (folder / name).is_dir()}
    return found if "train" in found and len(found) > 1 else {}


def _pictures_in(folder: Path | None) -> list[Path]:
    """Lists the picture files under a folder by name, but for hidden ones; none if there is no folder."""
    if folder is None:
        return []
    files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in SUFFIXES and file.is_file()]
    return [file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts)]


def _cut(folder: Path, files: list[Path], validation: int | None, with_test: bool) -> dict[str, list[Path]]:
    """Cuts files into splits: a tenth is test if `with_test`, and `validation` or a tenth is validation."""
    if not files:
        raise AnytimeError(f"{folder} holds no images", f"Put {', '.join(SUFFIXES)} files into it")
    tenth = max(1, len(files) // 10)
    held = tenth if validation is None else validation
    rows = split_rows(str(folder), len(files), held, tenth if with_test else 0)
    cut = ("train", "validation", "test") if with_test else ("train", "validation")
    return {split: [files[row] for row in rows[split]] for split in cut}


def _check_headers(files: list[Path], size: int | None) -> bool:
    """Tells whether all pictures are grayscale; one of another size than the first is an error."""
    headers = [read_header(file) for file in files]
    (_, (width, height)), first = headers[0], files[0]
    odd = next((row for row, (_, other) in enumerate(headers) if other != (width, height)), None)
    if size is None and odd is not None:
        other = "×".join(map(str, headers[odd][1]))
        raise AnytimeError(
            f"{files[odd]} is {other} pixels but {first} is {width}×{height}",
            "Give --data.size N to resize and crop all images to N×N pixels",
        )
    return all(gray for gray, _ in headers)


def _find_classes(files: list[Path], bases: set[Path]) -> tuple[str, ...]:
    """Names the subfolders, sorted, if every image lies one level below one of `bases`; else none."""
    if any(file.parent in bases or file.parent.parent not in bases for file in files):
        return ()
    return tuple(sorted({file.parent.name for file in files}))


def _label(files: list[Path], classes: tuple[str, ...]) -> Tensor | None:
    """Gives the class number of each file, int64 (N,), or None if there are no classes."""
    number = {name: row for row, name in enumerate(classes)}
    return torch.tensor([number[file.parent.name] for file in files]) if classes else None
