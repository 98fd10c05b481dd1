"""Series as small pictures, to stand beside bars in a sheet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from anytime.pictures.plot import COLOURS, FAINT
from anytime.pictures.sheet import PAPER

MARGIN = 3  # pixels


def trace(whole: NDArray[np.floating], known: NDArray[np.floating], width: int, height: int) -> NDArray[np.uint8]:
    """Draws a series as a faint line, and what is known of it, from its beginning, as a strong one over it.

    Args:
        whole: (T,), numbers.
        known: (t,), t at most T.
        width: of the picture, pixels.
        height: of the picture.

    Returns:
        uint8 (3, height, width).
    """
    page = Image.new("RGB", (width, height), (PAPER,) * 3)
    pen, low, spread = ImageDraw.Draw(page), float(whole.min()), float(np.ptp(whole)) or 1.0
    across, down = (width - 1 - 2 * MARGIN) / max(1, len(whole) - 1), height - 1 - 2 * MARGIN
    for values, colour in ((whole, FAINT), (known, COLOURS[0])):
        heights = (1 - ((values - low) / spread).clip(0, 1)) * down
        pen.line([(MARGIN + step * across, MARGIN + float(each)) for step, each in enumerate(heights)], fill=colour)
    pixels: NDArray[np.uint8] = np.array(page).transpose(2, 0, 1)
    return pixels
