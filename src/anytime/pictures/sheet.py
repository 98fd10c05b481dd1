"""Sheets of images: a grid with a title above each column, as PNG; and sequences of pictures as GIF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from anytime.files import replacing

GAP, PAPER, INK = 2, 255, 40


def to_uint8(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Pixels in [0, 1] to 0..255, rounded (truncating would darken everything); uint8 stays as it is."""
    if images.dtype == np.uint8:
        return images
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


def sheet(images: NDArray[Any], titles: Sequence[str] = (), scale: int | None = None) -> Image.Image:
    """Lays out images (rows, columns, C, H, W), floats in [0, 1] or uint8, C 1 or 3, under column titles.

    Args:
        images: what to show.
        titles: one a column, or none.
        scale: pixels a pixel; by default as many as make an image at least 48 wide.
    """
    pixels = to_uint8(images)
    rows, columns, channels, height, width = pixels.shape
    scale = scale or max(1, -(-48 // width))
    cell_height, cell_width = height * scale + GAP, width * scale + GAP
    header = 18 if titles else 0
    page = Image.new("RGB", (columns * cell_width + GAP, rows * cell_height + GAP + header), (PAPER,) * 3)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(11)
    for column, title in enumerate(titles):
        draw.text((column * cell_width + cell_width / 2, header / 2), title, (INK,) * 3, font, anchor="mm")
    for row in range(rows):
        for column in range(columns):
            tile = _tile(pixels[row, column]).resize((width * scale, height * scale), Image.Resampling.NEAREST)
            page.paste(tile, (GAP + column * cell_width, GAP + header + row * cell_height))
    return page


def save_sheet(path: Path, images: NDArray[Any], titles: Sequence[str] = (), scale: int | None = None) -> None:
    """Writes a `sheet` as PNG."""
    with replacing(path) as temporary:
        sheet(images, titles, scale).save(temporary, "png")


def save_animation(path: Path, frames: Sequence[Image.Image], milliseconds: int = 120, hold: int = 1500) -> None:
    """Writes frames as a GIF that loops, holding the last one."""
    durations = [milliseconds] * (len(frames) - 1) + [hold]
    palettes = [frame.convert("P", palette=Image.Palette.ADAPTIVE) for frame in frames]
    with replacing(path) as temporary:
        palettes[0].save(temporary, "gif", save_all=True, append_images=palettes[1:], duration=durations, loop=0)


def _tile(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).convert("RGB")
