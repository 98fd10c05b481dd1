"""Linear and momentum attention along a sequence as the recurrences that they are, forwards and backwards, compiled by numba.

A chunk of `linear.py` is a dozen operations on arrays that leave the cache between any two of them. A state is some kilobytes: on
a CPU it is fastest to walk along the sequence with it, and to walk back for the gradients. With

    c_m = gamma (1 + mu + ... + mu^m)      S_t = sum_{r <= t} c_{t - r} k_r v_r^T      o_t = q_t^T S_t / z_t,  z_t = q_t . Z_t

and g_t the gradient of o_t,

    dn_t = g_t / z_t        dz_t = -(g_t . o_t) / z_t        R_t = sum_{i >= t} c_{i - t} q_i dn_i^T
    dq_t = S_t dn_t + dz_t Z_t        dk_t = R_t v_t + sum_{i >= t} dz_i q_i        dv_t = R_t^T k_t

(Katharopoulos et al. 2020, section 3.3.1, for mu = 0): R is the same recurrence as S, from the end.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from anytime.compiled import Array, compiled, inlined


@inlined
def move(width: int, state: Array, speed: Array, left: Array, right: Array, scale: Any, weights: Array, out: Array) -> None:
    """P = mu P - gamma l r^T, S = S - P and out = w^T S, in one pass over S (D D,); `scale` is (mu, gamma).

    Two rows at a time, for what is added up is then loaded and stored once for both.
    """
    mu, gamma = scale
    for j in range(width):
        out[j] = 0
    for i in range(0, width // 2 * 2, 2):
        a, b, w, x = gamma * left[i], gamma * left[i + 1], weights[i], weights[i + 1]
        one, two = i * width, (i + 1) * width
        for j in range(width):
            moved, other = mu * speed[one + j] - a * right[j], mu * speed[two + j] - b * right[j]
            entry, following = state[one + j] - moved, state[two + j] - other
            speed[one + j], speed[two + j], state[one + j], state[two + j] = moved, other, entry, following
            out[j] += w * entry + x * following
    for i in range(width // 2 * 2, width):
        a, w, one = gamma * left[i], weights[i], i * width
        for j in range(width):
            moved = mu * speed[one + j] - a * right[j]
            entry = state[one + j] - moved
            speed[one + j], state[one + j] = moved, entry
            out[j] += w * entry


@inlined
def add(width: int, state: Array, left: Array, right: Array, weights: Array, out: Array) -> None:
    """The same without momentum, S = S + l r^T and out = w^T S, four rows at a time."""
    for j in range(width):
        out[j] = 0
    for i in range(0, width // 4 * 4, 4):
        a, b, c, d = left[i], left[i + 1], left[i + 2], left[i + 3]
        w, x, y, z = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        one, two, three, four = i * width, (i + 1) * width, (i + 2) * width, (i + 3) * width
        for j in range(width):
            e, f = state[one + j] + a * right[j], state[two + j] + b * right[j]
            g, h = state[three + j] + c * right[j], state[four + j] + d * right[j]
            state[one + j], state[two + j], state[three + j], state[four + j] = e, f, g, h
            out[j] += w * e + x * f + y * g + z * h
    for i in range(width // 4 * 4, width):
        a, w, one = left[i], weights[i], i * width
        for j in range(width):
            entry = state[one + j] + a * right[j]
            state[one + j] = entry
            out[j] += w * entry


@inlined
def go_on(
    plain: bool, width: int, state: Array, speed: Array, left: Array, right: Array, scale: Any, weights: Array, out: Array
) -> None:
    """One step of either."""
    if plain:
        add(width, state, left, right, weights, out)
    else:
        move(width, state, speed, left, right, scale, weights, out)


@cache
def walks(width: int, plain: bool) -> tuple[Callable[..., None], Callable[..., None]]:
    """The walk along sequences and the walk for their gradients, for heads of that width D.

    Args:
        width: D.
        plain: without momentum, mu = 0 and gamma = 1.
    """
    size = width * width

    @compiled
    def forwards(q: Array, k: Array, v: Array, scale: Any, epsilon: Any, first: int, last: int, out: Array, mass: Array) -> None:
        """The heads `first` to `last` - 1 of all: q, k, v and out (B, T, H, D), mass (B, T, H); `scale` is (mu, gamma).

        A position's heads are done together, for memory is fast only when it is read in order.
        """
        batch, length, heads = mass.shape
        states, speeds, keys = (
            np.empty((heads, size), q.dtype),
            np.empty((heads, size), q.dtype),
            np.empty((heads, width), q.dtype),
        )
        for b in range(batch):
            states[:], speeds[:], keys[:] = 0, 0, 0
            for t in range(length):
                for h in range(first, last):
                    query, key, row, seen, total = q[b, t, h], k[b, t, h], out[b, t, h], keys[h], epsilon
                    for i in range(width):
                        seen[i] += key[i]
                        total += query[i] * seen[i]
                    go_on(plain, width, states[h], speeds[h], key, v[b, t, h], scale, query, row)
                    mass[b, t, h], share = total, 1 / total
                    for i in range(width):
                        row[i] *= share

    @compiled
    def backwards(
        q: Array,
        k: Array,
        v: Array,
        scale: Any,
        first: int,
        last: int,
        out: Array,
        mass: Array,
        g: Array,
        dq: Array,
        dk: Array,
        dv: Array,
    ) -> None:
        """Gradients (B, T, H, D) of those heads, given g, that of `out`."""
        batch, length, heads = mass.shape
        slopes, shares = np.empty(q.shape[1:], q.dtype), np.empty((length, heads), q.dtype)
        states, speeds, sums = (
            np.empty((heads, size), q.dtype),
            np.empty((heads, size), q.dtype),
            np.empty((heads, width), q.dtype),
        )
        others, velocities = np.empty((heads, size), q.dtype), np.empty((heads, size), q.dtype)
        for b in range(batch):
            states[:], speeds[:], sums[:] = 0, 0, 0
            for t in range(length):  # S from the beginning, turned, so that its rows are added up
                for h in range(first, last):
                    slope, gradient, output, row, seen = slopes[t, h], g[b, t, h], out[b, t, h], dq[b, t, h], sums[h]
                    share, inverse, key = 0 * scale[0], 1 / mass[b, t, h], k[b, t, h]
                    for i in range(width):
                        slope[i] = gradient[i] * inverse
                        share -= slope[i] * output[i]
                    go_on(plain, width, states[h], speeds[h], v[b, t, h], key, scale, slope, row)
                    shares[t, h] = share
                    for i in range(width):
                        seen[i] += key[i]
                        row[i] += share * seen[i]
            states[:], speeds[:], sums[:], others[:], velocities[:] = 0, 0, 0, 0, 0
            for t in range(length - 1, -1, -1):  # R from the end, and R turned
                for h in range(first, last):
                    query, slope, row, seen, share = q[b, t, h], slopes[t, h], dk[b, t, h], sums[h], shares[t, h]
                    go_on(plain, width, states[h], speeds[h], query, slope, scale, k[b, t, h], dv[b, t, h])
                    go_on(plain, width, others[h], velocities[h], slope, query, scale, v[b, t, h], row)
                    for i in range(width):
                        seen[i] += share * query[i]
                        row[i] += seen[i]

    return forwards, backwards
