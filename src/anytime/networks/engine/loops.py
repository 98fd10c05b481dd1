"""One position of each attention, compiled by numba for one width of the heads.

What costs is the memory of the past, and it is passed over once: a cache is read, a state read and written, and each of its rows
serves the output while it is at hand. That the width is a constant to the compiler makes this several times as fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from anytime.networks.engine.kernels import Array, F, compiled, exp, map_features


@cache
def softmax(width: int) -> Callable[..., None]:
    """The step of `softmax.py` for heads of that width D."""
    scale = F(1 / math.sqrt(width))

    @compiled
    def attend(qkv: Array, keys: Array, values: Array, position: int, out: Array) -> None:
        """One query a row, after its own key and value joined the cache: qkv (R, 3 H D), cache (R, H, L, D), out (R, H D).

        Four positions at a time, so that as many sums are under way at once; past the end the last one stands in, with weight 0.
        """
        query, output = np.empty(width, np.float32), np.empty(width, np.float32)
        scores = np.zeros(position + 4, np.float32)
        rows, heads = keys.shape[:2]
        for r in range(rows):
            for h in range(heads):
                for i in range(width):
                    query[i], output[i] = scale * qkv[r, h * width + i], F(0)
                    keys[r, h, position, i] = qkv[r, (heads + h) * width + i]
                    values[r, h, position, i] = qkv[r, (2 * heads + h) * width + i]
                for t in range(0, position + 1, 4):
                    t1, t2, t3 = min(t + 1, position), min(t + 2, position), min(t + 3, position)
                    a, b, c, d = F(0), F(0), F(0), F(0)
                    for i in range(width):
                        a += query[i] * keys[r, h, t, i]
                        b += query[i] * keys[r, h, t1, i]
                        c += query[i] * keys[r, h, t2, i]
                        d += query[i] * keys[r, h, t3, i]
                    scores[t], scores[t + 1], scores[t + 2], scores[t + 3] = a, b, c, d
                highest, mass = scores[: position + 1].max(), F(0)
                for t in range(position + 1):
                    scores[t] = exp(scores[t] - highest)
                    mass += scores[t]
                scores[position + 1 :] = F(0)
                for t in range(0, position + 1, 4):
                    t1, t2, t3 = min(t + 1, position), min(t + 2, position), min(t + 3, position)
                    a, b, c, d = scores[t], scores[t + 1], scores[t + 2], scores[t + 3]
                    for i in range(width):
                        output[i] += (
                            a * values[r, h, t, i] + b * values[r, h, t1, i] + c * values[r, h, t2, i] + d * values[r, h, t3, i]
                        )
                for i in range(width):
                    out[r, h * width + i] = output[i] / mass

    return attend


@cache
def recurrence(width: int) -> tuple[Callable[..., None], Callable[..., None]]:
    """The steps of `linear.py` and of `momentum.py` for heads of that width D."""

    @compiled
    def prepare(qkv: Array, mass: Array, r: int, h: int, features: int, epsilon: Any) -> Any:
        """phi(q) and phi(k) in place, Z = Z + phi(k); phi(q) . Z + epsilon."""
        heads = mass.shape[1]
        map_features(qkv[r, h * width : (h + 1) * width], features)
        map_features(qkv[r, (heads + h) * width : (heads + h + 1) * width], features)
        total = F(epsilon)
        for i in range(width):
            mass[r, h, i] += qkv[r, (heads + h) * width + i]
            total += qkv[r, h * width + i] * mass[r, h, i]
        return total

    @compiled
    def linear(qkv: Array, sums: Array, mass: Array, features: int, epsilon: Any, out: Array) -> None:
        """S = S + k v^T, o = q^T S / (q . Z + epsilon): qkv (R, 3 H D), S (R, H, D, D), Z (R, H, D), out (R, H D)."""
        value, output = np.empty(width, np.float32), np.empty(width, np.float32)
        rows, heads = mass.shape[:2]
        for r in range(rows):
            for h in range(heads):
                total = prepare(qkv, mass, r, h, features, epsilon)
                for j in range(width):
                    value[j], output[j] = qkv[r, (2 * heads + h) * width + j], F(0)
                for i in range(width):
                    query, key = qkv[r, h * width + i], qkv[r, (heads + h) * width + i]
                    for j in range(width):
                        entry = sums[r, h, i, j] + key * value[j]
                        sums[r, h, i, j] = entry
                        output[j] += query * entry
                for j in range(width):
                    out[r, h * width + j] = output[j] / total

    @compiled
    def momentum(
        qkv: Array, sums: Array, mass: Array, speed: Array, mu: Any, gamma: Any, features: int, epsilon: Any, out: Array
    ) -> None:
        """P = mu P - gamma k v^T, S = S - P, o as for `linear`; P is of the shape of S."""
        value, output = np.empty(width, np.float32), np.empty(width, np.float32)
        rows, heads = mass.shape[:2]
        for r in range(rows):
            for h in range(heads):
                total = prepare(qkv, mass, r, h, features, epsilon)
                for j in range(width):
                    value[j], output[j] = qkv[r, (2 * heads + h) * width + j], F(0)
                for i in range(width):
                    query, key = qkv[r, h * width + i], F(gamma) * qkv[r, (heads + h) * width + i]
                    for j in range(width):
                        moved = F(mu) * speed[r, h, i, j] - key * value[j]
                        entry = sums[r, h, i, j] - moved
                        speed[r, h, i, j], sums[r, h, i, j] = moved, entry
                        output[j] += query * entry
                for j in range(width):
                    out[r, h * width + j] = output[j] / total

    return linear, momentum
