"""The engine's program with numba: torch multiplies matrices, compiled loops do all that lies between two products.

Eight calls a layer on buffers that were allocated once, where plain torch needs some thirty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from anytime.networks.attention import Memory
from anytime.networks.attention.features import elu_plus_one, exponential, relu_plus
from anytime.networks.attention.linear import EPSILON, LinearAttention, LinearState
from anytime.networks.attention.momentum import MomentumAttention, MomentumState
from anytime.networks.attention.softmax import KeyValueCache, SoftmaxAttention
from anytime.networks.block import Block
from anytime.networks.connection import Momentum, Plain
from anytime.networks.engine import kernels, loops
from anytime.networks.engine.program import Program, turned
from anytime.networks.transformer import CausalTransformer, TransformerState

ACTIVATIONS: dict[type, int] = {nn.GELU: kernels.GELU, nn.ReLU: kernels.RELU, nn.SiLU: kernels.SILU}
FEATURES: dict[Any, int] = {elu_plus_one: kernels.ELU, relu_plus: kernels.RELU_PLUS, exponential: kernels.EXP}


def compilable(model: CausalTransformer) -> bool:
    """Whether the loops do what the model does: in float32, without adaptive or reweighted connections."""
    connections = [block.connection for block in model.blocks if isinstance(block, Block)]
    simple = all(type(each) is Plain or (type(each) is Momentum and each.maps is None) for each in connections)
    return model.output.weight.dtype == torch.float32 and simple


class CompiledProgram(Program):
    """Single steps in float32, see `compilable`."""

    def __init__(self, model: CausalTransformer, state: TransformerState) -> None:
        super().__init__(model, state)
        batch, width = self.x.shape
        hidden = model.config.expansion * width
        self.h, self.a, self.g, self.velocity = (torch.zeros(batch, width) for _ in range(4))
        self.qkv, self.hidden = torch.empty(batch, 3 * width), torch.empty(batch, hidden)
        self.fresh = any(type(block.connection) is Momentum for block in self.blocks)
        norms = [block.attention_norm for block in self.blocks if block.before] + [model.norm]
        self.first = self._norm(self.x, self.h, norms[0]) if self.blocks[0].before else None
        self.calls = [
            self._layer(block, memory, norms[min(index, len(norms) - 1)])
            for index, (block, memory) in enumerate(zip(self.blocks, state.memories, strict=True), 1)
        ]
        self.last = None if self.blocks[0].before else self._norm(self.x, self.h, model.norm)

    def _through(self, position: int) -> Tensor:
        if self.fresh:
            self.velocity.zero_()
        if self.first is not None:
            self.first()
        for call in self.calls:
            call(position)
        if self.last is not None:
            self.last()
        return self.h

    def _layer(self, block: Block, memory: Memory, following: nn.LayerNorm) -> Callable[[int], None]:
        """One block; with norms before the branches, the norm that follows the block is done at its end."""
        projection, (up, activation, _, down) = block.attention, block.feed_forward
        assert isinstance(projection, SoftmaxAttention | LinearAttention | MomentumAttention)
        source = self.h if block.before else self.x
        project = _product(source, projection.query_key_value, self.qkv)
        attend = _attention(projection, memory, self.qkv, self.a)
        merge = _product(self.a, projection.output, self.g)
        mu, step_size = (block.connection.mu, block.connection.step_size) if type(block.connection) is Momentum else (0.0, 1.0)
        join = self._join(self.velocity, mu, step_size, block.feed_forward_norm if block.before else block.attention_norm)
        widen, narrow = _product(source, up, self.hidden), _product(self.hidden, down, self.g)
        kind, hidden = ACTIVATIONS[type(activation)], self.hidden.numpy()
        add = self._join(torch.zeros_like(self.x), 0.0, 1.0, following if block.before else block.feed_forward_norm)
        activate = kernels.activate

        def call(position: int) -> None:
            project()
            attend(position)
            merge()
            join()
            widen()
            activate(hidden, kind)
            narrow()
            add()

        return call

    def _join(self, velocity: Tensor, mu: float, step_size: float, norm: nn.LayerNorm) -> Callable[[], None]:
        """What a branch put out joins the stream, and the stream is normalised: in place for norms after the branches."""
        target = self.h if self.blocks[0].before else self.x
        x, g, v, y = self.x.numpy(), self.g.numpy(), velocity.numpy(), target.numpy()
        weight, bias, epsilon = _array(norm.weight), _array(norm.bias), norm.eps
        join = kernels.join_and_normalise
        return lambda: join(x, g, v, mu, step_size, weight, bias, epsilon, y)

    def _norm(self, x: Tensor, y: Tensor, norm: nn.LayerNorm) -> Callable[[], None]:
        a, b, weight, bias, epsilon = x.numpy(), y.numpy(), _array(norm.weight), _array(norm.bias), norm.eps
        return lambda: kernels.normalise(a, weight, bias, epsilon, b)


def _product(x: Tensor, layer: nn.Module, y: Tensor) -> Callable[[], Any]:
    assert isinstance(layer, nn.Linear)
    bias, weight, addmm = layer.bias.detach(), turned(layer.weight, len(x)), torch.addmm
    return lambda: addmm(bias, x, weight, out=y)


def _attention(attention: nn.Module, memory: Memory, qkv: Tensor, out: Tensor) -> Callable[[int], None]:
    """One position of an attention, given its memory, reading `qkv` and writing `out`."""
    q, o = qkv.numpy(), out.numpy()
    if isinstance(attention, SoftmaxAttention):
        assert isinstance(memory, KeyValueCache)
        keys, values = memory.keys.numpy(), memory.values.numpy()
        attend = loops.softmax(attention.head_width)
        return lambda position: attend(q, keys, values, position, o)
    assert isinstance(attention, LinearAttention | MomentumAttention)
    linear, momentum = loops.recurrence(attention.head_width)
    features = FEATURES[attention.features]
    if isinstance(memory, LinearState):
        sums, mass = _sums(memory)
        return lambda position: linear(q, sums, mass, features, EPSILON, o)
    assert isinstance(memory, MomentumState) and isinstance(attention, MomentumAttention)
    memory.speed = memory.speed.contiguous()
    (sums, mass), speed = _sums(memory.sums), memory.speed.numpy()
    mu, gamma = attention.mu, attention.gamma
    return lambda position: momentum(q, sums, mass, speed, mu, gamma, features, EPSILON, o)


def _sums(state: LinearState) -> tuple[Any, Any]:
    """S and Z. A prefix may leave them in another order in memory than the loops are compiled for."""
    state.keys_values, state.keys = state.keys_values.contiguous(), state.keys.contiguous()
    return state.keys_values.numpy(), state.keys.numpy()


def _array(tensor: Tensor) -> Any:
    return tensor.detach().numpy()
