"""What images cost a model, as files: bits per dimension, the measure in which models of bytes are compared.

Minus log2 of the probability of an image, divided by its number of dimensions. They are the bytes of a model of bytes. A model of
ordered codes has no likelihood of bytes: there the codes of the images are scored, and the dimensions are codes.
"""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from torch import Tensor

from anytime.data import ImageSet
from anytime.errors import AnytimeError
from anytime.files import write_json, write_text
from anytime.models.model import Model
from anytime.models.scoring import score
from anytime.tasks.chosen import known_labels
from anytime.tasks.progress import InImages, unheard
from anytime.tokenizers.pixels import Pixels


def score_to_files(
    model: Model,
    images: ImageSet,
    folder: Path,
    *,
    limit: int | None = None,
    with_labels: bool = True,
    skip_first: bool = False,
    progress: InImages = unheard,
) -> dict[str, Any]:
    """Scores images and writes score.csv, a row an image, and score.json.

    Args:
        model: what scores.
        images: what is scored.
        folder: where the files go.
        limit: only the first so many images.
        with_labels: whether the model is told the labels, if it and the images have any.
        skip_first: whether the first byte counts for nothing, as in published figures.
        progress: see `InImages`.

    Returns:
        What score.json holds.

    Raises:
        AnytimeError: the limit is below one, or the images are not of the model's shape.
    """
    if limit is not None:
        images = _first(images, limit)
    labels = known_labels(model, images) if with_labels else None
    codes = model.tokenizer.encode(images.images)
    count = len(images)
    bits = score(model.prior, model.head, codes, labels, lambda done: progress(done, count)) / math.log(2)
    counted = bits[:, 1:] if skip_first else bits
    _write_rows(folder / "score.csv", images, counted)
    report = {
        "model": model.name,
        "data": images.name,
        "split": images.split,
        "images": count,
        "given_labels": labels is not None,
        **_summary(bits, counted, "bytes" if isinstance(model.tokenizer, Pixels) else "codes"),
    }
    write_json(folder / "score.json", report)
    return report


def _first(images: ImageSet, limit: int) -> ImageSet:
    if limit < 1:
        raise AnytimeError(f"cannot score {limit} images", "Choose --limit 1 or more")
    return images.subset(range(min(limit, len(images))))


def _summary(bits: Tensor, counted: Tensor, of: str) -> dict[str, Any]:
    """Means over the images, (n, N) bits of each code and those of them that count."""
    each = counted.mean(1)
    return {
        "of": of,
        "dims": counted.shape[1],
        "bits_per_image": float(counted.sum(1).mean()),
        "bits_per_dim": float(each.mean()),
        "standard_error": float(each.std() / math.sqrt(len(each))) if len(each) > 1 else None,
        f"bits_per_dim_without_first_{of[:-1]}": float(bits[:, 1:].mean()),
    }


def _write_rows(path: Path, images: ImageSet, bits: Tensor) -> None:
    """A row an image: its index in the split, its label if it has one, its bits in all and for each dimension."""
    totals, means = bits.sum(1).tolist(), bits.mean(1).tolist()
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    labelled = images.labels is not None
    writer.writerow(["index", *(["label"] if labelled else []), "bits", "bits_per_dim"])
    labels = [[label] for label in images.labels.tolist()] if images.labels is not None else [[]] * len(totals)
    writer.writerows([i, *label, total, mean] for i, (label, total, mean) in enumerate(zip(labels, totals, means, strict=True)))
    write_text(path, table.getvalue())
