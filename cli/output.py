"""Standard output, and what happens when nobody reads it any more."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console

READER_GONE = 141
"""What a shell calls the end by SIGPIPE (128 + 13), as `cat … | head` ends."""


class Output(Console):
    """The console that data goes to."""

    def __init__(self, *, quiet: bool = False) -> None:
        """Write to stdout; `quiet` writes nothing."""
        super().__init__(highlight=False, quiet=quiet)

    def on_broken_pipe(self) -> NoReturn:
        """Leave the end to `until_unread`: rich would end with 1, as a failure does."""
        raise BrokenPipeError


@contextmanager
def until_unread() -> Iterator[None]:
    """Write what is written in the block to the end, or end the process with READER_GONE.

    Nothing is said: whoever reads on with `head` has what was wanted. Raises SystemExit.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # what is left in the buffers goes nowhere, without a word at the end of the process
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(READER_GONE) from None
