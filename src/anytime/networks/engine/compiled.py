"""The engine's program with numba: a step in one call, see `layers.py`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anytime.networks import kernels
from anytime.networks.attention.linear import EPSILON, LinearAttention, LinearState
from anytime.networks.attention.momentum import MomentumAttention, MomentumState
from anytime.networks.attention.softmax import KeyValueCache, SoftmaxAttention
from anytime.networks.block import Block
from anytime.networks.connection import Momentum
from anytime.networks.engine import layers
from anytime.networks.engine.plan import FIRST_MEMORY, Rates, Shape, room
from anytime.networks.engine.products import sgemm_address
from anytime.networks.engine.program import Program
from anytime.networks.engine.weights import FEATURES, Weights
from anytime.networks.transformer import CausalTransformer, TransformerState

ACTIVATIONS: dict[type, int] = {nn.GELU: kernels.GELU, nn.ReLU: kernels.RELU, nn.SiLU: kernels.SILU}
LAYERS: dict[type, Callable[[int], Callable[..., Any]]] = {
    SoftmaxAttention: layers.softmax_layers,
    LinearAttention: partial(layers.recurrent_layers, plain=True),
    MomentumAttention: partial(layers.recurrent_layers, plain=False),
}
NONE = np.empty(0, np.int64)  # no tokens


class CompiledProgram(Program):
    """Single steps in float32.

    Args:
        model: see `Program`.
        state: see `Program`.
        weights: of the model, which are `compilable`.
    """

    def __init__(self, model: CausalTransformer, state: TransformerState, weights: Weights) -> None:
        super().__init__(model, state, weights)
        (batch, width), first = self.x.shape, weights.blocks[0]
        attention, hidden = first.attention, model.config.expansion * width
        assert isinstance(attention, SoftmaxAttention | LinearAttention | MomentumAttention)
        work = torch.empty(room(batch, width, hidden), dtype=torch.float32)
        self.x, self.h = work[: 2 * batch * width].view(2, batch, width)  # they come first, see `Buffers`
        self.embedding = self.x[:, : self.embedding.shape[1]]
        self.condition = None if self.condition is None else self.condition.contiguous()
        self.weights, self.held = weights, [memory for layer in state.memories for memory in _memories(layer)]
        self.plan, self.work = weights.plan.copy(), work.numpy()
        memories = np.array([each.data_ptr() for each in self.held]).reshape(len(weights.blocks), -1)
        self.plan[:-1, FIRST_MEMORY : FIRST_MEMORY + memories.shape[1]] = memories
        self.embeds = state.tokens is None and not self.neighbours
        self.settings, self.numbers = np.array(_rates(first, attention)), np.array(self._shape(batch, attention), np.int64)
        self.reads_out = weights.last["output"] != 0
        self.previous = NONE
        self.run = LAYERS[type(attention)](attention.head_width)

    def _embed(self, previous: Tensor | None, state: TransformerState, known: int) -> None:
        """Leaves it to the compiled step, but for what looks back further than one."""
        if self.embeds:
            self.previous = NONE if previous is None else previous.contiguous().numpy()
        else:
            super()._embed(previous, state, known)

    def _through(self, position: int, known: int) -> Tensor:
        parameters = self.run(self.numbers, self.settings, self.work, self.plan, self.previous, position, known)
        return torch.from_numpy(parameters) if self.reads_out else self._read_out(self.h, known)

    def _shape(self, batch: int, attention: Any) -> Shape:
        config, block, apart = self.model.config, self.weights.blocks[0], self.model.config.token_per_position
        return Shape(
            sgemm=sgemm_address(),
            turned=int(self.weights.turned),
            rows=batch,
            width=config.width,
            heads=attention.heads,
            hidden=config.expansion * config.width,
            length=self.model.length,
            before=int(block.before),
            activation=ACTIVATIONS[type(block.feed_forward[1])],
            features=0 if isinstance(attention, SoftmaxAttention) else FEATURES[attention.features],
            embeds=int(self.embeds),
            embedded=self.table.shape[1],
            kinds=self.outside if apart else len(self.table),
            next_kinds=self.outside if apart else 0,
            condition=0 if self.condition is None else self.condition.data_ptr(),
            **self.weights.inputs,
            **self.weights.last,
        )


def _memories(memory: Any) -> list[Tensor]:
    """The tensors of a memory. A prefix may leave them in another order than the loops are compiled for."""
    if isinstance(memory, KeyValueCache):
        if not memory.keys.transpose(1, 2).is_contiguous() or not memory.values.transpose(1, 2).is_contiguous():
            both = memory.keys, memory.values
            memory.keys, memory.values = (each.transpose(1, 2).contiguous().transpose(1, 2) for each in both)
        return [memory.keys, memory.values]
    if isinstance(memory, MomentumState):
        memory.speed = memory.speed.contiguous()
        return [*_memories(memory.sums), memory.speed]
    assert isinstance(memory, LinearState)
    memory.keys_values, memory.keys = memory.keys_values.contiguous(), memory.keys.contiguous()
    return [memory.keys_values, memory.keys]


def _rates(block: Block, attention: Any) -> Rates:
    mu, step_size = (block.connection.mu, block.connection.step_size) if type(block.connection) is Momentum else (0.0, 1.0)
    attention_mu, gamma = (attention.mu, attention.gamma) if isinstance(attention, MomentumAttention) else (0.0, 1.0)
    return Rates(block.attention_norm.eps, float(mu), float(step_size), EPSILON, float(attention_mu), float(gamma))
