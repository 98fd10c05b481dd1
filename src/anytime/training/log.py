"""Metrics of a run as files a person can open: `metrics.jsonl`, a line an evaluation, and the same as `metrics.csv`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from anytime.errors import AnytimeError
from anytime.files import write_text


class MetricsLog:
    """The rows of a run so far, on disk after every one of them.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = _read(folder / "metrics.jsonl")

    def forget_after(self, stage: str, step: int) -> None:
        """Drops what a killed run wrote after its last checkpoint: resuming writes those rows again."""
        mine = [i for i, row in enumerate(self.rows) if row["stage"] == stage and row["step"] <= step]
        last = mine[-1] if mine else max((i for i, row in enumerate(self.rows) if row["stage"] != stage), default=-1)
        self.rows = self.rows[: last + 1]

    def add(self, stage: str, step: int, values: dict[str, float]) -> None:
        """Appends a row and writes both files, each whole."""
        self.rows.append({"stage": stage, "step": step, **values})
        write_text(self.folder / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in self.rows))
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        table = io.StringIO()
        writer = csv.DictWriter(table, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.folder / "metrics.csv", table.getvalue())


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError:
        raise AnytimeError(f"{path} is not a file of JSON lines", "Move it away to go on without it") from None
