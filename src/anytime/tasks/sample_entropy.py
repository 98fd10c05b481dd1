"""How irregular a series is: its sample entropy, the surprise of a value after two that were seen before."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from anytime.errors import AnytimeError

FEWEST = 64  # values of a series whose entropy is worth telling: of fewer, even noise often has no windows that stay alike
ROWS = 100  # series that are looked at
MOST = 4_096  # values that are looked at: all pairs of them are compared


def sample_entropy(series: NDArray[np.floating], length: int = 2, tolerance: float = 0.2) -> float:
    """-ln(A / B): of the B pairs of windows of `length` values that are alike, A are so with the value after them too.

    Richman & Moorman 2000, "Physiological time-series analysis using approximate entropy and sample entropy", eq. 3. Two windows
    are alike if no two values in the same place differ by more than `tolerance` standard deviations. Regular series have 0, white
    noise some 2.2. Of a longer series the first 4,096 values count.

    Args:
        series: (T,), longer than the windows.
        length: m.
        tolerance: r, in standard deviations.

    Returns:
        Nats; infinite if no windows stay alike, NaN if none are.

    Raises:
        AnytimeError: the series is too short, or the length or the tolerance cannot be.
    """
    if length < 1 or tolerance < 0:
        raise AnytimeError(
            f"windows cannot have {length} values and a tolerance of {tolerance:g}", "Choose 1 or more, and 0 or more"
        )
    if len(series) < length + 2:
        raise AnytimeError(f"a series of {len(series)} values has no two windows of {length + 1}", "Take a longer one")
    values = np.asarray(series[:MOST], np.float64)
    near, last = tolerance * values.std(), len(values) - length
    alike = ~np.eye(last, dtype=bool)
    for place in range(length):
        alike &= _near(values[place : place + last], near)
    shorter = int(alike.sum())
    longer = int((alike & _near(values[length:], near)).sum())
    if not shorter:
        return math.nan
    return math.log(shorter / longer) if longer else math.inf


def typical_entropy(series: NDArray[np.float64]) -> float | None:
    """The median over the first hundred rows (S, T); None where they are too short, have gaps, or mostly no alike windows.

    A forecast that is right on average may be much smoother or rougher than what comes: beside that of the truth this tells.
    """
    if not len(series) or series.shape[1] < FEWEST or np.isnan(series[:ROWS]).any():
        return None
    found = [sample_entropy(each) for each in series[:ROWS]]
    middle = float(np.median(np.nan_to_num(found, nan=math.inf, posinf=math.inf)))
    return middle if math.isfinite(middle) else None


def _near(values: NDArray[np.float64], distance: float) -> NDArray[np.bool_]:
    """Which pairs are no further apart."""
    return np.asarray(np.abs(values[:, None] - values) <= distance)
