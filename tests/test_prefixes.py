"""Invariant 3: any prefix of the codes is a whole image."""

import re
from itertools import pairwise, product

import pytest
import torch

from anytime.errors import AnytimeError
from anytime.tokenizers.ordered import OrderedVQ
from tiny import ENTRIES, tiny_tokenizer

GREY, COLOUR = (1, 8, 8), (3, 16, 16)
VARIANTS = [
    {
        "image": image,
        "quantization": quantization,
        "network": network,
        "dropped": dropped,
        "per_position_codebook": per_position,
        "standardize": standardize,
    }
    for image, quantization, network, dropped, per_position, standardize in product(
        (GREY, COLOUR), ("channel", "spatial"), ("residual", "plain"), ("zeros", "mask"), (False, True), (False, True)
    )
]
each_variant = pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "-".join(map(str, variant.values())))


def images(tokenizer: OrderedVQ, batch: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(256, (batch, *tokenizer.image), generator=generator, dtype=torch.uint8)


@each_variant
def test_every_prefix_is_a_whole_image(variant):
    tokenizer = tiny_tokenizer(**variant)
    codes = tokenizer.encode(images(tokenizer))
    pictures = [tokenizer.decode(codes[:, :k]) for k in range(1, tokenizer.num_codes + 1)]
    for picture in pictures:
        assert picture.shape == (5, *tokenizer.image)
        assert picture.isfinite().all() and picture.min() >= 0 and picture.max() <= 1
    assert all(not torch.equal(shorter, longer) for shorter, longer in pairwise(pictures))


@each_variant
def test_prefixes_of_many_lengths_in_one_batch_are_as_each_alone(variant):
    tokenizer = tiny_tokenizer(**variant).double()
    n = tokenizer.num_codes
    codes = tokenizer.encode(images(tokenizer, n))
    mixed = codes.masked_fill(torch.arange(n) > torch.arange(n)[:, None], -1)
    alone = torch.cat([tokenizer.decode(codes[k : k + 1, : k + 1]) for k in range(n)])
    torch.testing.assert_close(tokenizer.decode(mixed), alone, rtol=0, atol=1e-12)


@each_variant
def test_codes_are_the_nearest_entries(variant):
    tokenizer = tiny_tokenizer(**variant).double()
    pixels = images(tokenizer)
    codes = tokenizer.encode(pixels)
    z = tokenizer.vectors(tokenizer.prepare(pixels))
    distances = (z[:, :, None] - tokenizer.codebook.vectors[None]).square().sum(-1)  # (B, N, K)
    assert torch.equal(codes, distances.argmin(-1))
    assert codes.shape == (5, tokenizer.num_codes) and codes.dtype == torch.int64
    assert len(codes.unique()) > 1


@pytest.mark.parametrize("image", [GREY, COLOUR])
def test_bytes_floats_and_chunks_give_the_same_codes(image):
    tokenizer = tiny_tokenizer(image)
    pixels = images(tokenizer)
    codes = tokenizer.encode(pixels)
    assert torch.equal(tokenizer.encode(pixels / 255), codes)
    assert torch.equal(tokenizer.encode(pixels, batch_size=2), codes)
    assert image != GREY or torch.equal(tokenizer.encode(pixels[:, 0]), codes)


@pytest.mark.parametrize("shape", [(3, 0), (3, 7), (3,), (1, 3, 6)])
def test_a_wrong_number_of_codes_is_refused(shape):
    with pytest.raises(AnytimeError, match=re.escape(f"codes of shape {shape}")):
        tiny_tokenizer().decode(torch.zeros(shape, dtype=torch.int64))


@pytest.mark.parametrize("value", [-2, ENTRIES, 10**9])
def test_a_code_that_is_in_no_codebook_is_refused(value):
    with pytest.raises(AnytimeError, match=f"0..{ENTRIES - 1}"):
        tiny_tokenizer().decode(torch.tensor([[0, value]]))


@pytest.mark.parametrize("shape", [(2, 1, 8, 9), (2, 3, 8, 8), (2, 1, 16, 16), (8, 8)])
def test_an_image_of_another_size_is_refused(shape):
    with pytest.raises(AnytimeError, match=re.escape(f"images of shape {shape} should be (B, 1, 8, 8)")):
        tiny_tokenizer().encode(torch.zeros(shape))


@pytest.mark.parametrize(
    "fields", [{"stride": 16}, {"stride": 3}, {"stride": 1}, {"stride": 0}, {"network": "plain", "plain_widths": [8] * 4}]
)
def test_a_stride_that_does_not_divide_the_image_is_refused(fields):
    with pytest.raises(AnytimeError, match="images of 8x8 cannot be coded at stride"):
        tiny_tokenizer(**fields)
