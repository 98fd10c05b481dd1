"""One position of each attention, compiled by numba for one width of the heads.

What costs is the memory of the past, and it is passed over once: a cache is read, a state read and written, and each of its rows
serves the output while it is at hand. That the width is a constant to the compiler makes this several times as fast: these are
parts of the functions of `layers.py`, which know it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from anytime.compiled import Array, inlined
from anytime.networks.engine.kernels import F, exp, map_features


@inlined
def softmax(width: int, qkv: Array, keys: Array, values: Array, position: int, out: Array) -> None:
    """One query a row, after its own key and value joined the cache: qkv (R, 3, H, D), cache (R, L, H, D), out (R, H, D).

    A row's keys are read from first to last, all heads of a position together, for memory is fast only when it is read in order.
    Four positions at a time, so that as many sums are under way at once; past the end the last one stands in, with weight 0.
    """
    rows, _, heads = keys.shape[:3]
    scores, scale = np.empty((heads, position + 4), np.float32), F(1 / math.sqrt(width))
    for r in range(rows):
        k, v = keys[r], values[r]
        for h in range(heads):
            query, key, value, output = qkv[r, 0, h], qkv[r, 1, h], qkv[r, 2, h], out[r, h]
            new_key, new_value = k[position, h], v[position, h]
            for i in range(width):
                query[i] *= scale
                new_key[i], new_value[i], output[i] = key[i], value[i], F(0)
        for t in range(0, position + 1, 4):
            t1, t2, t3 = min(t + 1, position), min(t + 2, position), min(t + 3, position)
            for h in range(heads):
                query, k0, k1, k2, k3 = qkv[r, 0, h], k[t, h], k[t1, h], k[t2, h], k[t3, h]
                a, b, c, d = F(0), F(0), F(0), F(0)
                for i in range(width):
                    a += query[i] * k0[i]
                    b += query[i] * k1[i]
                    c += query[i] * k2[i]
                    d += query[i] * k3[i]
                scores[h, t], scores[h, t + 1], scores[h, t + 2], scores[h, t + 3] = a, b, c, d
        for h in range(heads):
            weigh(scores[h], position)
        for t in range(0, position + 1, 4):
            t1, t2, t3 = min(t + 1, position), min(t + 2, position), min(t + 3, position)
            for h in range(heads):
                output, v0, v1, v2, v3 = out[r, h], v[t, h], v[t1, h], v[t2, h], v[t3, h]
                a, b, c, d = scores[h, t], scores[h, t + 1], scores[h, t + 2], scores[h, t + 3]
                for i in range(width):
                    output[i] += a * v0[i] + b * v1[i] + c * v2[i] + d * v3[i]


@inlined
def weigh(scores: Array, position: int) -> None:
    """Softmax of the first `position` + 1 scores, in place, and 0 after them."""
    highest, mass = scores[0], F(0)
    for t in range(position + 1):
        highest = max(highest, scores[t])
    for t in range(position + 1):
        scores[t] = exp(scores[t] - highest)
        mass += scores[t]
    for t in range(position + 1):
        scores[t] /= mass
    scores[position + 1 :] = F(0)


@inlined
def prepare(width: int, qkv: Array, mass: Array, r: int, h: int, features: int, epsilon: Any) -> Any:
    """phi(q) and phi(k) in place, Z = Z + phi(k); phi(q) . Z + epsilon."""
    heads = mass.shape[1]
    map_features(qkv[r, h * width : (h + 1) * width], features)
    map_features(qkv[r, (heads + h) * width : (heads + h + 1) * width], features)
    total = F(epsilon)
    for i in range(width):
        mass[r, h, i] += qkv[r, (heads + h) * width + i]
        total += qkv[r, h * width + i] * mass[r, h, i]
    return total


@inlined
def linear(width: int, qkv: Array, sums: Array, mass: Array, features: int, epsilon: Any, out: Array) -> None:
    """S = S + k v^T, o = q^T S / (q . Z + epsilon): qkv (R, 3 H D), S (R, H, D, D), Z (R, H, D), out (R, H D)."""
    value, output = np.empty(width, np.float32), np.empty(width, np.float32)
    rows, heads = mass.shape[:2]
    for r in range(rows):
        for h in range(heads):
            total = prepare(width, qkv, mass, r, h, features, epsilon)
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


@inlined
def momentum(
    width: int, qkv: Array, sums: Array, mass: Array, speed: Array, mu: Any, gamma: Any, features: int, epsilon: Any, out: Array
) -> None:
    """P = mu P - gamma k v^T, S = S - P, o as for `linear`; P is of the shape of S."""
    value, output = np.empty(width, np.float32), np.empty(width, np.float32)
    rows, heads = mass.shape[:2]
    for r in range(rows):
        for h in range(heads):
            total = prepare(width, qkv, mass, r, h, features, epsilon)
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
