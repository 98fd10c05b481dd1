"""Whole sequences of the linear family on a CPU: by the compiled recurrences where numba is, else in chunks by torch.

Both are exact and O(L); this one keeps nothing for its gradients but inputs, outputs and masses.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from anytime.optional import MOST_THREADS, loops_pay

SHORTEST = 32  # on sequences shorter than that torch's own operations are not slower


def walkable(x: Tensor) -> bool:
    """Whether `walk` is there and pays for (B, T, ...) inputs. Compilers and function transforms get torch's own operations."""
    traced = torch.compiler.is_compiling() or torch._C._functorch.maybe_current_level() is not None
    here = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64, torch.bfloat16) and not traced
    return here and x.shape[1] >= SHORTEST and loops_pay()


def walk(query: Tensor, key: Tensor, value: Tensor, heads: int, mu: float, gamma: float, epsilon: float) -> Tensor:
    """Causal momentum attention from an empty state; mu = 0 and gamma = 1 make it linear attention.

    Args:
        query: phi(q), (B, T, H D), heads side by side.
        key: phi(k), likewise.
        value: likewise.
        heads: H.
        mu: momentum.
        gamma: step size.
        epsilon: added to the mass.

    Returns:
        (B, T, H D).
    """
    found: Tensor = _Walk.apply(query.contiguous(), key.contiguous(), value.contiguous(), heads, mu, gamma, epsilon)  # type: ignore[no-untyped-call]
    return found


class _Walk(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, mu: float, gamma: float, epsilon: float) -> Tensor:
        """See `walk`."""
        out, mass = torch.empty_like(q), q.new_empty(*q.shape[:2], heads)
        ctx.heads, ctx.scale = heads, _in_precision(q, mu, gamma)
        ctx.save_for_backward(q, k, v, out, mass)
        arrays = [*(_by_head(each, heads) for each in (q, k, v, out)), mass.numpy()]
        forwards, (small,) = _walks(q.shape[2] // heads, ctx.scale)[0], _in_precision(q, epsilon)
        _shared(heads, lambda a, b: forwards(*arrays[:3], ctx.scale, small, a, b, *arrays[3:]))
        return out

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Walks to the end and back."""
        (*saved, mass), heads = ctx.saved_tensors, ctx.heads
        found = [torch.empty_like(each) for each in saved[:3]]
        others = [_by_head(each, heads) for each in (gradient.contiguous(), *found)]
        arrays = [*(_by_head(each, heads) for each in saved), mass.numpy(), *others]
        backwards = _walks(gradient.shape[2] // heads, ctx.scale)[1]
        _shared(heads, lambda a, b: backwards(*arrays[:3], ctx.scale, a, b, *arrays[3:]))
        return (*found, None, None, None, None)


def _by_head(x: Tensor, heads: int) -> Any:
    """(B, T, H D) as an array (B, T, H, D)."""
    return x.detach().unflatten(2, (heads, x.shape[2] // heads)).numpy()


def _in_precision(like: Tensor, *numbers: float) -> tuple[Any, ...]:
    kind = np.float64 if like.dtype == torch.float64 else np.float32
    return tuple(kind(number) for number in numbers)


def _shared(count: int, work: Any) -> None:
    """work(begin, end) over 0..count, in as many threads as torch has."""
    threads = min(torch.get_num_threads(), count)
    if threads == 1:
        work(0, count)
        return
    cuts = [count * i // threads for i in range(threads + 1)]
    list(_pool().map(work, cuts[:-1], cuts[1:]))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MOST_THREADS)


def _walks(width: int, scale: tuple[Any, Any]) -> Any:
    from anytime.networks.attention.recurrence import walks  # it takes half a second to import

    return walks(width, scale[0] == 0 and scale[1] == 1)
