"""Levels: every one is its own, none is out of range, and rounding to one costs half a cell at most, odd or even."""

import math

import pytest
import torch

from anytime.tokenizers.levels import compand, expand, level_bytes, level_values, nearest_level

EVERY = range(2, 258)
RANGES = [(-1.0, 1.0), (0.0, 255.0), (-0.3, 7.1), (1e9, 1e9 + 3), (-5e-7, -2e-7)]
each_range = pytest.mark.parametrize(("low", "high"), RANGES)


def some(low: float, high: float, count: int = 400) -> torch.Tensor:
    """Random numbers of a range, its ends among them."""
    share = torch.rand(count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.cat([low + (high - low) * share, torch.tensor([low, high], dtype=torch.float64)]).clamp(low, high)


@each_range
def test_the_value_of_every_level_is_coded_as_that_level(low, high):
    for levels in EVERY:
        assert torch.equal(nearest_level(level_values(low, high, levels), low, high, levels), torch.arange(levels)), levels


def test_every_level_is_its_own_through_mu_law_too():
    for levels in EVERY:
        decoded = expand(level_values(-1, 1, levels), levels)
        assert torch.equal(nearest_level(compand(decoded, levels), -1, 1, levels), torch.arange(levels)), levels
        in_single = compand(decoded.float(), levels)  # as a file of samples would keep them
        assert torch.equal(nearest_level(in_single, -1, 1, levels), torch.arange(levels)), levels


@each_range
def test_what_is_decoded_is_never_further_than_half_a_cell(low, high):
    for levels in EVERY:
        x = some(low, high)
        decoded = level_values(low, high, levels)[nearest_level(x, low, high, levels)]
        half = (high - low) / (levels - 1) / 2
        assert (decoded - x).abs().max() <= half + 1e-15 * max(abs(low), abs(high)), levels


def test_mu_law_is_never_further_than_half_a_cell_of_the_companded_range():
    for levels in EVERY:
        y = compand(some(-1, 1), levels)
        assert (level_values(-1, 1, levels)[nearest_level(y, -1, 1, levels)] - y).abs().max() <= 1 / (levels - 1) + 1e-15


@each_range
def test_the_ends_and_what_is_beyond_take_the_first_and_the_last_level(low, high):
    beyond = torch.tensor([low - 1e12, low, high, high + 1e12], dtype=torch.float64)
    for levels in EVERY:
        assert nearest_level(beyond, low, high, levels).tolist() == [0, 0, levels - 1, levels - 1]
        values = level_values(low, high, levels)
        assert values[0] == low and values[-1] == high and (values.diff() > 0).all()


@each_range
def test_an_odd_number_of_levels_has_one_exactly_in_the_middle_and_an_even_number_none(low, high):
    middle = (low + high) / 2
    for levels in EVERY:
        assert (middle in level_values(low, high, levels).tolist()) == (levels % 2 == 1)


def test_a_range_about_zero_has_opposite_levels():
    for levels in EVERY:
        values = level_values(-0.7, 0.7, levels)
        assert torch.equal(values, -values.flip(0))


def test_a_half_goes_up():
    assert nearest_level(torch.tensor([0.5, 1.5, 2.5, 3.5]), 0, 4, 5).tolist() == [1, 2, 3, 4]


def test_odd_levels_are_those_of_the_published_code_and_even_ones_stay_in_range():
    x = some(-1, 1)
    for levels in EVERY:
        width = 2 / (levels - 1)
        theirs = (x / width + 0.5).floor().long() + levels // 2
        ours = nearest_level(x, -1, 1, levels)
        assert ours.min() >= 0 and ours.max() == levels - 1
        if levels % 2:
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize("levels", [2, 3, 16, 256, 257])
def test_mu_law_is_that_of_the_standard(levels):
    mu = levels - 1
    for x in (-1, -0.5, -0.01, 0, 0.001, 0.25, 1):
        expected = math.copysign(math.log(1 + mu * abs(x)) / math.log(1 + mu), x)
        assert float(compand(torch.tensor(x, dtype=torch.float64), levels)) == pytest.approx(expected, abs=1e-15)


def test_mu_law_undone_is_where_it_began_and_within_the_range():
    x = some(-1, 1)
    for levels in EVERY:
        back = expand(compand(x, levels), levels)
        assert (back / x - 1).abs().max() < 1e-12 and back.abs().max() <= 1


def test_mu_law_treats_both_signs_alike():
    x = some(-1, 1)
    for levels in EVERY:
        assert torch.equal(compand(-x, levels), -compand(x, levels))
        values = expand(level_values(-1, 1, levels), levels)
        assert torch.equal(values, -values.flip(0)) and (0 in values.tolist()) == (levels % 2 == 1)
        mirrored = nearest_level(compand(-x, levels), -1, 1, levels)
        assert torch.equal(mirrored, levels - 1 - nearest_level(compand(x, levels), -1, 1, levels))


def test_mu_law_keeps_a_quiet_waveform_better_than_even_levels_do():
    quiet = 0.02 * torch.sin(torch.arange(800, dtype=torch.float64) / 9)
    even = level_values(-1, 1, 256)[nearest_level(quiet, -1, 1, 256)]
    companded = expand(level_values(-1, 1, 256)[nearest_level(compand(quiet, 256), -1, 1, 256)], 256)
    assert (companded - quiet).square().mean() < 0.02 * (even - quiet).square().mean()


def test_greys_are_rounded_to_whole_bytes():
    for levels in range(2, 257):
        assert level_bytes(levels).tolist() == [(2 * 255 * k + levels - 1) // (2 * (levels - 1)) for k in range(levels)]
