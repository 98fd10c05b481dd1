"""The mixture of logistics is a distribution over bytes, the reference's where that is exact, and is sampled as it is scored."""

from pathlib import Path

import numpy as np
import pytest
import torch

from anytime.heads.logistic import LogisticMixture


@pytest.fixture(scope="module")
def golden(golden_root: Path) -> dict[str, torch.Tensor]:
    with np.load(golden_root / "mixture_of_logistics.npz") as arrays:
        return {name: torch.from_numpy(np.asarray(arrays[name])) for name in arrays.files}


@pytest.fixture(scope="module")
def parameters(golden: dict[str, torch.Tensor]) -> torch.Tensor:
    """(3, 24, 15) float64: scales from far below the floor of -7 to wider than all bytes."""
    return golden["params"].transpose(1, 2)


HEAD = LogisticMixture(5)


def test_the_log_probabilities_are_exact(golden: dict[str, torch.Tensor], parameters: torch.Tensor) -> None:
    found = HEAD.log_prob(parameters, golden["target_bytes"])
    torch.testing.assert_close(found, golden["log_prob_exact"], rtol=1e-10, atol=1e-10)


def test_they_are_the_references_where_it_does_not_fall_back(golden: dict[str, torch.Tensor], parameters: torch.Tensor) -> None:
    exact = ~golden["fallback_table"]
    found = HEAD.log_probs(parameters)[exact]
    torch.testing.assert_close(found, golden["log_prob_table"][exact], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_the_probabilities_of_all_bytes_sum_to_one(parameters: torch.Tensor, dtype: torch.dtype, tolerance: float) -> None:
    total = HEAD.log_probs(parameters.to(dtype)).exp().sum(-1)
    torch.testing.assert_close(total, torch.ones_like(total), rtol=tolerance, atol=tolerance)


def test_evenly_spread_numbers_draw_each_byte_as_often_as_its_probability(parameters: torch.Tensor) -> None:
    uniform = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    for row in parameters.flatten(0, 1)[::3]:
        drawn = HEAD.sample(row.expand(len(uniform), -1), uniform)
        share = torch.bincount(drawn, minlength=256) / len(uniform)
        torch.testing.assert_close(share, HEAD.log_probs(row).exp(), rtol=0, atol=5.5 / 20_000, check_dtype=False)


def test_gradients_are_finite_at_every_byte_and_scale(parameters: torch.Tensor) -> None:
    leaf = parameters.float().clone().requires_grad_()
    HEAD.log_probs(leaf).sum().backward()
    assert leaf.grad is not None and leaf.grad.isfinite().all()


def test_the_mean_and_the_mode_are_those_of_the_probabilities(parameters: torch.Tensor) -> None:
    probabilities = HEAD.log_probs(parameters).exp()
    mean = (probabilities * torch.arange(256.0, dtype=torch.float64)).sum(-1)
    torch.testing.assert_close(HEAD.mean(parameters), mean)
    assert torch.equal(HEAD.mode(parameters), probabilities.argmax(-1))
