"""Samples as files: a sheet of pictures, the codes and pixels as arrays, and how long it took.

All fractional budgets come from one run of the prior: a budget is a prefix.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from anytime.errors import AnytimeError
from anytime.files import write_arrays, write_json, write_sound, write_text
from anytime.models.drawing import BATCH
from anytime.models.given import Labels
from anytime.models.model import Model
from anytime.models.samples import Samples
from anytime.pictures.series import save_series
from anytime.pictures.sheet import channels_first, save_sheet
from anytime.sampling.budget import one_length
from anytime.sampling.filters import Filters
from anytime.tasks.progress import InImages, in_images, unheard
from anytime.tokenizers.pixels import Pixels
from anytime.tokenizers.series import SeriesTokenizer

MOST_SHOWN = 64
MOST_LINES = 12
KEPT = ("model", "codes", "lengths", "labels", "seed", "indices", "stream", "step_ms", "filters")


def sample_to_files(
    model: Model,
    n: int,
    budgets: Sequence[int | float],
    folder: Path,
    *,
    deadline: float | None = None,
    seed: int = 0,
    labels: Labels = None,
    batch_size: int = BATCH,
    progress: InImages = unheard,
    **filters: Any,
) -> dict[str, Any]:
    """Draws n samples at several budgets, or until a deadline, and writes samples.png, samples.npz and samples.json.

    Args:
        model: what is sampled from.
        n: how many samples.
        budgets: codes or fractions; the largest is drawn, the others are its prefixes.
        folder: where the files go.
        deadline: milliseconds; replaces the budgets.
        seed: sample i depends on (model, seed, i) alone.
        labels: a class for all or for each.
        batch_size: samples drawn together; with a deadline all n are.
        progress: see `InImages`; with a deadline it is not called.
        **filters: see `Filters`.

    Returns:
        What samples.json holds.
    """
    largest = None if deadline else longest(model, budgets)
    samples = model.sample(
        n,
        largest,
        deadline=deadline,
        seed=seed,
        labels=labels,
        batch_size=batch_size,
        progress=None if deadline else in_images(progress, [0] * n, one_length(largest, model.num_codes), batch_size),
        **filters,
    )
    return write_samples(model, samples, [samples.codes.shape[1]] if deadline else budgets, folder)


def resume_to_files(
    model: Model,
    archive: Path,
    budgets: Sequence[int | float],
    folder: Path,
    *,
    deadline: float | None = None,
    batch_size: int = BATCH,
    progress: InImages = unheard,
) -> dict[str, Any]:
    """Goes on with the samples of an earlier samples.npz, and writes the same files as `sample_to_files`."""
    earlier = read_samples(archive, model)
    largest = None if deadline else longest(model, budgets)
    lengths = earlier.lengths.tolist()
    heard = None if deadline else in_images(progress, lengths, one_length(largest, model.num_codes), batch_size)
    samples = model.resume(earlier, largest, deadline=deadline, batch_size=batch_size, progress=heard)
    return write_samples(model, samples, [samples.codes.shape[1]] if deadline else budgets, folder)


def set_fill(model: Model, fill: Literal["mean", "blank"] | None) -> None:
    """Says what stands where bytes are missing; None leaves it as it is.

    Raises:
        AnytimeError: the model is not of raw bytes.
    """
    if fill is None:
        return
    if not isinstance(model.tokenizer, Pixels):
        raise AnytimeError(f"{model.name} has no bytes that could be missing: its codes are of whole images", "Leave --fill out")
    model.tokenizer.fill = fill


def longest(model: Model, budgets: Sequence[int | float]) -> int | float:
    """The budget with the most codes."""
    return max(budgets, key=lambda budget: one_length(budget, model.num_codes))


def write_samples(model: Model, samples: Samples, budgets: Sequence[int | float], folder: Path) -> dict[str, Any]:
    """Writes samples and their prefixes at `budgets` as PNG, NPZ and JSON; returns the content of the JSON."""
    arrays, rows, columns = _arrays(model, samples), [], []
    lengths: list[int] = []
    for budget in budgets:
        k = min(one_length(budget, model.num_codes), samples.codes.shape[1])
        started = time.perf_counter()
        data = model.decode(samples.codes[:, :k])
        prior_ms = sum(samples.step_ms[:k])
        lengths.append(k)
        rows.append({"budget": budget, "codes": k, "prior_ms": prior_ms, "decode_ms": 1000 * (time.perf_counter() - started)})
        arrays[f"samples_{budget}"] = data
        columns.append(data[:MOST_SHOWN])
    write_arrays(folder / "samples.npz", arrays)
    _picture(model, columns, lengths, folder)
    report = {
        "model": model.name,
        "n": len(samples),
        "seed": samples.seed,
        "budgets": rows,
        "filters": vars(samples.filters),
    }
    write_json(folder / "samples.json", report)
    return report


def _picture(model: Model, columns: list[NDArray[Any]], codes: list[int], folder: Path) -> None:
    """Pictures as a sheet, a column for each number of codes; series of the largest as lines, and as a table or as sounds."""
    if not isinstance(model.tokenizer, SeriesTokenizer):
        save_sheet(folder / "samples.png", *_layout(columns, [f"k={k}" for k in codes]))
        return
    series, rate = columns[codes.index(max(codes))], model.tokenizer.config.rate
    save_series(folder / "samples.png", series[:MOST_LINES], rate, [str(row) for row in range(len(series[:MOST_LINES]))])
    if rate:
        for row, sound in enumerate(series):
            write_sound(folder / "sounds" / f"{row:03d}.wav", sound, rate)
    else:
        write_text(folder / "samples.csv", "\n".join(",".join(f"{value:.9g}" for value in row) for row in series) + "\n")


def read_samples(path: Path, model: Model) -> Samples:
    """Reads what `sample` wrote, so that it can be resumed.

    Raises:
        AnytimeError: the file is missing, not such an archive, or of another model.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in KEPT}
    except FileNotFoundError:
        raise AnytimeError(f"{path} does not exist") from None
    except (KeyError, TypeError, ValueError, OSError, EOFError, BadZipFile, zlib.error) as error:
        raise AnytimeError(f"{path} holds no whole samples of `anytime sample` ({type(error).__name__})") from None
    if str(arrays["model"]) != _origin(model):
        raise AnytimeError(f"{path} was drawn from {arrays['model']}, not from {_origin(model)}", "Resume with that model")
    try:
        samples = _samples(arrays)
    except (TypeError, ValueError, RuntimeError) as error:
        raise AnytimeError(f"{path} holds no samples that could be resumed ({error})") from None
    _check(path, samples, model)
    return samples


