"""The engine's program with numba: all layers in one call, see `layers.py`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anytime.networks import kernels
from anytime.networks.attention.features import elu_plus_one, exponential, relu_plus
from anytime.networks.attention.linear import EPSILON, LinearAttention, LinearState
from anytime.networks.attention.momentum import MomentumAttention, MomentumState
from anytime.networks.attention.softmax import KeyValueCache, SoftmaxAttention
from anytime.networks.block import Block
from anytime.networks.connection import Momentum, Plain
from anytime.networks.engine import layers
from anytime.networks.engine.layers import COLUMNS, Buffers, Rates, Shape
from anytime.networks.engine.products import product, sgemm_address
from anytime.networks.engine.program import Program, are_many, turned
from anytime.networks.transformer import CausalTransformer, TransformerState

ACTIVATIONS: dict[type, int] = {nn.GELU: kernels.GELU, nn.ReLU: kernels.RELU, nn.SiLU: kernels.SILU}
LAYERS: dict[type, Callable[[int], Callable[..., None]]] = {
    SoftmaxAttention: layers.softmax_layers,
    LinearAttention: partial(layers.recurrent_layers, plain=True),
    MomentumAttention: partial(layers.recurrent_layers, plain=False),
}
FEATURES: dict[Any, int] = {elu_plus_one: kernels.ELU, relu_plus: kernels.RELU_PLUS, exponential: kernels.EXP}


def compilable(model: CausalTransformer) -> bool:
    """Whether the loops do what the model does: in float32, feature maps by name, no adaptive or reweighted connections."""
    blocks = [block for block in model.blocks if isinstance(block, Block)]
    joined = [block.connection for block in blocks]
    simple = all(type(each) is Plain or (type(each) is Momentum and each.maps is None) for each in joined)
    maps = [getattr(block.attention, "features", elu_plus_one) for block in blocks]
    return model.output.weight.dtype == torch.float32 and simple and all(each in FEATURES for each in maps)


class CompiledProgram(Program):
    """Single steps in float32, see `compilable`."""

    def __init__(self, model: CausalTransformer, state: TransformerState) -> None:
        super().__init__(model, state)
        batch, width = self.x.shape
        attention, hidden = self.blocks[0].attention, model.config.expansion * width
        assert isinstance(attention, SoftmaxAttention | LinearAttention | MomentumAttention)
        self.h = torch.empty(batch, width)
        works = [self.x, self.h, *(torch.empty(batch, size) for size in (width, width, width, 3 * width, hidden))]
        self.buffers = Buffers(*(each.numpy() for each in works))
        self.held: list[Tensor] = []  # what the addresses of the plan belong to
        rows = [self._row(block, memory) for block, memory in zip(self.blocks, state.memories, strict=True)]
        self.plan = np.array([*rows, self._addresses(8 * [None] + [model.norm.weight, model.norm.bias])])
        self.rates, self.shape = _rates(self.blocks[0], attention), _shape(self.blocks[0], attention, batch, model.length)
        self.run = LAYERS[type(attention)](attention.head_width)
        self.last = turned(model.output.weight, batch) if isinstance(model.output, nn.Linear) else None

    def _through(self, position: int) -> Tensor:
        self.run(self.shape, self.rates, self.buffers, self.plan, position)
        return self.h

    def _read_out(self, hidden: Tensor, known: int) -> Tensor:
        output = self.model.output
        if self.last is None or output.bias is None:
            return super()._read_out(hidden, known)
        parameters = torch.empty(len(hidden), len(output.bias))  # a new one, since it is given out
        where = self.last.data_ptr(), output.bias.data_ptr()
        product(self.shape.sgemm, self.shape.turned, self.buffers.h, *where, parameters.numpy())
        return parameters

    def _row(self, block: Block, memory: Any) -> Any:
        """The addresses of one layer."""
        attention, (up, _, _, down) = block.attention, block.feed_forward
        assert isinstance(attention, SoftmaxAttention | LinearAttention | MomentumAttention)
        maps = [each for each in (attention.query_key_value, attention.output, up, down) if isinstance(each, nn.Linear)]
        parts = [part for each in maps for part in (turned(each.weight, len(self.x)), each.bias)]
        parts += [part for norm in (block.attention_norm, block.feed_forward_norm) for part in (norm.weight, norm.bias)]
        return self._addresses([*parts, *_memories(memory)])

    def _addresses(self, tensors: list[Tensor | None]) -> Any:
        """Where they lie, nought for those that are not there."""
        self.held += [each for each in tensors if each is not None]
        found = [0 if each is None else each.data_ptr() for each in tensors]
        return np.array(found + [0] * (COLUMNS - len(found)), np.int64)


def _memories(memory: Any) -> list[Tensor]:
    """The tensors of a memory. A prefix may leave them in another order than the loops are compiled for."""
    if isinstance(memory, KeyValueCache):
        memory.keys, memory.values = (each.transpose(1, 2).contiguous().transpose(1, 2) for each in (memory.keys, memory.values))
        return [memory.keys, memory.values]
    if isinstance(memory, MomentumState):
        memory.speed = memory.speed.contiguous()
        return [*_memories(memory.sums), memory.speed]
    assert isinstance(memory, LinearState)
    memory.keys_values, memory.keys = memory.keys_values.contiguous(), memory.keys.contiguous()
    return [memory.keys_values, memory.keys]


def _shape(block: Block, attention: Any, batch: int, length: int) -> Shape:
    features = 0 if isinstance(attention, SoftmaxAttention) else FEATURES[attention.features]
    activation = ACTIVATIONS[type(block.feed_forward[1])]
    heads, before = attention.heads, int(block.before)
    return Shape(sgemm_address(), int(are_many(batch)), batch, heads, length, before, activation, features)


def _rates(block: Block, attention: Any) -> Rates:
    mu, step_size = (block.connection.mu, block.connection.step_size) if type(block.connection) is Momentum else (0.0, 1.0)
    attention_mu, gamma = (attention.mu, attention.gamma) if isinstance(attention, MomentumAttention) else (0.0, 1.0)
    return Rates(block.attention_norm.eps, float(mu), float(step_size), EPSILON, float(attention_mu), float(gamma))
