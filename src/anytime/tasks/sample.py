"""Samples as files: a sheet of pictures, the codes and pixels as arrays, and how long it took.

All fractional budgets come from one run of the prior: a budget is a prefix.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from anytime.errors import AnytimeError
from anytime.files import write_arrays, write_json
from anytime.models.model import Labels, Model
from anytime.models.samples import Samples
from anytime.pictures.sheet import channels_first, save_sheet
from anytime.sampling.budget import one_length
from anytime.sampling.filters import Filters

MOST_SHOWN = 64


def sample_to_files(
    model: Model,
    n: int,
    budgets: Sequence[int | float],
    folder: Path,
    *,
    deadline: float | None = None,
    seed: int = 0,
    labels: Labels = None,
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
        **filters: see `Filters`.

    Returns:
        What samples.json holds.
    """
    longest = max(budgets, key=lambda budget: one_length(budget, model.num_codes))
    samples = model.sample(n, None if deadline else longest, deadline=deadline, seed=seed, labels=labels, **filters)
    kept = [samples.codes.shape[1]] if deadline else budgets
    return write_samples(model, samples, kept, folder)


def write_samples(model: Model, samples: Samples, budgets: Sequence[int | float], folder: Path) -> dict[str, Any]:
    """Writes samples and their prefixes at `budgets` as PNG, NPZ and JSON; returns the content of the JSON."""
    arrays, rows, columns = _arrays(model, samples), [], []
    for budget in budgets:
        k = min(one_length(budget, model.num_codes), samples.codes.shape[1])
        started = time.perf_counter()
        data = model.decode(samples.codes[:, :k])
        prior_ms = sum(samples.step_ms[:k])
        rows.append({"budget": budget, "codes": k, "prior_ms": prior_ms, "decode_ms": 1000 * (time.perf_counter() - started)})
        arrays[f"samples_{budget}"] = data
        columns.append(data[:MOST_SHOWN])
    write_arrays(folder / "samples.npz", arrays)
    save_sheet(folder / "samples.png", *_layout(columns, [f"k={row['codes']}" for row in rows]))
    report = {
        "model": model.name,
        "n": len(samples),
        "seed": samples.seed,
        "budgets": rows,
        "filters": vars(samples.filters),
    }
    write_json(folder / "samples.json", report)
    return report


def read_samples(path: Path, model: Model) -> Samples:
    """Reads what `sample` wrote, so that it can be resumed.

    Raises:
        AnytimeError: the file is missing, not such an archive, or of another model.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in ("codes", "lengths", "seed", "indices", "labels", "filters", "model")}
    except FileNotFoundError:
        raise AnytimeError(f"{path} does not exist") from None
    except (KeyError, ValueError, OSError, EOFError) as error:
        raise AnytimeError(f"{path} holds no samples of `anytime sample` ({type(error).__name__})") from None
    if str(arrays["model"]) != model.name:
        raise AnytimeError(f"{path} was drawn from {arrays['model']}, not from {model.name}")
    temperature, top_k, top_p, guidance = arrays["filters"].tolist()
    return Samples(
        codes=torch.from_numpy(arrays["codes"]),
        data=np.empty(0, np.uint8),
        lengths=torch.from_numpy(arrays["lengths"]),
        seed=int(arrays["seed"]),
        indices=arrays["indices"].tolist(),
        labels=torch.from_numpy(arrays["labels"]) if arrays["labels"].size else None,
        filters=Filters(temperature, int(top_k), top_p, guidance),
        step_ms=[],
        decode_ms=0.0,
    )


def _arrays(model: Model, samples: Samples) -> dict[str, NDArray[Any]]:
    filters = samples.filters
    return {
        "model": np.array(model.name),
        "codes": samples.codes.numpy(),
        "lengths": samples.lengths.numpy(),
        "labels": np.empty(0, np.int64) if samples.labels is None else samples.labels.numpy(),
        "seed": np.array(samples.seed),
        "indices": np.array(samples.indices),
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
