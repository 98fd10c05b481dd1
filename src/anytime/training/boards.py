"""Metrics and sheets on TensorBoard or Weights & Biases, beside the files that every run writes anyway.

Neither is needed: they are imported only when a recipe asks for one, and what they show is on disk first.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from PIL import Image

from anytime.errors import AnytimeError
from anytime.files import write_text

BoardName = Literal["none", "tensorboard", "wandb"]


class Board(Protocol):
    """Where a run shows itself."""

    def start(self) -> None:
        """Opens it, when the run is known to be possible.

        Raises:
            AnytimeError: it cannot be opened.
        """

    def add(self, stage: str, step: int, values: dict[str, float], sheet: Path | None) -> None:
        """Shows an evaluation: its numbers, and its sheet if it drew one."""

    def close(self) -> None:
        """Ends it, whether it was started or not."""


def make_board(name: BoardName, folder: Path, recipe: dict[str, Any]) -> Board | None:
    """The board of a run in `folder` with this recipe, not started; None for "none".

    Raises:
        AnytimeError: its package is not installed.
    """
    if name == "tensorboard":
        return TensorBoard(folder)
    return Wandb(folder, recipe) if name == "wandb" else None


class TensorBoard:
    """Event files in `folder`/tensorboard: tensorboard --logdir FOLDER.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._writers = _installed("torch.utils.tensorboard", "tensorboard")
        self._folder = folder
        self._writer: Any = None

    def start(self) -> None:
        """Opens the files."""
        self._writer = self._writers.SummaryWriter(str(self._folder / "tensorboard"))

    def add(self, stage: str, step: int, values: dict[str, float], sheet: Path | None) -> None:
        """Writes, and flushes, so that nothing is lost by a kill."""
        for name, value in values.items():
            self._writer.add_scalar(f"{stage}/{name}", value, step)
        if sheet is not None:
            with Image.open(sheet) as picture:
                self._writer.add_image(f"{stage}/sheet", np.asarray(picture), step, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        """Closes the files."""
        if self._writer is not None:
            self._writer.close()


class Wandb:
    """A run on Weights & Biases, or what WANDB_MODE makes of it; a resumed run goes on there too.

    Args:
        folder: of the run, where its id is kept.
        recipe: that is shown as the run's config.
    """

    def __init__(self, folder: Path, recipe: dict[str, Any]) -> None:
        self._wandb = _installed("wandb", "wandb")
        self._folder, self._recipe = folder, recipe
        self._run: Any = None
        self._stages: set[str] = set()

    def start(self) -> None:
        """Begins a run, or goes on with the one whose id lies in the folder."""
        kept = self._folder / "wandb.txt"
        known = {"id": kept.read_text(encoding="utf-8").strip(), "resume": "allow"} if kept.is_file() else {}
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._run = self._wandb.init(name=self._recipe["name"], config=self._recipe, dir=str(self._folder), **known)
        except self._wandb.errors.Error as error:
            raise AnytimeError(
                f"Weights & Biases cannot be used ({' '.join(str(error).split())[:200]})",
                "Log in by `wandb login`, set WANDB_MODE=offline, or leave run.logger out",
            ) from None
        write_text(kept, f"{self._run.id}\n")

    def add(self, stage: str, step: int, values: dict[str, float], sheet: Path | None) -> None:
        """Logs against the steps of the stage, since every stage counts from 0."""
        if stage not in self._stages:
            self._stages.add(stage)
            self._run.define_metric(f"{stage}/*", step_metric=f"{stage}/step")
        shown: dict[str, Any] = {"step": step, **values}
        if sheet is not None:
            shown["sheet"] = self._wandb.Image(str(sheet))
        self._run.log({f"{stage}/{name}": value for name, value in shown.items()})

    def close(self) -> None:
        """Ends the run, so that the next one in this process is another."""
        if self._run is not None:
            self._run.finish()


def _installed(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise AnytimeError(f"run.logger {package} needs a package that is not installed", f"pip install {package}") from None
