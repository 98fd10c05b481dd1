"""How loops are compiled here: by numba, to be cached on disk, with the freedoms of arithmetic that vectorise sums.

Numba is an optional dependency (`pip install anytime-ar[fast]`); this and what needs it is imported only where it is there.
"""

from __future__ import annotations

from typing import Any

import numba

Array = Any  # numba infers what they are

compiled = numba.njit(fastmath=True, cache=True, nogil=True, error_model="numpy")
inlined = numba.njit(fastmath=True, cache=True, nogil=True, error_model="numpy", forceinline=True)
"""Becomes part of the functions that call it, so that what is constant in them is constant in it."""
