"""Where the tests of data sets find the real CIFAR-10."""

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def nothing_else(tmp_path, monkeypatch):
    """A root without data, when nothing lies in the other places either."""
    monkeypatch.delenv("ANYTIME_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "root"


def root_with(filename, what):
    for root in (Path(os.environ.get("ANYTIME_DATA") or SHARED), SHARED):
        if (root / "cifar10" / filename).is_file():
            return root
    pytest.skip(f"needs {what}: set ANYTIME_DATA to a folder that holds cifar10/{filename}")


@pytest.fixture(scope="session")
def batches_root():
    """The folder that holds the published batches, all of them or a part, or a skip if there is none."""
    return root_with("cifar-10-batches-py/data_batch_1", "the published batches of CIFAR-10")


@pytest.fixture(scope="session")
def jpeg_root():
    """The folder that holds the JPEG copy, or a skip if there is none."""
    return root_with("cifar10-jpeg-test.zip", "the JPEG copy of CIFAR-10")
