"""Exceptions read off stack traces: what was thrown first, and where in the program's own code.

What a trace looks like is told by the runtimes: Python's traceback module, Java's
Throwable.printStackTrace, Go's runtime/traceback, V8's stack trace API, .NET's Exception.ToString,
Ruby's Exception#full_message.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

MAX_MESSAGE = 300
_MAX_LINE = 1000  #: characters of a line of a trace that are looked at
_MAX_PLACE = 200
_MAX_ABOVE = 20  #: lines above the first frame that may be its head


@dataclass(frozen=True, kw_only=True, slots=True)
class Thrown:
    """An exception: the innermost one, where one caused the other."""

    type: str
    message: str = ""
    at: str = ""  #: top frame of the program's own code, `function (file:line)`; "" when unknown

    def __str__(self) -> str:
        """Return type and message in one line."""
        return f"{self.type}: {self.message}" if self.message else self.type


Head = tuple[int, str, str]  # index of its line, type, message


@dataclass(frozen=True, kw_only=True, slots=True)
class _Language:
    frame: re.Pattern[str]  #: with the groups `function` and `place`
    foreign: re.Pattern[str]  #: found in a frame of the runtime or of a library
    root: Callable[[Sequence[str], int], Head | None]  #: of the lines and the first frame's index
    is_newest_last: bool = False
    in_pairs: bool = False  #: a frame is two lines

    def thrown(self, lines: Sequence[str]) -> Thrown | None:
        """Return what these lines tell of, None when they are not in this language."""
        texts = ["\n".join(pair) for pair in pairwise(lines)] if self.in_pairs else lines
        frames = [(i, match) for i, text in enumerate(texts) if (match := self.frame.search(text))]
        if not frames:
            return None
        root = self.root(lines, frames[0][0])
        if root is None:
            return None
        at, kind, message = root
        own = [(i, found) for i, found in frames if not self.foreign.search(found[0])]
        message = " ".join(message.split())[:MAX_MESSAGE]
        return Thrown(type=kind, message=message, at=self._place(own, at))

    def _place(self, own: Sequence[tuple[int, re.Match[str]]], head: int) -> str:
        """Return the frame nearest to where it was thrown."""
        if self.is_newest_last:
            inner = [found for i, found in own if i < head]
            nearest = (inner or [found for _, found in own])[-1:]
        else:
            inner = [found for i, found in own if i > head]
            nearest = (inner or [found for _, found in own])[:1]
        return _told(nearest[0]) if nearest else ""


def _told(frame: re.Match[str]) -> str:
    function, place = frame["function"] or "", frame["place"] or ""
    if line := frame.groupdict().get("line"):
        place = f"{place}:{line}"
    if not (function and place):
        return (function or place)[:_MAX_PLACE]
    return f"{function} ({place})"[:_MAX_PLACE]


# One start per word, so that the time is linear in the length of the line.
_TYPE = re.compile(
    r"(?<![\w$.:+])(?P<type>[A-Za-z_$](?:[\w$.+]|::)*?(?:Error|Exception|Throwable|Failure|Fault)"
    r"|Error|Exception)(?: \[\w+\])?(?::\s(?P<message>.*)|:?\s*$)"
)
_PLAIN = re.compile(r"^(?P<type>[A-Za-z_$][\w$.:]*?)(?:: (?P<message>.*))?$")
_CAUSE = re.compile(r"^(?:Caused by: |\s*---> |\s*\[cause\]: )(?P<rest>.*)$")


def _named(line: str) -> tuple[str, str] | None:
    """Return type and message of a line that may have a logger's words in front."""
    match = _TYPE.search(line) or _PLAIN.match(line)
    return (match["type"], (match["message"] or "").strip()) if match else None


