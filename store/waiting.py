"""A bound on how long this process waits for PostgreSQL.

The server keeps its own time limits, and TCP keeps those of the network. A server that is frozen
keeps neither: its kernel goes on acknowledging what it will never answer.
"""

import math
import select
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any

import psycopg2
from psycopg2 import extensions

_EVENTS = {extensions.POLL_READ: select.POLLIN, extensions.POLL_WRITE: select.POLLOUT}
_deadline = ContextVar("deadline", default=math.inf)  # each thread has its own


@contextmanager
def within(seconds: float) -> Iterator[float]:
    """Let all bounded waits of the block end by then; yields that time, of `time.monotonic`.

    Blocks may be nested: the earliest end holds.
    """
    before = _deadline.set(min(monotonic() + seconds, _deadline.get()))
    try:
        yield _deadline.get()
    finally:
        _deadline.reset(before)


def bound_waits(seconds: float) -> None:
    """Raise OperationalError, and close the connection, when an answer takes longer than that.

    psycopg2 has one hook for this, and it is the whole process's. With it libpq connects without
    waiting, and so without its `connect_timeout`.
    """

    def wait(connection: Any) -> None:
        start = monotonic()
        with within(seconds) as deadline:
            while (state := connection.poll()) != extensions.POLL_OK:
                poll = select.poll()
                poll.register(connection.fileno(), _EVENTS[state])
                if not poll.poll(max(deadline - monotonic(), 0) * 1000):
                    raise psycopg2.OperationalError(f"no answer in {monotonic() - start:.1f} s")

    extensions.set_wait_callback(wait)
