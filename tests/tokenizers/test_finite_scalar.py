"""Finite scalar quantisation: what a code packs, and where numbers are rounded to."""

import math

import pytest
import torch
from vector_quantize_pytorch import FSQ

from anytime.tokenizers.finite_scalar import ScalarBook, ScalarQuantizer

LEVELS = [[8, 4, 4], [5, 5, 5], [2, 2, 2, 2], [3, 2, 7], [4], [2], [16, 15]]
each_levels = pytest.mark.parametrize("levels", LEVELS, ids=str)


def plain(levels: list[int]) -> ScalarBook:
    """A book whose vectors are the numbers themselves."""
    book = ScalarBook(levels, len(levels))
    with torch.no_grad():
        book.down.copy_(torch.eye(len(levels))[None])
        book.up.copy_(torch.eye(len(levels))[None])
    return book.double()


@each_levels
def test_packing_is_exact_for_every_code(levels):
    book, codes = plain(levels), torch.arange(math.prod(levels))
    numbers = book.unpack(codes)
    assert torch.equal(book.pack(numbers), codes)
    assert len({tuple(row) for row in numbers.tolist()}) == len(codes)
    assert numbers.min(0).values.tolist() == [0] * len(levels)
    assert numbers.max(0).values.tolist() == [each - 1 for each in levels]


@each_levels
def test_codes_and_vectors_are_those_of_the_reference_library(levels):
    book = plain(levels)
    reference = FSQ(levels, preserve_symmetry=True)
    z = 2 * torch.randn(50, 20, len(levels), generator=torch.Generator().manual_seed(0)).double()
    vectors, codes = reference(z)
    assert torch.equal(book.nearest(z), codes.long())
    torch.testing.assert_close(book.look_up(codes.long()), vectors)


@pytest.mark.parametrize("count", [3, 5, 7, 15])
def test_odd_levels_are_those_of_the_paper(count):
    z = torch.linspace(-4, 4, 999, dtype=torch.float64)[:, None, None]
    half = count // 2
    paper = (half * z.tanh()).round()
    assert torch.equal(plain([count]).nearest(z), (paper[..., 0] + half).long())


@pytest.mark.parametrize("count", [2, 3, 4, 5, 8, 9])
def test_levels_are_even_symmetric_and_all_reached(count):
    book = plain([count])
    z = torch.linspace(-6, 6, 1000, dtype=torch.float64)[:, None, None]
    codes = book.nearest(z)[:, 0]
    assert codes.unique().tolist() == list(range(count)) and (codes.diff() >= 0).all()
    assert torch.equal(codes.flip(0), count - 1 - codes)
    values = book.look_up(torch.arange(count)[:, None])[:, 0, 0]
    torch.testing.assert_close(values, torch.linspace(-1, 1, count, dtype=torch.float64))


@each_levels
def test_what_is_rounded_lies_nearest_to_what_it_was(levels):
    book = plain(levels)
    z = torch.randn(200, 1, len(levels), generator=torch.Generator().manual_seed(1)).double()
    every = book.look_up(torch.arange(math.prod(levels))[:, None])[:, 0]
    bounded = (2 * book.bounded(z) / (book.levels - 1) - 1)[:, 0] * (book.levels - 1)
    distances = torch.cdist(bounded, every * (book.levels - 1))
    assert torch.equal(book.nearest(z)[:, 0], distances.argmin(1))


def test_gradients_pass_through_the_rounding_where_a_code_is_kept():
    book = ScalarBook([5, 4], 3, positions=4)
    z = torch.randn(6, 4, 3, requires_grad=True)
    kept = torch.arange(4) < torch.tensor([0, 1, 2, 3, 4, 4])[:, None]
    vectors, codes, loss = ScalarQuantizer(book)(z, kept)
    vectors.square().sum().backward()
    assert torch.equal(z.grad.abs().sum(-1) > 0, kept)
    assert torch.equal(codes >= 0, kept) and not vectors[~kept].any() and float(loss) == 0
    assert torch.equal(vectors, book.look_up(codes))
    assert all(weight.grad.abs().amax(tuple(range(1, weight.ndim))).gt(0).all() for weight in book.parameters())


def test_each_position_has_projections_of_its_own_if_asked():
    z = torch.randn(1, 1, 3).expand(1, 4, 3)
    vectors = [book.look_up(book.nearest(z)) for book in (ScalarBook([5, 5], 3), ScalarBook([5, 5], 3, positions=4))]
    assert torch.equal(vectors[0][:, :1].expand_as(z), vectors[0])
    assert not torch.equal(vectors[1][:, :1].expand_as(z), vectors[1])
