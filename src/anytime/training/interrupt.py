"""Ctrl-C and SIGTERM, turned into a question that the training loop asks between two steps."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType


class Interrupt:
    """While it is entered, the first signal is only noted; a second Ctrl-C stops at once, as usual.

    Example:
        with Interrupt() as interrupt:
            while not interrupt.asked: ...
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Interrupt:
        self._before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in self._before:
            signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
