"""Which files CIFAR-10 is read from: the published batches, packed or unpacked, or a copy of its pictures as JPEG.

JPEG loses detail. So the batches are taken if they lie anywhere, and the copy only if they do not or if it is asked for.
This file does not import torch, so that `anytime data list` is fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anytime.data.locate import data_roots, destination, places_in
from anytime.errors import AnytimeError

FOLDER = "cifar-10-batches-py"
META = f"{FOLDER}/batches.meta"
BATCHES = {"train": tuple(f"{FOLDER}/data_batch_{number}" for number in range(1, 6)), "test": (f"{FOLDER}/test_batch",)}
ZIPS = {"train": "cifar10-jpeg-train.zip", "test": "cifar10-jpeg-test.zip"}


@dataclass(frozen=True)
class Form:
    """One form in which the set may lie on a disk.

    Args:
        title: what it is, in words.
        files: what it is read from.
        least: no copy of all 60,000 images in this form takes fewer bytes.
    """

    title: str
    files: tuple[str, ...]
    least: int = 0


ARCHIVE = Form("the published archive", ("cifar-10-python.tar.gz",), 150_000_000)
UNPACKED = Form("the published batches", (META, *BATCHES["train"], *BATCHES["test"]), 60_000 * 3_072)
JPEG = Form("a JPEG copy, which is lossy", tuple(ZIPS.values()))

# For each name, the forms that will do: any of the first group before any of the second. In one folder the archive comes
# first: it is what `anytime data fetch` writes, so a fetch mends what lay there.
FORMS = {"cifar10": ((ARCHIVE, UNPACKED), (JPEG,)), "cifar10-jpeg": ((JPEG,),)}


@dataclass(frozen=True)
class Found:
    """What lies on this machine.

    Args:
        form: the form it has; what could be fetched if nothing is here.
        place: the folder it lies in, None if nothing is here.
    """

    form: Form
    place: Path | None = None

    @property
    def files(self) -> dict[str, Path | None]:
        """The path of each file of the form, None if it is missing."""
        paths = {file: self.place / file if self.place else None for file in self.form.files}
        return {file: path if path and path.is_file() else None for file, path in paths.items()}

    @property
    def small(self) -> bool:
        """Tells whether the files that are here cannot hold all 60,000 images."""
        return sum(path.stat().st_size for path in self.files.values() if path) < self.form.least


def find_cifar10(name: str, root: str | Path | None = None) -> Found:
    """Finds the best form of "cifar10" or "cifar10-jpeg" of which there is at least one file."""
    places = [place for each in data_roots(root) for place in places_in(each, "cifar10")]
    for group in FORMS[name]:
        candidates = (Found(form, place) for place in places for form in group)
        found = next((found for found in candidates if any(found.files.values())), None)
        if found:
            return found
    return Found(FORMS[name][0][0])


def require_cifar10(name: str, root: str | Path | None = None) -> tuple[Form, dict[str, Path]]:
    """Gives the best form that is here, and where each of its files lies.

    Raises:
        AnytimeError: the set lies nowhere, or a file of it is missing: says where it should lie.
    """
    found = find_cifar10(name, root)
    files = {file: path for file, path in found.files.items() if path}
    missing = ", ".join(str(found.place / file if found.place else file) for file in found.form.files if file not in files)
    if not missing:
        return found.form, files
    looked = "" if found.place else f" (looked in {', '.join(str(each / 'cifar10') for each in data_roots(root))})"
    do = f"Put it into {found.place or destination('cifar10', root)}"
    if found.form is not JPEG:
        command = "anytime data fetch cifar10" + (f" --data-root {root}" if root else "")
        do = f"Run `{command}` or put {ARCHIVE.files[0]} into {destination('cifar10', root)}"
    raise AnytimeError(f"{name} needs {missing}, which was not found{looked}", do)
