"""Orders of pixels: a sequence in any of them is the very image again, and its prefixes are the first pixels of the path."""

from itertools import product
from typing import get_args

import pytest
import torch

from anytime.tokenizers.orders import Order, places
from anytime.tokenizers.pixels import Pixels, PixelsConfig

IMAGES = [(1, 8, 8), (3, 4, 4), (1, 5, 3), (3, 3, 6), (1, 1, 7), (3, 7, 1)]
each_image = pytest.mark.parametrize("image", IMAGES, ids=lambda image: "x".join(map(str, image)))
each_order = pytest.mark.parametrize("order", get_args(Order))


def some_images(image: tuple[int, int, int], count: int = 4) -> torch.Tensor:
    return torch.randint(256, (count, *image), generator=torch.Generator().manual_seed(count), dtype=torch.uint8)


def pixels_in(order: Order, image: tuple[int, int, int], **fields) -> Pixels:
    tokenizer = Pixels(PixelsConfig(order=order, **fields), image)
    tokenizer.learn(some_images(image, 9))
    return tokenizer


def test_a_boustrophedon_turns_at_the_end_of_each_row():
    assert places("boustrophedon", 3, 4, 1).tolist() == [0, 1, 2, 3, 7, 6, 5, 4, 8, 9, 10, 11]
    assert places("raster", 3, 4, 1).tolist() == list(range(12))


def test_the_channels_of_a_pixel_stay_in_order():
    assert places("boustrophedon", 2, 2, 3).tolist() == [0, 1, 2, 3, 4, 5, 9, 10, 11, 6, 7, 8]


@each_image
def test_pixels_that_follow_each_other_touch(image):
    channels, height, width = image
    rows, columns, _ = torch.unravel_index(places("boustrophedon", height, width, channels), (height, width, channels))
    steps = rows.diff().abs() + columns.diff().abs()
    assert steps.tolist() == ([0] * (channels - 1) + [1]) * (height * width - 1) + [0] * (channels - 1)


@each_order
@each_image
def test_every_code_stands_for_the_pixel_that_its_place_says(image, order):
    tokenizer, pictures = pixels_in(order, image), some_images(image)
    codes = tokenizer.encode(pictures)
    assert sorted(tokenizer.places.tolist()) == list(range(tokenizer.num_codes))
    rows, columns, channels = torch.unravel_index(tokenizer.places, tokenizer.grid)
    assert torch.equal(codes, pictures[:, channels, rows, columns].long())


@each_order
@each_image
def test_all_codes_give_the_very_image_back(image, order):
    tokenizer, pictures = pixels_in(order, image), some_images(image)
    assert torch.equal((tokenizer.decode(tokenizer.encode(pictures)) * 255).round().byte(), pictures)


@pytest.mark.parametrize(("order", "fill", "levels"), product(get_args(Order), ("mean", "blank"), (2, 256)))
@each_image
def test_a_prefix_shows_exactly_the_first_pixels_of_the_path_and_the_mean_elsewhere(image, order, fill, levels):
    tokenizer = pixels_in(order, image, fill=fill, levels=levels)
    pictures, others = some_images(image), some_images(image, 9).double().mean(0).float() / 255
    whole = tokenizer.decode(tokenizer.encode(pictures))
    for k in range(1, tokenizer.num_codes + 1):
        shown = tokenizer.decode(tokenizer.encode(pictures)[:, :k])
        rows, columns, channels = torch.unravel_index(tokenizer.places[:k], tokenizer.grid)
        expected = (others if fill == "mean" else torch.zeros_like(others)).expand_as(whole).clone()
        expected[:, channels, rows, columns] = whole[:, channels, rows, columns]
        torch.testing.assert_close(shown, expected, rtol=0, atol=1e-6)


def test_a_row_and_a_half_of_a_snake_end_at_the_right():
    tokenizer = Pixels(PixelsConfig(order="boustrophedon", fill="blank"), (1, 3, 4))
    shown = tokenizer.decode(torch.full((1, 6), 255))[0, 0]
    assert shown.tolist() == [[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]]


@each_order
def test_prefixes_of_many_lengths_in_one_batch_are_as_each_alone(order):
    tokenizer = pixels_in(order, (3, 3, 6))
    n = tokenizer.num_codes
    codes = tokenizer.encode(some_images((3, 3, 6), n))
    mixed = codes.masked_fill(torch.arange(n) > torch.arange(n)[:, None], -1)
    alone = torch.cat([tokenizer.decode(codes[k : k + 1, : k + 1]) for k in range(n)])
    assert torch.equal(tokenizer.decode(mixed), alone)


@each_order
def test_missing_codes_anywhere_show_the_mean_at_their_places(order):
    tokenizer, pictures = pixels_in(order, (3, 4, 4)), some_images((3, 4, 4))
    missing = torch.rand(pictures.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    rows, columns, channels = torch.unravel_index(tokenizer.places, tokenizer.grid)
    codes = tokenizer.encode(pictures).masked_fill(missing[:, channels, rows, columns], -1)
    mean = some_images((3, 4, 4), 9).double().mean(0).float() / 255
    torch.testing.assert_close(tokenizer.decode(codes), torch.where(missing, mean, pictures / 255), rtol=0, atol=1e-6)


def test_weights_of_one_order_hold_for_the_other():
    raster, snake = pixels_in("raster", (1, 5, 3)), Pixels(PixelsConfig(order="boustrophedon"), (1, 5, 3))
    snake.load_state_dict(raster.state_dict())
    first = snake.encode(some_images((1, 5, 3)))[:, :1]
    assert torch.equal(snake.decode(first), raster.decode(first))  # both begin at the same pixel