def _last_cause(lines: Sequence[str], first_frame: int) -> Head | None:
    """Find the last cause, else the head above the first frame."""
    for i in range(len(lines) - 1, -1, -1):
        match = _CAUSE.match(lines[i])
        if match and (named := _named(match["rest"].removesuffix(" {"))):
            return (i, *named)
    for i in range(first_frame - 1, max(-1, first_frame - 1 - _MAX_ABOVE), -1):
        if found := _TYPE.search(lines[i]):
            return i, found["type"], (found["message"] or "").strip()
    named = _named(lines[first_frame - 1]) if first_frame else None
    return (first_frame - 1, *named) if named else None


_TRACEBACK = "Traceback (most recent call last):"
_DIRECT_CAUSE = "The above exception was the direct cause"


def _python_root(lines: Sequence[str], first_frame: int) -> Head | None:
    """Find the last exception, or the one that it was raised from."""
    heads: list[Head] = []
    is_open = is_caused = False
    for i, line in enumerate(lines):
        if line.endswith(_TRACEBACK):
            is_open = True
        elif line.startswith(_DIRECT_CAUSE):
            is_caused = True
        elif is_open and i > first_frame and (match := _PLAIN.match(line)):
            head = (i, match["type"], match["message"] or "")
            heads = heads if is_caused and heads else [head]
            is_open = is_caused = False
    return heads[0] if heads else None


_PANIC = re.compile(
    r"(?:^|\s)(?P<type>panic|fatal error)(?: serving \S+)?: (?P<message>.*?)(?: \[recovered\])?$"
)


def _go_root(lines: Sequence[str], _: int) -> Head | None:
    for i, line in enumerate(lines):
        if match := _PANIC.search(line):
            return i, match["type"], match["message"]
    return None


_RUBY = re.compile(
    r"^(?:.*\s)?\S+:\d+:in [`'][^`']*['`]: (?P<message>.*) \((?P<type>[A-Z][\w:]*)\)$"
)
_RAILS = re.compile(r"(?:^|\s)(?P<type>[A-Z]\w*(?:::\w+)*) \((?P<message>.*)\):?$")


def _ruby_root(lines: Sequence[str], first_frame: int) -> Head | None:
    for i in range(first_frame, max(-1, first_frame - _MAX_ABOVE), -1):
        match = _RUBY.match(lines[i]) if i == first_frame else _RAILS.search(lines[i])
        if match:
            return i - 1, match["type"], match["message"]  # Ruby's head is a frame too
    return _last_cause(lines, first_frame)


