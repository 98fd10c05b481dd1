"""The floors under a decode step: its matrix products on buffers that are there already, and what it reads from memory.

No program that multiplies the same matrices with torch can be faster; one with products of its own can, as the engine has for few
rows. Both layouts of the weights are tried, as a library would, and the faster one counts. The state of a linear attention is
read and written once; the cache of softmax attention is not counted. The other floor counts bytes: all weights once, and the
state of every row, read in one piece as fast as torch adds up numbers that lie there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

STATES = {"softmax": 0, "linear": 1, "momentum": 2}  # matrices of width x width that a head reads and writes


@dataclass(frozen=True)
class Shape:
    """A transformer that is measured.

    Attributes:
        layers: number of blocks.
        width: D.
        heads: number of heads.
        tokens: N, length of a sample.
        outputs: numbers that the head needs for a token.
        attention: "softmax", "linear" or "momentum".
    """

    layers: int
    width: int
    heads: int
    tokens: int
    outputs: int
    attention: str = "softmax"

    def __str__(self) -> str:
        return f"{self.layers} layers, width {self.width}, {self.tokens} tokens, {self.attention}"

    @property
    def products(self) -> list[tuple[int, int]]:
        """Inputs and outputs of the matrices of one step."""
        width = self.width
        return [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)] * self.layers + [
            (width, self.outputs)
        ]

    def bytes_read(self, batch: int) -> int:
        """What a step in the middle of a sample reads: float32 weights, and the rows' states or half full caches."""
        if STATES[self.attention]:
            state = STATES[self.attention] * self.width * self.width // self.heads
        else:
            state = 2 * self.width * self.tokens // 2
        return 4 * (sum(a * b for a, b in self.products) + batch * self.layers * state)


def floor(shape: Shape, batch: int) -> Callable[[], float]:
    """A function that does one step's least and returns the seconds it took."""
    weights = [torch.randn(a, b) / a**0.5 for a, b in shape.products]
    transposed = [weight.t().contiguous().t() for weight in weights]
    inputs = [torch.randn(batch, a) for a, _ in shape.products]
    outputs = [torch.empty(batch, b) for _, b in shape.products]
    size = shape.width // shape.heads
    states = [torch.zeros(batch, shape.heads, size, size) for _ in range(STATES[shape.attention] * shape.layers)]

    @torch.inference_mode()
    def job() -> float:
        seconds = []
        for layout in (weights, transposed):
            started = time.perf_counter()
            for x, weight, y in zip(inputs, layout, outputs, strict=True):
                torch.mm(x, weight, out=y)
            seconds.append(time.perf_counter() - started)
        started = time.perf_counter()
        for state in states:
            state.add_(1.0)
        return min(seconds) + time.perf_counter() - started

    return job


def reading(shape: Shape, batch: int) -> Callable[[], float]:
    """A function that reads as much memory as one step must and returns the seconds it took."""
    memory = torch.ones(shape.bytes_read(batch) // 4)

    def job() -> float:
        started = time.perf_counter()
        memory.sum()
        return time.perf_counter() - started

    return job
