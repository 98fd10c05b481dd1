"""The engine's program with numba: a step in one call, see `layers.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from anytime.networks.engine.plan import COLUMNS, Rates, Shape, room
from anytime.networks.engine.products import sgemm_address
from anytime.networks.engine.program import Program, turned
from anytime.networks.transformer import CausalTransformer, TransformerState

ACTIVATIONS: dict[type, int] = {nn.GELU: kernels.GELU, nn.ReLU: kernels.RELU, nn.SiLU: kernels.SILU}
LAYERS: dict[type, Callable[[int], Callable[..., Any]]] = {
    SoftmaxAttention: layers.softmax_layers,
    LinearAttention: partial(layers.recurrent_layers, plain=True),
    MomentumAttention: partial(layers.recurrent_layers, plain=False),
}
FEATURES: dict[Any, int] = {elu_plus_one: kernels.ELU, relu_plus: kernels.RELU_PLUS, exponential: kernels.EXP}
NONE = np.empty(0, np.int64)  # no tokens


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
        work = torch.empty(room(batch, width, hidden), dtype=torch.float32)
        self.x, self.h = work[: 2 * batch * width].view(2, batch, width)  # they come first, see `Buffers`
        self.embedding = self.x[:, : self.embedding.shape[1]]
        self.held: list[Tensor] = []  # what the addresses belong to
        rows = [self._row(block, memory) for block, memory in zip(self.blocks, state.memories, strict=True)]
        last = self._addresses(8 * [None] + [model.norm.weight, model.norm.bias], COLUMNS)
        self.plan, self.work = np.array([*rows, last]), work.numpy()
        self.settings = np.array(_rates(self.blocks[0], attention))
        self.numbers = np.array(self._shape(batch, attention), np.int64)
        self.reads_out = self.numbers[Shape._fields.index("output")] != 0
        self.embeds = state.tokens is None and not self.neighbours
        self.previous = NONE
        self.run = LAYERS[type(attention)](attention.head_width)

    def _embed(self, previous: Tensor | None, state: TransformerState, known: int) -> None:
        """Leaves it to the compiled step, but for a first token, and what looks back further than one."""
        if previous is None or not self.embeds:
            self.previous = NONE
            super()._embed(previous, state, known)
        else:
            self.previous = previous.contiguous().numpy()

    def _through(self, position: int, known: int) -> Tensor:
        parameters = self.run(self.numbers, self.settings, self.work, self.plan, self.previous, position, known)
        return torch.from_numpy(parameters) if self.reads_out else self._read_out(self.h, known)

    def _row(self, block: Block, memory: Any) -> list[int]:
        """The addresses of one layer."""
        attention, (up, _, _, down) = block.attention, block.feed_forward
        assert isinstance(attention, SoftmaxAttention | LinearAttention | MomentumAttention)
        maps = [each for each in (attention.query_key_value, attention.output, up, down) if isinstance(each, nn.Linear)]
        parts = [part for each in maps for part in (self._lying(each.weight), each.bias)]
        parts += [part for norm in (block.attention_norm, block.feed_forward_norm) for part in (norm.weight, norm.bias)]
        return self._addresses([*parts, *_memories(memory)], COLUMNS)

    def _lying(self, weight: Tensor) -> Tensor:
        """A tensor in whose memory a weight lies as the products read it: itself, most of the time."""
        return weight if self.turned and weight.stride(0) == 1 else turned(weight, self.turned)

    def _addresses(self, tensors: Sequence[Tensor | None], count: int) -> list[int]:
        """Where they lie, nought for those that are not there, and noughts up to `count`."""
        self.held += [each.detach() for each in tensors if each is not None]  # parameters may be given other memory
        found = [0 if each is None else each.data_ptr() for each in tensors]
        return found + [0] * (count - len(found))

    def _shape(self, batch: int, attention: Any) -> Shape:
        config, block, state = self.model.config, self.blocks[0], (self.table, self.places.contiguous(), self.condition)
        table, places, condition = self._addresses([None if each is None else each.contiguous() for each in state], 3)
        apart = config.token_per_position
        return Shape(
            sgemm=sgemm_address(),
            turned=int(self.turned),
            rows=batch,
            width=config.width,
            heads=attention.heads,
            hidden=config.expansion * config.width,
            length=self.model.length,
            before=int(block.before),
            activation=ACTIVATIONS[type(block.feed_forward[1])],
            features=0 if isinstance(attention, SoftmaxAttention) else FEATURES[attention.features],
            table=table,
            embedded=self.table.shape[1],
            kinds=self.outside if apart else len(self.table),
            next_kinds=self.outside if apart else 0,
            places=places,
            condition=condition,
            **self._last(),
        )

    def _last(self) -> dict[str, int]:
        """Where the last map lies."""
        output = self.model.output
        if output.bias is None:
            return {"outputs": 0, "output": 0, "output_turned": 0, "next_output": 0, "output_bias": 0, "next_bias": 0}
        outputs, single = output.bias.shape[-1], isinstance(output, nn.Linear)
        weight = turned(output.weight, self.turned) if single else output.weight.detach()
        inner = weight if single else weight[0]
        where, bias = self._addresses([weight, output.bias], 2)
        between = (0, 0) if single else (weight.stride(0), outputs)
        last = {"outputs": outputs, "output": where, "output_turned": int(inner.is_contiguous())}
        return last | {"next_output": between[0], "output_bias": bias, "next_bias": between[1]}


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
