"""How much memory tensors take while something runs: counted from the tensors themselves, so that nothing else is in it.

Every operation's results are looked at as they are made, and forgotten when their memory is given back. What a single operation
takes and gives back inside itself is not seen, nor are tensors that were there before.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Live(TorchDispatchMode):
    """Counts the bytes of all tensors that are made while it is entered.

    Attributes:
        bytes: that are there now.
        peak: the most that were there at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.peak = 0
        self._known: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Does what was asked for, and looks at what came out."""
        given = {id(each.untyped_storage()) for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)}
        result = operation(*args, **(kwargs or {}))
        for each in tree_leaves(result):
            if isinstance(each, torch.Tensor) and id(each.untyped_storage()) not in given:
                self._watch(each.untyped_storage())
        return result

    def _watch(self, storage: torch.UntypedStorage) -> None:
        if storage in self._known:
            return
        self._known.add(storage)
        self.bytes += storage.nbytes()
        self.peak = max(self.peak, self.bytes)
        weakref.finalize(storage, self._forget, storage.nbytes())

    def _forget(self, size: int) -> None:
        self.bytes -= size


def peak_bytes(work: Callable[[], object]) -> int:
    """The most bytes of tensors that `work` had at once beside those that were there before."""
    with Live() as live:
        work()
    return live.peak
