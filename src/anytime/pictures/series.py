"""The one way to show series: one below the other, as lines; sounds also as spectrograms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anytime.files import replacing
from anytime.pictures.plot import COLOURS, FAINT, INK
from anytime.pictures.spectrogram import FLOOR, decibels


def save_series(path: Path, values: NDArray[Any], rate: int = 0, titles: Sequence[str] = ()) -> None:
    """Draws rows and writes them as PNG.

    Args:
        path: where to.
        values: (n, T), drawn on one scale.
        rate: time steps a second; sounds, which have one, get a spectrogram beside the line. 0 for none.
        titles: one for each row.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = 2 if rate else 1
    figure = Figure(figsize=(5.5 * columns, 0.9 * len(values) + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(values), columns, squeeze=False, sharex=True)
    low, high = float(values.min()), float(values.max())
    for row, axes in enumerate(rows):
        _line(axes[0], values[row], rate, (low, high), titles[row] if titles else "")
        if rate:
            _spectrogram(axes[1], values[row], rate)
    for axes in rows[-1]:
        axes.set_xlabel("seconds" if rate else "step", color=INK, fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _line(axes: Any, values: NDArray[Any], rate: int, limits: tuple[float, float], title: str) -> None:
    axes.plot(np.arange(len(values)) / (rate or 1), values, color=COLOURS[0], linewidth=0.8)
    axes.set_ylim(*limits)
    axes.set_ylabel(title, color=INK, fontsize=8, rotation=0, ha="right", va="center")
    axes.grid(color=FAINT, linewidth=0.5)
    _quiet(axes)


def _spectrogram(axes: Any, values: NDArray[Any], rate: int) -> None:
    """Decibels below the loudest, kilohertz upwards."""
    frequencies, times, power = decibels(values, rate)
    axes.pcolormesh(times, frequencies / 1000, power, vmin=FLOOR, vmax=0, cmap="magma", shading="auto", rasterized=True)
    axes.set_ylabel("kHz", color=INK, fontsize=7)
    _quiet(axes)


def _quiet(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=6)
