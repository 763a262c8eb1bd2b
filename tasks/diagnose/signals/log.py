"""Log signals: lines that appeared or multiplied after onset, and what they say."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from opssage.diagnosis import Finding
from opssage.evidence import Evidence, EvidenceKind
from tasks.diagnose.case import Case, time_of
from tasks.diagnose.component import label_of
from tasks.diagnose.signals.finding import finding
from tasks.diagnose.signals.pattern import Pattern, captured, expressions
from tasks.diagnose.signals.patterns import HOSTS, NOT_HOSTS, PATTERNS
from tasks.diagnose.signals.reading import ramp

_SURGE = 3  # times the rate before onset
_FULL_SURGE = 10
_LEAST_OF_A_SURGE = 5  # lines
_ONE_LINE = 0.5
_ONE_RUN = 0.8
"""A line of a container's own log, which holds the last run or two of what keeps ending."""
_MANY_LINES = 5
_NO_NEWS = frozenset({"steady", "vanished", "unknown"})
"""Harmless lines may be missing before onset only because a limit cut them off, and all of them
because Loki did not answer for that time."""
_LEVELS = {"warning": 0.8, "warn": 0.8} | dict.fromkeys(("info", "debug", "trace", "notice"), 0.35)
"""How much a line of a level is believed; below an error the program itself makes less of it."""
_LINE_LENGTH = 1000
_QUOTED_LENGTH = 160
_DETAIL_LENGTH = 80
_BRACKETS = re.compile(r"[\[\]\s]+")  # square brackets are for citations


@dataclass(frozen=True, kw_only=True, slots=True)
class _Hit:
    row: Pattern
    details: dict[str, str]
    about: str | None = None


def logs(case: Case) -> Iterator[Finding]:
    """Find what the lines of each template say, when they belong to the trouble."""
    for item in case.of_kind(EvidenceKind.LOG):
        component, strength = case.component(item), _appeared(item)
        if component is None or not strength:
            continue
        lines = _lines(item)
        hits = [hit for row in PATTERNS if (hit := _hit(case, row, lines, component))]
        for hit in _most_exact(hits):
            yield finding(
                hit.row.signal,
                component,
                strength,
                _statement(item, component),
                [item],
                onset_at=_onset(item),
                about=hit.about,
                details=hit.details,
            )


def _most_exact(hits: Sequence[_Hit]) -> list[_Hit]:
    lowest = min((hit.row.rank for hit in hits), default=0)
    kept = [hit for hit in hits if hit.row.rank == lowest]
    signals = {hit.row.signal for hit in kept}
    return [hit for hit in kept if signals.isdisjoint(hit.row.yields_to)]


def _appeared(item: Evidence) -> float:
    """Return 0 for lines as frequent as ever, up to 1 for ones that are new or multiplied."""
    before, after = int(item.data.get("count_before") or 0), int(item.data.get("count_after") or 0)
    if after <= 0 or item.data.get("change") in _NO_NEWS:
        return 0.0
    if before == 0:
        once = _ONE_RUN if item.source == "kubernetes" else _ONE_LINE
        strength = once + (1 - once) * ramp(after, 1, _MANY_LINES)
    else:
        rate_before = float(item.data.get("rate_before") or 0)
        factor = float(item.data.get("rate_after") or 0) / rate_before if rate_before else 0.0
        if factor < _SURGE or after < _LEAST_OF_A_SURGE:
            return 0.0
        strength = 0.5 + 0.5 * ramp(factor, _SURGE, _FULL_SURGE)
    return strength * _LEVELS.get(str(item.data.get("level") or "").lower(), 1.0)


def _onset(item: Evidence) -> datetime | None:
    """Return when the lines began; of lines that only multiplied nobody knows when they did."""
    return None if item.data.get("count_before") else time_of(item.data.get("first_at"))


def _lines(item: Evidence) -> list[str]:
    """Return the examples, which carry names and numbers; the template when there are none.

    Of a stack trace an example shows only a part, so what was thrown is a line of its own.
    """
    texts = list(item.data.get("examples") or (item.data.get("template") or "",))
    if thrown := item.data.get("exception"):
        texts.append(f"{thrown['type']}: {thrown['message']}")
    return [str(text)[:_LINE_LENGTH].replace('\\"', '"') for text in texts if text]


def _hit(case: Case, row: Pattern, lines: Sequence[str], component: str) -> _Hit | None:
    """Return what a row reads off the lines; the match that captures most speaks."""
    matches = [(match, line) for line in lines if (match := row.match(line))]
    if not matches:
        return None
    match, line = max(matches, key=lambda found: len(captured(found[0])))
    details = {key: text[:_DETAIL_LENGTH] for key, text in captured(match).items()}
    if not row.names_host:
        return _Hit(row=row, details=details)
    host, called = _called(case, [details.get("host", ""), *_hosts(line)], line, component)
    if row.needs_host and called is None:
        return None
    named = {"host": host[:_DETAIL_LENGTH]} if host else {}
    return _Hit(row=row, details=details | named, about=called if row.about_host else None)


def _hosts(line: str) -> Iterator[str]:
    for expression in expressions(HOSTS):
        for match in expression.finditer(line):
            host = match["host"]
            if not any(other.search(host) for other in expressions(NOT_HOSTS)):
                yield host


def _called(case: Case, hosts: Sequence[str], line: str, component: str) -> tuple[str, str | None]:
    """Return the host a line complains of, and its component.

    Without a host it is the one other component whose name the line mentions.
    """
    for host in filter(None, hosts):
        called = case.names.called(host)
        if called and called != component:
            return host, called
    others = [each for each in case.names.mentioned(line) if each != component]
    return (label_of(others[0]), others[0]) if len(others) == 1 else ("", None)


def _statement(item: Evidence, component: str) -> str:
    text = _BRACKETS.sub(" ", str(item.data.get("template") or item.summary)).strip()
    quoted = text if len(text) <= _QUOTED_LENGTH else f"{text[:_QUOTED_LENGTH].rstrip()}…"
    after, before = int(item.data.get("count_after") or 0), int(item.data.get("count_before") or 0)
    times = "once" if after == 1 else f"{after} times"
    place = (item.data.get("exception") or {}).get("at", "")
    thrown = f" at {_BRACKETS.sub(' ', place)}" if place else ""
    return f"{label_of(component)} logs “{quoted}”{thrown} {times} since onset, {before} before"
