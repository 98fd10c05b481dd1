"""A folder of sounds as a data set: WAV or FLAC, of any lengths and rates.

It is laid out as a folder of pictures is: subfolders train/ with test/ or val/ are its splits, without them a seeded tenth is
test and another validation; the subfolder that a sound lies in is its class, if every sound lies in one.
"""

from __future__ import annotations

from pathlib import Path

import torch

from anytime.data.series import SeriesSet
from anytime.data.speech import SpeechConfig, decode_rows, read_bytes
from anytime.data.speech_sound import SUFFIXES
from anytime.data.splits import split_rows
from anytime.errors import AnytimeError

SPLIT_FOLDERS = {"train": ("train",), "validation": ("val", "validation"), "test": ("test",)}


def load_sounds(
    folder: Path,
    split: str,
    config: SpeechConfig | None = None,
    length: int | None = None,
    validation: int | None = None,
) -> SeriesSet:
    """Loads a split of a folder of sounds.

    Args:
        folder: the folder.
        split: "train", "validation" or "test".
        config: how sounds become rows.
        length: samples of a row; one second if None.
        validation: how many sounds are validation; a tenth if None.

    Returns:
        Values (N, length), called by their paths in the folder, with labels if the sounds lie in classes. Silence that was
        added is not scored.

    Raises:
        AnytimeError: no such folder, no sounds, a corrupt one, too few for the splits, or an empty split.
    """
    parts = _find_splits(folder, validation)
    files = parts[split]
    if not files:
        raise AnytimeError(f"{folder} has no {split} sounds", f"Put some into {folder / SPLIT_FOLDERS[split][0]}")
    classes = _find_classes(folder, [file for part in parts.values() for file in part])
    labels = torch.tensor([classes.index(file.parent.name) for file in files]) if classes else None
    ids = tuple(file.relative_to(folder).as_posix() for file in files)
    sounds = ((file, read_bytes(file)) for file in files)
    config = config or SpeechConfig()
    values, scored = decode_rows(sounds, len(files), config, length)
    return SeriesSet(f"folder:{folder}", split, values, labels, classes, config.rate, ids, scored)


def _find_splits(folder: Path, validation: int | None) -> dict[str, list[Path]]:
    """Lists the sounds of each split, by name."""
    if not folder.is_dir():
        raise AnytimeError(f"{folder} is not a folder", "Give the path of a folder of sounds")
    folders = _split_folders(folder)
    if validation is not None and "validation" in folders:
        raise AnytimeError(f"{folder} has its validation sounds in {folders['validation'].name}/ already")
    if not folders:
        return _cut(folder, _sounds_in(folder), validation, with_test=True)
    parts = {split: _sounds_in(folders[split]) if split in folders else [] for split in SPLIT_FOLDERS}
    return parts if "validation" in folders else parts | _cut(folders["train"], parts["train"], validation, with_test=False)


def _split_folders(folder: Path) -> dict[str, Path]:
    """Maps each split to its subfolder, or gives nothing if the folder is not laid out in splits."""
    found = {split: folder / name for split, names in SPLIT_FOLDERS.items() for name in names if (folder / name).is_dir()}
    return found if "train" in found and len(found) > 1 else {}


def _find_classes(folder: Path, files: list[Path]) -> tuple[str, ...]:
    """Names the subfolders, sorted, if every sound lies one level below the folder or its splits; else none."""
    bases = set(_split_folders(folder).values()) or {folder}
    each_in_one = all(file.parent.parent in bases for file in files)
    return tuple(sorted({file.parent.name for file in files})) if each_in_one else ()


def _sounds_in(folder: Path) -> list[Path]:
    """Lists the sounds under a folder by name, but for hidden ones."""
    files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in SUFFIXES and file.is_file()]
    return [file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts)]


def _cut(folder: Path, files: list[Path], validation: int | None, with_test: bool) -> dict[str, list[Path]]:
    """Cuts sounds into splits: a tenth is test if `with_test`, and `validation` or a tenth is validation."""
    tenth = max(1, len(files) // 10)
    held, test = tenth if validation is None else validation, tenth if with_test else 0
    if held + test >= len(files):
        what = f"{folder} holds {len(files):,} sounds, too few for {held:,} of validation, {test:,} of test and some to train on"
        raise AnytimeError(what, f"Put more {' or '.join(SUFFIXES)} files into it")
    rows = split_rows(str(folder), len(files), held, test)
    cut = ("train", "validation", "test") if with_test else ("train", "validation")
    return {split: [files[row] for row in rows[split]] for split in cut}
