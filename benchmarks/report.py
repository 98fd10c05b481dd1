"""One way to report a benchmark: the machine, a table in the terminal, and the same numbers as JSON under docs/benchmarks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from anytime.files import write_json
from anytime.tasks.timing import machine

FOLDER = Path(__file__).parent.parent / "docs" / "benchmarks"


def write(name: str, result: dict[str, Any]) -> None:
    """Prints `result["rows"]` as a table with `result["title"]` and writes everything to docs/benchmarks/NAME.json."""
    rows: list[dict[str, Any]] = result["rows"]
    table = Table(title=result["title"], title_justify="left")
    for column in rows[0]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()))
    Console().print(table)
    write_json(FOLDER / f"{name}.json", {"machine": asdict(machine(torch.device("cpu"))), **result})
