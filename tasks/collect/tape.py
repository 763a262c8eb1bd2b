"""What was said between collect and its sources, kept so that it can be asked again offline.

Answers alone do not make an investigation: time and the order of threads decide too, for whom was
no time left, and who was spared. Whatever does not follow from an answer goes through `settled`,
and in a replay comes out as it was.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")

Params = Mapping[str, str | Sequence[str]]

VOLATILE = frozenset({"timeout"})
"""Parameters that say how long there is to answer, not what is asked."""

UNFINISHED = "no answer before the deadline"

_REPLAY_SECONDS = 3600.0
"""How much time a replay has for anything: it waits for nobody, so what is late came late then."""


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
    """Keeps exchanges in the order they began, and what was settled. Several threads may write."""

    script: Mapping[str, Any] | None = None  #: what was settled when it was recorded: a replay
    _exchanges: list[Exchange] = field(default_factory=list)
    _settled: dict[str, Any] = field(default_factory=dict)
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

    def settle(self, name: str, value: T, usual: T) -> T:
        """Note how a matter went, unless as usual; a replay has it go as it went then."""
        if self.script is not None:
            told: T = self.script.get(name, usual)
            return told
        if value != usual:
            with self._lock:
                self._settled[name] = value
        return value

    @property
    def matters(self) -> dict[str, Any]:
        """How everything was settled that did not go as usual."""
        with self._lock:
            return dict(self._settled)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Everything so far; what has not ended is a fault."""
        with self._lock:
            return tuple(self._exchanges)


class _Place:
    """Where in an investigation a thread is: the same in a replay, whichever thread it is."""

    def __init__(self, path: str = "") -> None:
        self._path = path
        self._counts: Counter[str] = Counter()

    def name(self, what: str) -> str:
        """Return a name for the next matter of this sort here."""
        self._counts[what] += 1
        return f"{self._path}{what}{self._counts[what]}"


_current: ContextVar[Tape | None] = ContextVar("tape", default=None)
_place: ContextVar[_Place] = ContextVar("place")


@contextmanager
def recording() -> Iterator[Tape]:
    """Record everything that sources are asked within the block, in whichever thread."""
    with _on(Tape()) as tape:
        yield tape


@contextmanager
def replaying(matters: Mapping[str, Any]) -> Iterator[Tape]:
    """Settle everything within the block as it was settled when it was recorded."""
    with _on(Tape(script=matters)) as tape:
        yield tape


@contextmanager
def _on(tape: Tape) -> Iterator[Tape]:
    current, place = _current.set(tape), _place.set(_Place())
    try:
        yield tape
    finally:
        _place.reset(place)
        _current.reset(current)


def settled(what: str, value: T, usual: T) -> T:
    """Return how a matter was settled that time, order or the outside decides: `value`.

    It is recorded when it is not as `usual`. In a replay it is what it was then. `what` names the
    sort of matter; the value has to be JSON.
    """
    tape = _current.get()
    return value if tape is None else tape.settle(_place.get().name(what), value, usual)


def branches() -> Callable[[int], None]:
    """Return what a thread calls before it runs one of several calls, with the call's number."""
    if _current.get() is None:
        return lambda _: None
    name = _place.get().name("call")
    return lambda number: _enter(f"{name}.{number}/")


def _enter(path: str) -> None:
    _place.set(_Place(path))


def time_for(seconds: float) -> float:
    """Return how long there is for what may take `seconds`: in a replay as long as it takes."""
    tape = _current.get()
    return seconds if tape is None or tape.script is None else _REPLAY_SECONDS


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
