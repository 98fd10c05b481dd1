"""Where the tests find real data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder that holds mnist/ with its four .gz files, or a skip if there is none."""
    for root in (Path(os.environ.get("ANYTIME_DATA") or SHARED), SHARED):
        if (root / "mnist" / "train-images-idx3-ubyte.gz").is_file():
            return root
    pytest.skip(f"needs MNIST: set ANYTIME_DATA, run `anytime data fetch mnist`, or put it into {SHARED}/mnist")
