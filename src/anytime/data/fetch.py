"""Downloads a data set from public mirrors: resumed where it broke off, checked, then moved into place.

A file is in place only if its checksum holds. Nothing is printed: `progress` is told how far each file is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from anytime.data.idx import unpacked
from anytime.data.locate import destination, look_for, places_in
from anytime.errors import AnytimeError
from anytime.files import replacing

MIRRORS: Mapping[str, Sequence[str]] = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    "cifar10": ("https://www.cs.toronto.edu/~kriz/",),
}

# For each set, the SHA-256 of its files once unpacked, so that a repacked or a plain copy is right as well. A file whose name
# here ends in .gz is kept and checked as it is published.
# The MD5s of the same bytes are the long published 6bbc9ace898e44ae57da46a324031adb,
# a25bea736e30d166cdddb491f175f624, 2646ac647ad5339dbf082846283269ea and 27ae3e4e09519cfbb04c329615203637 for mnist, and
# c58f30108f718f92721af3b95e74349a for cifar10.
FILES: Mapping[str, Mapping[str, str]] = {
    "mnist": {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "cifar10": {
        "cifar-10-python.tar.gz": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    },
}

TIMEOUT = 30.0  # seconds without a byte
CHUNK = 2**18  # bytes

Progress = Callable[[str, int, "int | None"], None]
"""Told the file's name, how many bytes are here, and how many there will be (None if unknown)."""


def _silent(name: str, here: int, total: int | None) -> None:
    """Reports to nobody."""


def fetch(
    name: str,
    root: str | Path | None = None,
    mirrors: Sequence[str] | None = None,
    progress: Progress = _silent,
    files: Mapping[str, Mapping[str, str]] = FILES,
) -> list[Path]:
    """Makes sure that the files of a data set are here and right; those that are not are downloaded.

    Args:
        name: the data set, one of `files`.
        root: the folder to put the folder `name` into; if None, `$ANYTIME_DATA`, else the user's cache.
        mirrors: the URLs to try in turn, each with a slash at its end; those of `MIRRORS` if None.
        progress: told how far each download is.
        files: for each set, the SHA-256 of each of its files, unpacked unless its name ends in ".gz".

    Returns:
        The path of each file, in the order of `files`.

    Raises:
        AnytimeError: the set cannot be fetched, or no mirror gave a right file: says where to put it.
    """
    if name not in files:
        raise AnytimeError(f"There is nothing to fetch for {name!r}", f"What can be fetched is {', '.join(files)}")
    folder = destination(name, root)
    urls = MIRRORS[name] if mirrors is None else mirrors
    paths = []
    for filename, digest in files[name].items():
        packed = filename.endswith(".gz")
        here = look_for(filename, places_in(folder.parent, name))
        right = here is not None and _digest(here, packed) == digest
        target = folder / (filename if packed else f"{filename}.gz")
        paths.append(here if here and right else fetch_file(target, digest, urls, progress, packed))
    return paths


def fetch_file(target: Path, digest: str, mirrors: Sequence[str], progress: Progress = _silent, packed: bool = False) -> Path:
    """Downloads one file to `target`, by way of `NAME.part`, which a later call resumes if need be.

    Args:
        target: where to put it; its name is that on the mirrors.
        digest: its SHA-256.
        mirrors: the URLs to try in turn.
        progress: told how far the download is.
        packed: whether `digest` is of the file as it is, rather than unpacked.

    Returns:
        `target`.

    Raises:
        AnytimeError: no mirror gave a file with this SHA-256, or it cannot be written; `target` is as it was.
    """
    part = target.with_name(f"{target.name}.part")
    troubles = {}
    # What an earlier run left may be rubbish that no mirror can complete: then the first is asked again.
    for mirror in [*mirrors[:1], *mirrors] if part.exists() else mirrors:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _download(mirror + target.name, part, progress)
        except (OSError, HTTPException) as error:
            troubles[mirror] = str(error).strip("<>") or type(error).__name__
            continue
        if _digest(part, packed) == digest:
            with replacing(target) as temporary:
                part.replace(temporary)
            return target
        part.unlink()
        troubles[mirror] = "wrong checksum"
    reasons = "; ".join(f"{mirror}: {reason}" for mirror, reason in troubles.items())
    raise AnytimeError(f"{target.name} could not be fetched ({reasons})", f"Try again or put it at {target}")


def _download(url: str, part: Path, progress: Progress) -> None:
    """Appends to `part` what it lacks of `url`, or writes it anew if the server does not give ranges."""
    have = part.stat().st_size if part.exists() else 0
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        if have and error.code == 416:  # no bytes beyond those here: the checksum tells if they are the file
            return
        raise
    with answer, part.open("ab" if answer.status == 206 else "wb") as file:
        length = answer.headers["Content-Length"]
        total = file.tell() + int(length) if length else None
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            progress(part.name.removesuffix(".part"), file.tell(), total)
        if total is not None and file.tell() < total:
            raise OSError(f"the connection closed after {file.tell():,} of {total:,} bytes")


def _digest(path: Path, packed: bool) -> str | None:
    """Gives the SHA-256 of a file as it is if `packed`, else of its unpacked content; None if it cannot be read."""
    sha = hashlib.sha256()
    try:
        with path.open("rb") if packed else unpacked(path) as file:
            while chunk := file.read(CHUNK):
                sha.update(chunk)
    except (AnytimeError, OSError):
        return None
    return sha.hexdigest()
