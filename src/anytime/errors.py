"""The one error a user can cause: what is wrong, where, and what to do about it.

The command line prints it in one line and exits with 2; a program may catch it. Whatever else escapes is a bug of ours and
keeps its traceback.
"""

from __future__ import annotations


class AnytimeError(Exception):
    """A mistake that the caller can mend: a missing file, a corrupt one, an impossible option.

    Args:
        what: what is wrong, with the file, option or value that is at fault.
        do: what to do about it, as an instruction. Printed after the first part.
    """

    def __init__(self, what: str, do: str = "") -> None:
        self.what, self.do = what, do
        super().__init__(f"{what}. {do}" if do else what)
