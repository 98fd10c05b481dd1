"""One way to report a benchmark: the machine, a table in the terminal, the same numbers as JSON, and its curves as a plot."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from anytime.files import write_json
from anytime.pictures.plot import Curve, Panel, save_curves
from anytime.tasks.timing import machine

FOLDER = Path(__file__).parent.parent / "docs" / "benchmarks"


def write(name: str, result: dict[str, Any], folder: Path = FOLDER) -> None:
    """Prints `result["rows"]` as a table with `result["title"]` and writes everything to FOLDER/NAME.json.

    `result["panels"]`, if there are any, become FOLDER/NAME.png; their numbers are in the rows already.
    """
    rows: list[dict[str, Any]] = result["rows"]
    here = machine(torch.device("cpu"))
    table = Table()
    for column in rows[0]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)  # a file has room for every column
    console.print(result["title"])
    console.print(table)
    console.print(f"{here.processor}, {here.cpus} processors, torch {here.torch} on {here.threads} of them")
    if "panels" in result:
        save_curves(folder / f"{name}.png", result["panels"], result["title"])
    write_json(folder / f"{name}.json", {"machine": asdict(here), **{key: result[key] for key in result.keys() - {"panels"}}})


def curves(rows: Sequence[dict[str, Any]], label: str, x: str, y: str) -> list[Curve]:
    """A curve for each value of column `label`: column `y` against column `x`."""
    names = dict.fromkeys(row[label] for row in rows)
    chosen = {name: [row for row in rows if row[label] == name] for name in names}
    return [Curve(str(name), [row[x] for row in some], [row[y] for row in some]) for name, some in chosen.items()]


def panel(rows: Sequence[dict[str, Any]], label: str, x: str, y: str) -> Panel:
    """The curves of some rows on logarithmic axes."""
    return Panel(x, y, curves(rows, label, x, y), log_x=True, log_y=True)
