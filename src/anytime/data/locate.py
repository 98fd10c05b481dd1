"""Where data sets lie on this machine, and where a new one goes."""

from __future__ import annotations

import os
from pathlib import Path

from anytime.errors import AnytimeError


def data_roots(root: str | Path | None = None) -> list[Path]:
    """Lists the folders that may hold data sets, the first to look in first.

    They are `root` (from --data-root), `$ANYTIME_DATA`, and the user's cache.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "anytime" / "data"
    return [Path(place).expanduser() for place in (root, os.environ.get("ANYTIME_DATA"), cache) if place]


def destination(set_name: str, root: str | Path | None = None) -> Path:
    """Gives the folder into which a fetched data set is written: in the first of the roots."""
    return data_roots(root)[0] / set_name


def places_in(root: Path, set_name: str) -> list[Path]:
    """Lists the folders of one root in which the set may lie; the last is where torchvision puts it."""
    return [root / set_name, root, root / set_name.upper() / "raw"]


def look_for(filename: str, places: list[Path]) -> Path | None:
    """Finds `filename`, packed as `filename.gz` or plain, in the first of `places` that has it.

    The packed file comes first: it is what `anytime data fetch` writes, so a fetch mends what lay there.
    """
    candidates = (place / name for place in places for name in (f"{filename}.gz", filename))
    return next((path for path in candidates if path.is_file()), None)


def find_file(set_name: str, filename: str, root: str | Path | None = None) -> Path:
    """Finds one file of a data set.

    Args:
        set_name: the data set, such as "mnist".
        filename: the file's name without ".gz".
        root: the folder to look in before all others.

    Returns:
        The path of the file, which may be gzipped or plain.

    Raises:
        AnytimeError: it lies nowhere; names the file and every place that was looked at.
    """
    places = [place for each in data_roots(root) for place in places_in(each, set_name)]
    found = look_for(filename, places)
    if found is None:
        command = f"anytime data fetch {set_name}" + (f" --data-root {root}" if root else "")
        wanted = destination(set_name, root) / f"{filename}.gz"
        raise AnytimeError(
            f"{filename} of {set_name} was not found (looked in {', '.join(map(str, places))})",
            f"Run `{command}` or put it at {wanted}",
        )
    return found
