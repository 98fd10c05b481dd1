"""A residual decoder in one compiled call, see `residual_loops.py`: the addresses of its weights, layer by layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anytime.networks import residual_loops as loops
from anytime.networks.engine.products import sgemm_address
from anytime.networks.residual import EPSILON, GROUPS, LengthModulation, MapMixing, ResidualBlock

Layer = tuple[int, int, list[Any]]
"""Its kind, the channels after it (0 for as many as before), and its weights and numbers as the loops want them."""


def drawn(decoder: nn.Sequential, maps: Tensor, lengths: Tensor | None) -> Tensor:
    """What a `ResidualDecoder` makes of maps (B, features, h, w) float32 on a CPU: (B, C, H, W)."""
    layers = [_layer(each) for each in decoder]
    plan = np.zeros((len(layers), loops.COLUMNS), np.int64)
    for row, (kind, outputs, weights) in zip(plan, layers, strict=True):
        row[: loops.FIRST] = kind, outputs
        row[loops.FIRST : loops.FIRST + len(weights)] = [
            each.data_ptr() if isinstance(each, Tensor) else each for each in weights
        ]
    largest, room, grown, channels = _sizes(layers, maps)
    work = np.empty(3 * largest + room, np.float32)
    images = torch.empty(len(maps), channels, *(grown * size for size in maps.shape[2:]), dtype=torch.float32)
    told = torch.zeros(len(maps), dtype=torch.int64) if lengths is None else lengths.contiguous()
    cells = maps.permute(0, 2, 3, 1).contiguous().numpy()
    loops.draw(sgemm_address(), plan, GROUPS, EPSILON, work, largest, cells, told.numpy(), images.numpy())
    del layers  # until here the memory of its tensors was in use
    return images


def _layer(layer: nn.Module) -> Layer:
    match layer:
        case nn.ConvTranspose2d():
            return loops.DOUBLE, layer.out_channels, [_last_inside(layer.weight), _bias(layer)]
        case nn.Conv2d():
            return loops.CONVOLVE, layer.out_channels, _convolution(layer)
        case MapMixing():
            return loops.MIX, 0, [layer.norm.weight, layer.norm.bias, layer.weight.contiguous()]
        case LengthModulation():
            table = layer.scale_and_shift
            return loops.MODULATE, 0, [table.weight.contiguous(), table.num_embeddings]
        case ResidualBlock():
            first, _, second, third, _, fourth = layer.branch
            return loops.RESIDUAL, 0, [*_norm(first), *_convolution(second), *_norm(third), *_convolution(fourth)]
        case nn.GroupNorm():
            return loops.NORMALISE, 0, _norm(layer)
        case _:
            assert isinstance(layer, nn.SiLU)
            return loops.BEND, 0, []


def _norm(norm: Any) -> list[Tensor]:
    return [norm.weight, norm.bias]


def _convolution(layer: Any) -> list[Tensor]:
    return [_last_inside(layer.weight), _bias(layer)]


def _last_inside(weight: Tensor) -> Tensor:
    """(A, B, h, w) to memory in the order (A, h, w, B), in which weights that are "channels last" lie already."""
    return weight.permute(0, 2, 3, 1).contiguous()


def _bias(layer: nn.Conv2d | nn.ConvTranspose2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def _sizes(layers: list[Layer], maps: Tensor) -> tuple[int, int, int, int]:
    """Numbers of the largest map and of the room for columns, how much longer a side becomes, and the channels at the end."""
    channels, (height, width), grown, largest, room = maps.shape[1], maps.shape[2:], 1, maps[0].numel(), 0
    for kind, outputs, _ in layers:
        cells = height * width * grown**2
        bordered = (height * grown + 2) * (width * grown + 2)
        room = max(room, loops.PARTS * cells * outputs if kind == loops.DOUBLE else (bordered + 9 * cells) * channels)
        channels = outputs or channels
        grown *= 2 if kind == loops.DOUBLE else 1
        largest = max(largest, channels * height * width * grown**2)
    return largest, room, grown, channels
