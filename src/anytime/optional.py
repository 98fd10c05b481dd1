"""Whether the loops that numba compiles are to be had, and whether they pay. Importing this does not import numba."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import torch

MOST_THREADS = 4  # the loops run on one or few; on more than this torch's own operations, which take all, are not slower


@cache
def numba_is_there() -> bool:
    """Whether numba is installed (`pip install anytime-ar[fast]`)."""
    return find_spec("numba") is not None


def loops_pay() -> bool:
    """Whether compiled loops are there, and torch runs on so few threads that they are faster."""
    return numba_is_there() and torch.get_num_threads() <= MOST_THREADS
