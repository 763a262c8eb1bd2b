"""What was said between collect and its sources, kept so that it can be asked again offline."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import Any

Params = Mapping[str, str | Sequence[str]]

VOLATILE = frozenset({"timeout"})
"""Parameters that say how long there is to answer, not what is asked."""

UNFINISHED = "no answer before the deadline"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One question, without the address and the credentials of who is asked."""

    source: str
    method: str
    path: str  #: below the source's URL
    params: Params

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two requests the same question."""
        asked = (
            (name, (value,) if isinstance(value, str) else tuple(value))
            for name, value in self.params.items()
            if name not in VOLATILE
        )
        return (self.source, self.method, self.path, tuple(sorted(asked)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """A question and what came of it: an answer, or a fault in its place. It holds no secrets."""

    request: Request
    status: int | None = None  #: of the HTTP answer; None when there was none
    body: Any = None  #: a JSON document, or text
    size: int = 0  #: bytes of the answer as it came
    fault: str = ""
    unreachable: bool = False  #: nobody listened


@dataclass(slots=True)
class Tape:
    """Keeps exchanges in the order they began. Several threads may write."""

    _exchanges: list[Exchange] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def begin(self, request: Request) -> int:
        """Note that a question is asked; returns its place on the tape."""
        with self._lock:
            self._exchanges.append(Exchange(request=request, fault=UNFINISHED))
            return len(self._exchanges) - 1

    def end(self, place: int, exchange: Exchange) -> None:
        """Note what came of it."""
        with self._lock:
            self._exchanges[place] = exchange

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Everything so far; what has not ended is a fault."""
        with self._lock:
            return tuple(self._exchanges)


_current: ContextVar[Tape | None] = ContextVar("tape", default=None)


@contextmanager
def recording() -> Iterator[Tape]:
    """Record everything that sources are asked within the block, in whichever thread."""
    tape = Tape()
    token = _current.set(tape)
    try:
        yield tape
    finally:
        _current.reset(token)


@contextmanager
def noting(request: Request) -> Iterator[Callable[[Exchange], None]]:
    """Note on the tape of this investigation, if there is one, that a question is asked.

    What is yielded takes what came of it.
    """
    tape = _current.get()
    if tape is None:
        yield lambda _: None
        return
    yield partial(tape.end, tape.begin(request))
