"""The table of what is taken for what, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anytime.pictures.plot import INK, blank_figure, write_figure

NUMBERED = 25  # classes up to which there is room for numbers


def save_confusion(path: Path, counts: NDArray[np.int64], names: Sequence[str], title: str = "") -> None:
    """Draws counts (true class, predicted class) as PNG: shades are shares of the true class, numbers are counts."""
    side = min(12.0, 2.2 + 0.42 * len(names))
    figure = blank_figure(side, side)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    # Few mistakes are what one looks for: by their square root they are told from none.
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)
    if len(names) <= NUMBERED:
        for row, column in zip(*counts.nonzero(), strict=True):
            colour = "white" if shares[row, column] > 0.4 else INK
            axes.text(column, row, f"{counts[row, column]}", ha="center", va="center", fontsize=7, color=colour)
    places = range(0, len(names), -(-len(names) // NUMBERED))
    axes.set_xticks(places, [names[place] for place in places], rotation=90 if max(map(len, names)) > 2 else 0)
    axes.set_yticks(places, [names[place] for place in places])
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("class that is predicted", color=INK, fontsize=9)
    axes.set_ylabel("true class", color=INK, fontsize=9)
    write_figure(path, figure, title)
