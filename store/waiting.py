"""A bound on how long this process waits for PostgreSQL.

The server keeps its own time limits, and TCP keeps those of the network. A server that is frozen
keeps neither: its kernel goes on acknowledging what it will never answer.
"""

import select
from time import monotonic
from typing import Any

import psycopg2
from psycopg2 import extensions

_EVENTS = {extensions.POLL_READ: select.POLLIN, extensions.POLL_WRITE: select.POLLOUT}


def bound_waits(seconds: float) -> None:
    """Raise OperationalError, and close the connection, when an answer takes longer than that.

    psycopg2 has one hook for this, and it is the whole process's.
    """

    def wait(connection: Any) -> None:
        deadline = monotonic() + seconds
        while (state := connection.poll()) != extensions.POLL_OK:
            poll = select.poll()
            poll.register(connection.fileno(), _EVENTS[state])
            if not poll.poll(max(deadline - monotonic(), 0) * 1000):
                raise psycopg2.OperationalError(f"no answer in {seconds:g} s")

    extensions.set_wait_callback(wait)
