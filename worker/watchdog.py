"""Ends a worker that has work and gets none of it done, so that its supervisor starts it anew.

A worker may be alive, answer `inspect ping`, and consume nothing: its children hang, or its
consumer did not come back after the broker was away.
"""

import os
import signal
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from threading import Thread
from time import sleep
from typing import Any, cast

from celery import Celery
from celery.worker import state
from kombu.transport.virtual import Channel

from opssage.log import get_logger
from worker.dispatch import waiting

log = get_logger(__name__)

_LOOKS = 6
"""How many looks in a row make a silence.

Counted instead of timed: a process that was stopped or suspended for a while must not take its own
absence for one.
"""


class Silence:
    """Tells that nothing has moved although there was work, at every one of the last looks."""

    def __init__(self, progress: Callable[[], Hashable], has_work: Callable[[], bool]) -> None:
        """Take what changes whenever a task begins or ends, and what says that more should."""
        self._progress = progress
        self._has_work = has_work
        self._seen: Hashable = None
        self._looks = 0

    def look(self) -> bool:
        """Look once; True when this is enough."""
        before, self._seen = self._seen, self._progress()
        is_silent = self._seen == before and self._has_work()
        self._looks = self._looks + 1 if is_silent else 0
        return self._looks >= _LOOKS


def watch(app: Celery, children: Callable[[], Iterable[int]], silence_seconds: float) -> None:
    """Watch this worker from a thread of its own; `children` tells the ids of its processes."""
    silence = Silence(progress, lambda: has_work(app))

    def run() -> None:
        while not silence.look():
            sleep(silence_seconds / _LOOKS)
        log.critical("worker_silent", seconds=silence_seconds, held=len(state.requests))
        end(children())

    Thread(target=run, name="watchdog", daemon=True).start()


def progress() -> Hashable:
    """Return what Celery counts in the main process: tasks begun, and those not ended yet."""
    return state.all_total_count[0], frozenset(state.requests)


def has_work(app: Celery) -> bool:
    """Say whether tasks are held here or wait for anybody, at a broker that answers.

    While it does not, a worker can neither take nor end a task, and is not to blame.
    """
    try:
        with app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0)
            # kombu's types know only what all its channels have
            channel = cast("Channel", connection.default_channel)
            return waiting(channel) > 0 or bool(state.requests)
    except Exception:  # noqa: BLE001 - whatever its client raises, the broker did not answer
        return False


def end(children: Iterable[int], leave: Callable[[int], Any] = os._exit) -> None:
    """Kill the children, which may be stopped, and leave without a word to the broker."""
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    leave(1)
