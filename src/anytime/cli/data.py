"""`anytime data`: which data sets there are, where their files lie, and how to get them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from anytime.data.cifar_files import FORMS, JPEG, find_cifar10
from anytime.data.locate import data_roots, look_for, places_in
from anytime.data.sets import KNOWN, SPLITS, About, folder_of, unknown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

HELP = "list the data sets, say where one lies, or fetch it"
EXAMPLE = "anytime data fetch mnist --data-root ~/data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the actions list, info and fetch, each with its own arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|info|fetch")
    _add_action(actions.add_parser("list", help="list the data sets and what is here"))
    info = actions.add_parser("info", help="say what a data set is and where its files lie")
    info.add_argument("name", help=f"one of {', '.join(KNOWN)}")
    _add_action(info)
    fetch = actions.add_parser("fetch", help="download a data set, or resume its download")
    fetch.add_argument("name", help="mnist or cifar10")
    _add_action(fetch)


def _add_action(parser: argparse.ArgumentParser) -> None:
    """Adds the option that all actions share."""
    where = "the folder that holds data sets (default: $ANYTIME_DATA, else the user's cache)"
    parser.add_argument("--data-root", type=Path, metavar="DIR", help=where)


def run(args: argparse.Namespace) -> int:
    """Does the action that was asked for.

    Returns:
        The exit status, 0.

    Raises:
        AnytimeError: there is no such data set, or it could not be fetched.
    """
    if args.action == "list":
        _list(args.data_root)
    elif args.action == "info":
        _info(args.name, args.data_root)
    else:
        _fetch(args.name, args.data_root)
    return 0


def _console(stderr: bool = False) -> Console:
    """Gives a console that leaves paths as they are: no colours inside them, no markup read into them."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, soft_wrap=True)


def _table(*columns: str) -> Table:
    """Gives an empty table; its cells are wrapped, never cut off."""
    from rich.table import Table

    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _list(root: Path | None) -> None:
    """Prints a table of the known data sets."""
    table = _table("name", "what", "images", "here")
    for name, about in KNOWN.items():
        table.add_row(name, about.title, _sizes(about), _here(name, root) if about.sizes else "")
    _console().print(table)


def _here(name: str, root: Path | None) -> str:
    """Says whether a data set is here, in part or as a lossy copy, and how to get it if it is not."""
    from anytime.data.fetch import FILES

    if None in _files(name, root).values():
        return f"no: anytime data fetch {name}" if name in FILES else "no"
    if name not in FORMS:
        return "yes"
    found = find_cifar10(name, root)
    return "yes, as JPEG" if found.form is JPEG else "yes, in part" if found.small else "yes"


def _sizes(about: About) -> str:
    """Says how many images each split has, as in "55,000 / 5,000 / 10,000"."""
    return " / ".join(f"{size:,}" for size in about.sizes)


def _files(name: str, root: Path | None) -> dict[str, Path | None]:
    """Maps each file that a data set is read from to where it lies, or to None if it is missing."""
    from anytime.data.fetch import FILES

    if name in FORMS:
        return find_cifar10(name, root).files
    places = [place for each in data_roots(root) for place in places_in(each, name)]
    return {filename: look_for(filename, places) for filename in FILES.get(name, ())}


def _info(name: str, root: Path | None) -> None:
    """Prints what a data set is, its splits, and where its files lie or that they are missing."""
    folder = folder_of(name)
    if folder is None and name not in KNOWN:
        raise unknown(name)
    about = KNOWN[name] if folder is None else KNOWN["folder:PATH"]
    sizes = _real_sizes(name, root) if folder is None else _folder_sizes(folder)
    console = _console()
    console.print(f"{name}: {about.title}\nsource: {about.source}\nlicence: {about.licence}")
    if about.shape:
        console.print(f"one image: {'×'.join(map(str, about.shape))} (channels, height, width)")
    table = _table("split", "images")
    for split, size in zip(SPLITS, sizes, strict=True):
        table.add_row(split, f"{size:,}")
    console.print(table)
    _print_files(console, name, root)


def _real_sizes(name: str, root: Path | None) -> tuple[int, ...]:
    """Says how many images each split has: of CIFAR-10, whose copies may be a part of it, those that are here."""
    if name not in FORMS or None in find_cifar10(name, root).files.values():
        return KNOWN[name].sizes
    from anytime.data.cifar import count_cifar10

    return count_cifar10(name, root)


def _folder_sizes(folder: Path) -> tuple[int, ...]:
    """Counts the images of each split of a folder."""
    from anytime.data.folder import find_splits

    parts = find_splits(folder)
    return tuple(len(parts[split]) for split in SPLITS)


def _print_files(console: Console, name: str, root: Path | None) -> None:
    """Prints where each file lies, and what to do if one is missing."""
    from anytime.data.fetch import FILES

    files = _files(name, root)
    if name in FORMS and None not in files.values():
        console.print(f"read from {find_cifar10(name, root).form.title}")
    for filename, path in files.items():
        console.print(f"{filename}: {path or 'missing'}")
    if None in files.values():
        do = f"Run `anytime data fetch {name}` to download what is missing." if name in FILES else "It cannot be fetched."
        console.print(f"Looked in {', '.join(map(str, data_roots(root)))}. {do}")


def _fetch(name: str, root: Path | None) -> None:
    """Downloads a data set with a progress bar for each file on stderr, then prints where the files are."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from anytime.data.fetch import fetch

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=_console(stderr=True)) as bars:
        tasks = {}

        def show(filename: str, here: int, total: int | None) -> None:
            if filename not in tasks:
                tasks[filename] = bars.add_task(filename)
            bars.update(tasks[filename], completed=here, total=total)

        paths = fetch(name, root, progress=show)
    for path in paths:
        _console().print(str(path))
