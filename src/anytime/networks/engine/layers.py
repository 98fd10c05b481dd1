"""All layers of a transformer on one position, in one compiled call, however many they are.

What a layer needs lies where torch has it, and the call is given the addresses, a row for each layer. A function is compiled for
each attention and each width of the heads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from anytime.compiled import Array, compiled, inlined
from anytime.networks.engine import loops
from anytime.networks.engine.products import block, product, vector
from anytime.networks.kernels import F, activate, add, join, normalise

# What the columns of a plan are the addresses of: weights and biases of the maps and norms (a bias follows its weight), and the
# memory of the attention.
QKV, QKV_BIAS, OUT, OUT_BIAS, UP, UP_BIAS, DOWN, DOWN_BIAS = range(8)
NORM, NORM_BIAS, SECOND_NORM, SECOND_NORM_BIAS = range(8, 12)
FIRST_MEMORY, SECOND_MEMORY, THIRD_MEMORY = range(12, 15)
COLUMNS = 15


class Shape(NamedTuple):
    """What does not change from step to step, int64 each.

    Attributes:
        sgemm: address of the function that multiplies, 0 for none.
        turned: whether weights are (K, N).
        rows: B.
        heads: H.
        length: of the caches.
        before: whether norms come before the branches.
        activation: see `kernels.activate`.
        features: see `kernels.map_features`.
    """

    sgemm: int
    turned: int
    rows: int
    heads: int
    length: int
    before: int
    activation: int
    features: int


class Rates(NamedTuple):
    """What numbers there are beside the weights, float64 each.

    Attributes:
        norm: epsilon of the norms.
        mu: momentum over depth.
        step_size: of it.
        mass: epsilon of linear attention.
        attention_mu: momentum of the attention.
        gamma: its step size.
    """

    norm: float
    mu: float
    step_size: float
    mass: float
    attention_mu: float
    gamma: float


class Buffers(NamedTuple):
    """Where a step works, (B, D) each but for the last two.

    Attributes:
        x: the stream.
        h: the stream normalised.
        a: what the heads put out.
        g: what a branch puts out.
        v: the velocity over depth.
        qkv: (B, 3 D).
        hidden: (B, hidden).
    """

    x: Array
    h: Array
    a: Array
    g: Array
    v: Array
    qkv: Array
    hidden: Array


@inlined
def begin(shape: Shape, rates: Rates, buffers: Buffers, layer: Array) -> None:
    """The norm before the first layer; for norms after the branches nothing but a velocity of nought."""
    buffers.v[:] = F(0)
    if shape.before:
        width = buffers.x.shape[1]
        normalise(buffers.x, vector(layer[NORM], width), vector(layer[NORM_BIAS], width), rates.norm, buffers.h)


@inlined
def project(shape: Shape, buffers: Buffers, layer: Array) -> None:
    """Queries, keys and values."""
    source = buffers.h if shape.before else buffers.x
    product(shape.sgemm, shape.turned, source, layer[QKV], layer[QKV_BIAS], buffers.qkv)


@inlined
def conclude(shape: Shape, rates: Rates, buffers: Buffers, layer: Array, following: Array) -> None:
    """From what the heads put out to the next layer, whose norm is done here where norms come first."""
    x, g, width = buffers.x, buffers.g, buffers.x.shape[1]
    y = buffers.h if shape.before else x
    first, second, other = (SECOND_NORM, NORM, following) if shape.before else (NORM, SECOND_NORM, layer)
    product(shape.sgemm, shape.turned, buffers.a, layer[OUT], layer[OUT_BIAS], g)
    join(x, g, buffers.v, rates.mu, rates.step_size)
    normalise(x, vector(layer[first], width), vector(layer[first + 1], width), rates.norm, y)
    product(shape.sgemm, shape.turned, y, layer[UP], layer[UP_BIAS], buffers.hidden)
    activate(buffers.hidden, shape.activation)
    product(shape.sgemm, shape.turned, buffers.hidden, layer[DOWN], layer[DOWN_BIAS], g)
    add(x, g)
    normalise(x, vector(other[second], width), vector(other[second + 1], width), rates.norm, y)


@inlined
def finish(shape: Shape, rates: Rates, buffers: Buffers, last: Array) -> None:
    """The norm after the last layer; where norms come first it is done already."""
    if not shape.before:
        width = buffers.x.shape[1]
        normalise(buffers.x, vector(last[NORM], width), vector(last[NORM_BIAS], width), rates.norm, buffers.h)


@inlined
def by_head(shape: Shape, width: int, buffers: Buffers) -> Any:
    """Queries, keys and values (B, 3, H, D / H), and where the heads put out (B, H, D / H)."""
    heads = buffers.qkv.reshape((shape.rows, 3, shape.heads, width))
    return heads, buffers.a.reshape((shape.rows, shape.heads, width))


# Two functions and not one with a branch: what a branch leaves out would be compiled all the same, for some seconds.


@cache
def softmax_layers(width: int) -> Callable[..., None]:
    """For softmax attention with heads of that width."""

    @compiled
    def run(shape: Shape, rates: Rates, buffers: Buffers, plan: Array, position: int) -> None:
        """From the stream `buffers.x` to its last norm in `buffers.h`; a row of `plan` for each layer and one for that norm."""
        cached = shape.rows, shape.length, shape.heads, width
        qkv, out = by_head(shape, width, buffers)
        begin(shape, rates, buffers, plan[0])
        for index in range(len(plan) - 1):
            layer = plan[index]
            project(shape, buffers, layer)
            keys, values = block(layer[FIRST_MEMORY], cached), block(layer[SECOND_MEMORY], cached)
            loops.softmax(width, qkv, keys, values, position, out)
            conclude(shape, rates, buffers, layer, plan[index + 1])
        finish(shape, rates, buffers, plan[-1])

    return run


@cache
def recurrent_layers(width: int, plain: bool) -> Callable[..., None]:
    """For linear attention, which is `plain`, or momentum attention."""

    @compiled
    def run(shape: Shape, rates: Rates, buffers: Buffers, plan: Array, position: int) -> None:
        """As for softmax attention. Where there is no speed, its address is nought and nobody goes there."""
        state, mass, scale = (shape.rows, shape.heads, width * width), F(rates.mass), (F(rates.attention_mu), F(rates.gamma))
        qkv, out = by_head(shape, width, buffers)
        begin(shape, rates, buffers, plan[0])
        for index in range(len(plan) - 1):
            layer = plan[index]
            project(shape, buffers, layer)
            sums, keys = block(layer[FIRST_MEMORY], state), block(layer[SECOND_MEMORY], (shape.rows, shape.heads, width))
            speed = block(layer[THIRD_MEMORY], state)
            loops.recurrent(plain, width, qkv, sums, keys, speed, scale, shape.features, mass, out)
            conclude(shape, rates, buffers, layer, plan[index + 1])
        finish(shape, rates, buffers, plan[-1])

    return run