def _samples(arrays: dict[str, NDArray[Any]]) -> Samples:
    temperature, top_k, top_p, guidance = arrays["filters"].tolist()
    return Samples(
        codes=torch.from_numpy(arrays["codes"]),
        data=np.empty(0, np.uint8),
        lengths=torch.from_numpy(arrays["lengths"]),
        seed=int(arrays["seed"]),
        indices=arrays["indices"].tolist(),
        labels=torch.from_numpy(arrays["labels"]) if arrays["labels"].size else None,
        filters=Filters(temperature, int(top_k), top_p, guidance),
        step_ms=arrays["step_ms"].tolist(),
        decode_ms=0.0,
        stream=int(arrays["stream"]),
    )


def _check(path: Path, samples: Samples, model: Model) -> None:
    """A file may say anything: codes must be codes, and missing ones exactly those beyond each length."""
    codes, lengths = samples.codes, samples.lengths
    whole = codes.dtype == lengths.dtype == torch.int64 and codes.ndim == 2 and lengths.shape == codes.shape[:1]
    whole = whole and len(samples.indices) == len(codes) > 0 and 1 <= codes.shape[1] <= model.num_codes
    whole = whole and (samples.labels is None or samples.labels.shape == lengths.shape)
    if whole:
        there = torch.arange(codes.shape[1]) < lengths[:, None]
        whole = bool(((codes >= 0) == there).all() and (codes < model.tokenizer.codebook_size).all())
        whole = whole and bool((lengths >= 1).all() and (lengths <= codes.shape[1]).all())
    if not whole:
        raise AnytimeError(f"{path}: its codes are not codes of {model.name}", "Draw the samples again")


def _origin(model: Model) -> str:
    return f"{model.name} {model.fingerprint}"


def _arrays(model: Model, samples: Samples) -> dict[str, NDArray[Any]]:
    filters = samples.filters
    return {
        "model": np.array(_origin(model)),
        "codes": samples.codes.numpy(),
        "lengths": samples.lengths.numpy(),
        "labels": np.empty(0, np.int64) if samples.labels is None else samples.labels.numpy(),
        "seed": np.array(samples.seed),
        "indices": np.array(samples.indices),
        "stream": np.array(samples.stream),
        "step_ms": np.array(samples.step_ms),
        "filters": np.array([filters.temperature, filters.top_k, filters.top_p, filters.guidance]),
    }


def _layout(columns: list[NDArray[np.uint8]], titles: list[str]) -> tuple[NDArray[np.uint8], list[str]]:
    """One budget makes a square sheet; several make a row a sample and a column a budget."""
    stacked = np.stack([channels_first(column) for column in columns], axis=1)
    if len(columns) > 1:
        return stacked, titles
    side = int(np.ceil(len(stacked) ** 0.5))
    blank = np.full((side * -(-len(stacked) // side) - len(stacked), *stacked.shape[2:]), 255, np.uint8)
    return np.concatenate([stacked[:, 0], blank]).reshape(-1, side, *stacked.shape[2:]), []
