"""Two processes train one model, and the same one as a single process would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import anytime
from anytime.files import read_tensors

from . import sharing
from .running import recipe, rows, start

TESTS = Path(__file__).parents[1]


def weights_seen(folder: Path, process: int) -> torch.Tensor:
    """(steps, parameters)"""
    return read_tensors(folder / f"process{process}.safetensors")[0]["weights"]


@pytest.mark.slow
@pytest.mark.parametrize("parts", [1, 2])
def test_two_processes_hold_equal_weights_at_every_step_and_those_of_one_process(tmp_path, parts):
    command = [sys.executable, "-m", "training.sharing", str(tmp_path / "two"), "2", str(parts)]
    environment = os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    sharing.train(tmp_path / "one", 1)
    first, second = (weights_seen(tmp_path / "two", process)[::parts] for process in (0, 1))  # seen before every part
    alone = weights_seen(tmp_path / "one", 0)
    assert torch.equal(first, second)
    assert (first[-1] - first[0]).abs().max() > 1e-3, "nothing was learnt"
    torch.testing.assert_close(first, alone, rtol=0, atol=2e-5)
    assert rows(tmp_path / "two")[-1]["bits"] == pytest.approx(rows(tmp_path / "one")[-1]["bits"], rel=1e-4)


@pytest.mark.slow
def test_torchrun_trains_one_model_from_data_to_samples(tmp_path):
    folder = tmp_path / "run"
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m")
    process = start(recipe(tmp_path), "--out", folder, launcher=torchrun)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert "Starting with 2 processes" in said
    order, prior = ([row for row in rows(folder) if row["stage"] == stage] for stage in ("order", "prior"))
    assert [row["step"] for row in order] == [20, 40, 60] and [row["step"] for row in prior] == [20, 40]
    assert order[0]["mse"] > order[-1]["mse"] < 0.08 and order[-1]["codebook_used"] > 8
    assert order[0]["loss"] > order[-1]["loss"] and prior[0]["bits"] > prior[-1]["bits"] < 0.95 * 4 * 4  # 4 codes of 4 bits
    assert anytime.load(folder).sample(3, budget=0.5).data.std() > 1
