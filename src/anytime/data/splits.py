"""Which rows are train, validation and test: fixed by a seed, so that every run and every machine agrees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anytime.errors import AnytimeError

SEED = 0


def split_rows(name: str, total: int, validation: int, test: int = 0) -> dict[str, NDArray[np.int64]]:
    """Cuts the rows 0 to `total` - 1 into three disjoint parts by one seeded permutation.

    The test rows are taken first, so they stay the same whatever `validation` is.

    Args:
        name: the data set, for the error message.
        total: the number of rows.
        validation: the number of validation rows.
        test: the number of test rows.

    Returns:
        "train", "validation" and "test", each int64 (rows,), ascending.

    Raises:
        AnytimeError: a part would have fewer than no rows, or none would be left to train on.
    """
    if validation < 0 or validation + test >= total:
        wanted = f"{validation:,} for validation" + (f" and {test:,} for test" if test else "")
        raise AnytimeError(
            f"{name} has {total:,} images, which cannot be cut into {wanted} with some left to train on",
            "Ask for fewer validation images",
        )
    order = np.random.default_rng(SEED).permutation(total)
    parts = np.split(order, [test, test + validation])
    return {split: np.sort(rows) for split, rows in zip(("test", "validation", "train"), parts, strict=True)}
