"""One way to report a benchmark: the machine, a table in the terminal, and the same numbers as JSON under docs/benchmarks."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from anytime.files import write_json

FOLDER = Path(__file__).parent.parent / "docs" / "benchmarks"


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    return {
        "processor": _processor(),
        "cores": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def write(name: str, result: dict[str, Any]) -> None:
    """Prints `result["rows"]` as a table with `result["title"]` and writes everything to docs/benchmarks/NAME.json."""
    rows: list[dict[str, Any]] = result["rows"]
    table = Table(title=result["title"], title_justify="left")
    for column in rows[0]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()))
    Console().print(table)
    write_json(FOLDER / f"{name}.json", {"machine": machine(), **result})


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
