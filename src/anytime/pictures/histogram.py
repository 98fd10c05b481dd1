"""How several groups of positive numbers are spread, as a plot: an outline a group, over one axis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anytime.pictures.plot import COLOURS, INK, blank_figure, tidy, write_figure

# The rest of Okabe & Ito's colours that are seen on white, then the same in dashes.
OUTLINES = [(colour, dashes) for dashes in ("-", "--", ":") for colour in (*COLOURS, "#E69F00", "#56B4E9", INK)]
BINS = 40
WIDE = 10  # times as large as the smallest number
SMALLEST = 1e-4  # of the largest number; what is below is shown there


def save_histogram(path: Path, groups: Mapping[str, NDArray[np.float64]], x_label: str, title: str = "") -> None:
    """Draws what share of each group lies in each bin and writes it as PNG, 8 by 4 inches at 160 dots an inch.

    Args:
        path: where to.
        groups: by name, each (n,), not negative; the first one is filled.
        x_label: with its unit.
        title: above the plot.
    """
    figure = blank_figure(8, 4)
    axes = figure.subplots()
    largest = max(float(values.max()) for values in groups.values())
    shown = {name: np.clip(values, SMALLEST * largest, None) for name, values in groups.items()}
    edges = _edges(min(float(values.min()) for values in shown.values()), largest, axes)
    for index, (name, values) in enumerate(shown.items()):
        shares, (colour, dashes) = np.histogram(values, edges)[0] / len(values), OUTLINES[index % len(OUTLINES)]
        axes.stairs(100 * shares, edges, label=name, color=colour, linestyle=dashes, linewidth=1.6)
        if index == 0:
            axes.stairs(100 * shares, edges, fill=True, color=colour, alpha=0.2)
    axes.set_xlabel(x_label, color=INK, fontsize=9)
    axes.set_ylabel("share of the images (%)", color=INK, fontsize=9)
    tidy(axes)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    write_figure(path, figure, title)


def _edges(smallest: float, largest: float, axes: Any) -> NDArray[np.float64]:
    """Even bins; where numbers differ tenfold even in the logarithm, and then the axis is logarithmic too."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    if largest < WIDE * smallest:
        return np.linspace(smallest - 1e-3 * largest, largest * 1.001, BINS + 1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    return np.geomspace(0.99 * smallest, 1.01 * largest, BINS + 1)
