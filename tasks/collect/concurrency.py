"""Ask several things at once, and go on without those that do not answer."""

from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import TypeVar

from tasks.collect import tape

T = TypeVar("T")


def run_all(
    calls: Sequence[Callable[[], T]], *, workers: int, deadline: float
) -> tuple[T | None, ...]:
    """Return what each call returned, in their order; None for one that took past `deadline`.

    `deadline` is a value of `time.monotonic()`. The first error of a call is raised here. Threads
    are daemons and are not joined: a call that hangs holds up neither this nor the process's end
    (a ThreadPoolExecutor's threads are waited for when the interpreter exits).
    """
    waiting = deque(enumerate(calls))
    enter = tape.branches()
    finished: SimpleQueue[tuple[int, T | None, Exception | None]] = SimpleQueue()
    closed = Event()

    def work() -> None:
        while waiting and not closed.is_set():
            try:
                index, call = waiting.popleft()
            except IndexError:
                return
            enter(index)
            try:
                finished.put((index, call(), None))
            except Exception as error:  # noqa: BLE001 - raised again in the asking thread
                finished.put((index, None, error))

    for _ in range(min(workers, len(calls))):
        Thread(target=copy_context().run, args=(work,), daemon=True).start()
    try:
        return _gather(finished, len(calls), deadline)
    finally:
        closed.set()


def give_up_after(seconds: float, call: Callable[[], T]) -> T | None:
    """Return what `call` returned, or None when it takes longer. Its error is raised here.

    For what has no limit of its own, such as the look-up of a name: its thread is left behind.
    """
    finished: SimpleQueue[tuple[T | None, Exception | None]] = SimpleQueue()

    def work() -> None:
        try:
            finished.put((call(), None))
        except Exception as error:  # noqa: BLE001 - raised again in the asking thread
            finished.put((None, error))

    Thread(target=work, daemon=True).start()
    try:
        value, error = finished.get(timeout=seconds)
    except Empty:
        return None
    if error is not None:
        raise error
    return value


def _gather(
    finished: "SimpleQueue[tuple[int, T | None, Exception | None]]", expected: int, deadline: float
) -> tuple[T | None, ...]:
    results: dict[int, T | None] = {}
    for _ in range(expected):
        try:
            index, value, error = finished.get(timeout=max(0.0, deadline - monotonic()))
        except Empty:
            break
        if error is not None:
            raise error
        results[index] = value
    late = [index for index in range(expected) if index not in results]
    dropped = frozenset(tape.settled("late", late, usual=[]))
    return tuple(None if n in dropped else results.get(n) for n in range(expected))
