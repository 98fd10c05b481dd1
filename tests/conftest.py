"""Where the tests find real data, reference outputs, and a model that needs neither."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from anytime.models.model import Model

SHARED = Path(__file__).parents[2] / "shared" / "data"
GOLDEN = Path(__file__).parents[2] / "shared" / "golden"


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder that holds mnist/ with its four .gz files, or a skip if there is none."""
    for root in (Path(os.environ.get("ANYTIME_DATA") or SHARED), SHARED):
        if (root / "mnist" / "train-images-idx3-ubyte.gz").is_file():
            return root
    pytest.skip(f"needs MNIST: set ANYTIME_DATA, run `anytime data fetch mnist`, or put it into {SHARED}/mnist")


@pytest.fixture(scope="session")
def golden_root() -> Path:
    """The folder of arrays that the published reference code computed, or a skip if there is none."""
    for root in (Path(os.environ.get("ANYTIME_GOLDEN") or GOLDEN), GOLDEN):
        if (root / "ordered_vqvae.npz").is_file():
            return root
    pytest.skip(f"needs the outputs of the reference code: set ANYTIME_GOLDEN, or put them into {GOLDEN}")


@pytest.fixture
def model() -> Model:
    """Six codes out of seven, three classes, images of 8 by 8 pixels; untrained, but not flat."""
    from tiny import tiny_model

    return tiny_model()
