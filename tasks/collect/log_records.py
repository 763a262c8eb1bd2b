"""Lines that belong together made one: stack traces, and lines that a container runtime cut."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from opssage.plain_text import plain_text
from opssage.redaction import redact_text
from tasks.collect.source import Scope

MAX_TEXT = 32_768  #: characters of a record
MAX_PARTS = 400  #: lines of a record
LATEST = 253_402_300_799 * 10**9  #: nanoseconds since the epoch; of a later time there is no date

_RUNTIME_SPLITS_AT = 16_384
"""Bytes after which Docker cuts a line (moby, daemon/logger/copier.go)."""

# The format of a container's log file: time, stream, P for a part or F for the full line's end
# (Kubernetes, "kubelet CRI logging").
_CRI = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{8,18}(?:Z|[+-]\d\d:\d\d) std(?:out|err) ([PF]) ?")
_DOCKER_KEYS = frozenset({"log", "stream", "time", "attrs"})

_CONTINUATION = re.compile(
    r"^\s+(?:at |File \"|\.{3} \d+ more|\^+$)|^\t|^\s{4,}\S|^\s*$"
    r"|^(?:Caused by|Suppressed|Wrapped by): "
    r"|^[^\s:]+\.rb:\d+:in [`'][^`']*['`]?$"
)
_CARETS = re.compile(r"^\s*[\^~]+\s*$")
_PYTHON = "Traceback (most recent call last):"
_PYTHON_CHAIN = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
_NAMED = re.compile(r"^[A-Za-z_][\w.$:]*(?::|$| \[\w+\]:)")
_GO = re.compile(r"(?:^|\s)(?:panic: |panic serving |fatal error: )|^goroutine \d+ \[")
# Not `panic: `: one within another is indented (runtime/panic.go, printpanics).
_GO_GOES_ON = re.compile(r"goroutine \d+ \[|\[signal |created by |exit status \d")
_GO_CALL = re.compile(r"[^\s()]+(?:\(\*[^\s()]+\)[^\s()]*)?\(")
_EXCEPTIONAL = re.compile(r"(?:Error|Exception|Throwable)\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One log line as it was answered, or several that belong together."""

    at: int  #: nanoseconds since the epoch
    text: str
    labels: Mapping[str, str]  #: of its stream
    own: Mapping[str, str] = field(default_factory=dict)  #: what only this line is labelled with


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """The lines of one range, oldest first, and how much of the range they cover."""

    lines: tuple[Line, ...] = ()
    covered_seconds: float = 0.0
    is_complete: bool = True  #: False when older lines were cut off
    is_known: bool = True  #: False when nobody could be asked for them


def parted(lines: Iterable[Line], scope: Scope, *, since: datetime) -> tuple[Stretch, Stretch]:
    """Return the lines before and after `scope.calm_until`, none older than the baseline.

    The lines of one stream come oldest first. `since` is from when on they are all there were:
    the start of what was asked for, or the oldest line when a limit cut off older ones.
    """
    start, middle, end = map(
        nanoseconds, (scope.baseline_start, scope.calm_until, scope.window.end)
    )
    known = min(max(start, nanoseconds(since)), end)
    ordered = sorted(lines, key=lambda line: line.at)
    return (
        Stretch(
            lines=tuple(line for line in ordered if start <= line.at < middle),
            covered_seconds=max(0, middle - known) / 1e9,
            is_complete=known == start,
        ),
        Stretch(
            lines=tuple(line for line in ordered if middle <= line.at < end),
            covered_seconds=(end - max(known, middle)) / 1e9,
            is_complete=known <= middle,
        ),
    )


def nanoseconds(moment: datetime) -> int:
    """Return the moment as Loki tells the time, to the microsecond."""
    return round(moment.timestamp() * 1_000_000) * 1000


@dataclass(slots=True)
class _Record:
    line: Line
    parts: list[str]
    size: int
    is_cut: bool  #: the next line is the rest of the last part
    is_python: bool

    @classmethod
    def of(cls, line: Line, text: str, *, is_whole: bool) -> "_Record":
        """Begin a record."""
        text = text[:MAX_TEXT]
        is_python = text.endswith(_PYTHON)
        return cls(line, [text], len(text), is_cut=not is_whole, is_python=is_python)

    def add(self, text: str, *, is_whole: bool) -> None:
        """Append a line; what is too much is left out."""
        if self.size + len(text) <= MAX_TEXT and len(self.parts) < MAX_PARTS:
            self.size += len(text)
            if self.is_cut:
                self.parts[-1] += text
            elif text.strip():
                self.parts.append(text)
        self.is_cut = not is_whole

    def goes_on_with(self, text: str) -> bool:
        """Tell whether a line belongs to the ones before it."""
        first, last = self.parts[0], self.parts[-1]
        if self.is_cut or is_continuation(text):
            return True
        if text[0].isspace() or text == "}":
            return len(self.parts) > 1 or _EXCEPTIONAL.search(first) is not None
        if last in _PYTHON_CHAIN:
            return text == _PYTHON
        if self.is_python:
            is_end = last[0].isspace() and _NAMED.match(text) is not None
            return is_end or text in _PYTHON_CHAIN
        if _CARETS.match(last):
            return _NAMED.match(text) is not None
        return _GO.search(first) is not None and _is_of_go(text)


def is_continuation(line: str) -> bool:
    """Tell whether the line alone shows that it goes on with the one before.

    Such are stack frames, causes, deeply indented and blank lines.
    """
    return _CONTINUATION.match(line) is not None


def _is_of_go(text: str) -> bool:
    is_call = text.endswith(")") and _GO_CALL.match(text) is not None
    return is_call or _GO_GOES_ON.match(text) is not None


def joined(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Return the lines, oldest first, with those of one record joined by line ends.

    Only lines of one stream (the same labels) are joined. A continuation whose beginning is not
    there is left out. A record is bounded, and so is its text.
    """
    records: list[_Record] = []
    latest: dict[tuple[tuple[str, str], ...], _Record] = {}
    for line in lines:
        stream = tuple(sorted(line.labels.items()))
        text, is_whole = _unwrapped(line.text)
        record = latest.get(stream)
        if record is not None and record.goes_on_with(text):
            record.add(text, is_whole=is_whole)
        elif not is_continuation(text):
            latest[stream] = _Record.of(line, text, is_whole=is_whole)
            records.append(latest[stream])
    return tuple(_lines(records))


def _lines(records: Iterable[_Record]) -> Iterator[Line]:
    for record in records:
        yield replace(record.line, text="\n".join(record.parts))


def _unwrapped(text: str) -> tuple[str, bool]:
    """Return what was written, without what the runtime put around it, and whether it is whole."""
    if match := _CRI.match(text):
        return text[match.end() :], match[1] == "F"
    if text.startswith('{"log":'):
        written = _docker_text(text)
        if written is not None:
            return written.removesuffix("\n"), written.endswith("\n")
    is_cut = len(text) <= _RUNTIME_SPLITS_AT == len(text.encode(errors="replace"))
    return text.rstrip("\n"), not is_cut


def _docker_text(text: str) -> str | None:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    written = document["log"]
    if not document.keys() <= _DOCKER_KEYS or not isinstance(written, str):
        return None
    return redact_text(plain_text(written))  # as JSON its characters may have been escaped