_LANGUAGES: tuple[_Language, ...] = (
    _Language(  # Python
        frame=re.compile(
            r'^\s*File "(?P<place>[^"]+)", line (?P<line>\d+)(?:, in (?P<function>.+))?$'
        ),
        foreign=re.compile(r"site-packages|dist-packages|/lib/python\d|<frozen |<string>"),
        root=_python_root,
        is_newest_last=True,
    ),
    _Language(  # Java, Kotlin, Scala
        frame=re.compile(
            r"^\s*at (?:[\w.-]+(?:@[\w.-]*)?/)*(?P<function>[\w.$<>-]+)"
            r"\((?P<place>[\w$-]+\.(?:java|kts?|scala|groovy|clj)(?::\d+)?|Native Method"
            r"|Unknown Source|<generated>)\)"
        ),
        foreign=re.compile(
            r"^\s*at (?:[\w.-]+(?:@[\w.-]*)?/)*(?:javax?|jdk|sun|com\.sun|jakarta|kotlinx?|scala"
            r"|akka|reactor|feign|okhttp3|retrofit2|redis|brave|ch\.qos|io\.(?:netty|grpc|vertx"
            r"|micrometer|lettuce|undertow|opentelemetry|reactivex|quarkus|micronaut)"
            r"|org\.(?:spring\w*|apache|hibernate|eclipse|jboss|postgresql|mariadb|slf4j|aspectj"
            r"|glassfish|elasticsearch|bson|redisson|jooq|flywaydb|xnio)"
            r"|com\.(?:zaxxer|mysql|mongodb|fasterxml|google|microsoft|oracle|rabbitmq|amazonaws"
            r"|netflix|datastax|squareup|alibaba))\."
        ),
        root=_last_cause,
    ),
    _Language(  # Go: a function's line, and its file on the next one
        frame=re.compile(
            r"^(?P<function>[^\s()]+(?:\(\*?[^\s()]+\)[^\s()]*)?)\([^\n]*\)\n"
            r"\t(?P<place>[^\s:]+:\d+)"
        ),
        foreign=re.compile(r"^(?:panic|runtime[./]|net/http\.)|/usr/local/go/|/pkg/mod/|/vendor/"),
        root=_go_root,
        in_pairs=True,
    ),
    _Language(  # Node.js
        frame=re.compile(
            r"^\s*at (?:async )?(?:(?P<function>[^()]+?) \()?"
            r"(?P<place>(?:file://|node:)?[^()\s]+:\d+:\d+)\)?$"
        ),
        foreign=re.compile(r"node_modules|node:|\(?internal/"),
        root=_last_cause,
    ),
    _Language(  # .NET
        frame=re.compile(
            r"^\s*at (?P<function>[\w.`<>|+\[\],]+)\([^()]*\)"
            r"(?: in (?P<place>.+):line (?P<line>\d+))?$"
        ),
        foreign=re.compile(r"^\s*at (?:System|Microsoft|Npgsql|MySql|Grpc|Polly|Newtonsoft)\."),
        root=_last_cause,
    ),
    _Language(  # Ruby
        frame=re.compile(r"(?:^|\s)(?P<place>[^\s:]+:\d+):in [`'](?P<function>[^`']*)['`]"),
        foreign=re.compile(r"/gems/|/lib/ruby/|<internal:"),
        root=_ruby_root,
    ),
)


def thrown_in(text: str) -> Thrown | None:
    """Return what a stack trace tells of; None when the text has none."""
    if "\n" not in text:
        return None
    lines = [line[:_MAX_LINE].rstrip() for line in text.split("\n")]
    return next(filter(None, (language.thrown(lines) for language in _LANGUAGES)), None)


_TRACE_KEYS = (
    "stack_trace", "stacktrace", "stackTrace", "stack", "traceback", "backtrace", "exc_info",
    "exception.stacktrace", "exception_stacktrace", "error.stack_trace", "error.stack",
    "exception", "error", "err", "thrown",
)  # fmt: skip
_TYPE_KEYS = (
    "type", "class", "className", "exception_class", "name", "kind",
    "exception.type", "exception_type", "error.type", "error.kind",
)  # fmt: skip
_MESSAGE_KEYS = (
    "message", "msg", "exception_message", "exception.message", "error.message",
)  # fmt: skip
_OBJECTS = ("exception", "error", "err", "thrown")
_OF_LINE = tuple(key for key in _TYPE_KEYS if key[:5] in {"excep", "error"})


def thrown_by(fields: Mapping[str, Any]) -> Thrown | None:
    """Return the exception that the fields of a structured line tell of, if they do."""
    for document, type_keys in _documents(fields):
        trace = next(filter(None, (_text(document.get(key)) for key in _TRACE_KEYS)), "")
        found = thrown_in(trace)
        kind = next(filter(None, (_text(document.get(key)) for key in type_keys)), "")
        if found is not None or (kind and _PLAIN.fullmatch(kind)):
            message = next(filter(None, (_text(document.get(key)) for key in _MESSAGE_KEYS)), "")
            return found or Thrown(type=kind[:MAX_MESSAGE], message=message[:MAX_MESSAGE])
    return None


def _documents(
    fields: Mapping[str, Any],
) -> Iterator[tuple[Mapping[str, Any], Sequence[str]]]:
    for key in _OBJECTS:
        if isinstance(fields.get(key), dict):
            yield fields[key], _TYPE_KEYS
    if fields:
        yield fields, _OF_LINE


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(line for line in value if isinstance(line, str))
    return value if isinstance(value, str) else ""
