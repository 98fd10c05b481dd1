"""What a command imports, sooner: without looking for garbage in between."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def torch_imported() -> Iterator[None]:
    """Imports torch and whatever the body imports.

    That makes half a million objects that stay. Python would go through them for garbage again and again, a tenth of the start,
    and once more in the middle of a draw; so it does not look meanwhile, and leaves them out from then on.
    """
    if "torch" in sys.modules or not gc.isenabled():  # a program that calls a command has its own ideas
        yield
        return
    gc.disable()
    try:
        import torch  # noqa: F401

        yield
        gc.freeze()
    finally:
        gc.enable()
