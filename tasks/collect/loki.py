"""The Loki source: what the alerts' places wrote before and after onset."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any

from opssage.errors import SourceError
from opssage.evidence import SourceReport, SourceStatus
from opssage.places import PLACE_LABELS
from tasks.collect.concurrency import run_all
from tasks.collect.log_templates import (
    SOURCE,
    Groups,
    Line,
    LineReader,
    Stretch,
    grouped,
    log_evidence,
    merged,
)
from tasks.collect.promql import OF_NAME, Matcher
from tasks.collect.source import Answer, Scope
from tasks.collect.targets import Targets
from tasks.collect.upstream import Upstream

WORKERS = 4
_CATEGORIES = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
"""Without it every value of structured metadata makes a stream of its own."""
_TROUBLE = (
    ' |~ "(?i)(error|exception|fatal|panic|fail|refused|denied|unavailable|timed? ?out'
    '|oom|killed|crash|warn)"'
)
"""Whole namespaces and nodes write too much; from them only lines that sound like trouble."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Span:
    """A range of a query; `end` is exclusive."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fetched:
    report: SourceReport
    stretch: Stretch | None = None


class LokiSource:
    """Asks a Loki for the lines of the alerts' places."""

    name = SOURCE

    def __init__(self, upstream: Upstream, *, max_lines: int) -> None:
        """Ask there for at most `max_lines` per query."""
        self._max_lines = max_lines
        self._upstream = upstream

    def ask(self, scope: Scope, deadline: float) -> Answer:
        """Ask for the labels in use, then for lines before and after `scope.calm_until`."""
        before = _Span(start=scope.baseline_start, end=scope.calm_until)
        after = _Span(start=scope.calm_until, end=scope.window.end)
        began = monotonic()
        try:
            labels = self._labels(before.start, after.end, deadline)
        except SourceError as error:
            return Answer(reports=(_report("labels", SourceStatus.FAILED, began, str(error)),))
        selectors = _selectors(scope.targets, labels)
        if not selectors:
            reason = "the alerts name nothing that Loki has a label for"
            return Answer(reports=(_report("", SourceStatus.SKIPPED, began, reason),))
        asked = [(query, span) for query in selectors for span in (before, after)]
        calls = [partial(self._fetch, query, span, deadline) for query, span in asked]
        fetched = [
            item or _Fetched(report=_late(query))
            for (query, _), item in zip(
                asked, run_all(calls, workers=WORKERS, deadline=deadline), strict=True
            )
        ]
        groups = _groups(selectors, fetched)
        return Answer(
            evidence=log_evidence(groups, scope),
            reports=tuple(item.report for item in fetched),
        )

    def _labels(self, start: datetime, end: datetime, deadline: float) -> frozenset[str]:
        params = {"start": _nanoseconds(start), "end": _nanoseconds(end)}
        document = self._upstream.get("/loki/api/v1/labels", params, deadline).body
        data = document.get("data") or []
        if not isinstance(data, list):
            raise SourceError("the answer does not have the form of a list of labels")
        return frozenset(str(label) for label in data)

    def _fetch(self, query: str, span: _Span, deadline: float) -> _Fetched:
        began = monotonic()
        params = {
            "query": query,
            "start": _nanoseconds(span.start),
            "end": _nanoseconds(span.end),
            "limit": str(self._max_lines),
            "direction": "backward",
        }
        try:
            reply = self._upstream.get(
                "/loki/api/v1/query_range", params, deadline, headers=_CATEGORIES
            )
            lines = _lines(reply.body)
        except SourceError as error:
            return _Fetched(report=_report(query, SourceStatus.FAILED, began, str(error)))
        is_complete = len(lines) < self._max_lines
        covered = span.seconds
        if not is_complete:
            covered = span.end.timestamp() - lines[0].at / 1e9
        note = "" if is_complete else f"the newest {len(lines)} lines, over {covered:.0f} s"
        status = SourceStatus.OK if lines else SourceStatus.EMPTY
        return _Fetched(
            report=_report(query, status, began, note),
            stretch=Stretch(lines=lines, covered_seconds=covered, is_complete=is_complete),
        )


def _groups(selectors: Sequence[str], fetched: Sequence[_Fetched]) -> Groups:
    reader = LineReader()
    found = []
    for index, query in enumerate(selectors):
        before, after = (item.stretch for item in fetched[2 * index : 2 * index + 2])
        if before is not None and after is not None:  # with one side only, all would be news
            found.append(grouped(query, before, after, reader))
    return merged(found)


def _selectors(targets: Targets, labels: AbstractSet[str]) -> tuple[str, ...]:
    """Return log queries for the places, by the labels this Loki has: the nearest first."""
    namespaces = _matchers(labels, "namespace", targets.namespaces)
    services = tuple(dict.fromkeys(name for _, name in targets.services))
    of_services = _matchers(labels, "service", services) or _matchers(
        labels, "pod", services, suffix=OF_NAME
    )
    pods = _matchers(labels, "pod", tuple(dict.fromkeys(pod for _, pod in targets.pods)))
    nodes = _matchers(labels, "node", targets.nodes)
    queries = (
        _query(namespaces + pods) if pods else "",
        _query(namespaces + of_services) if of_services else "",
        _query(namespaces) + _TROUBLE if namespaces else "",
        _query(nodes) + _TROUBLE if nodes else "",
    )
    return tuple(query for query in queries if query)


def _matchers(
    labels: AbstractSet[str], role: str, values: tuple[str, ...], suffix: str = ""
) -> tuple[Matcher, ...]:
    label = next((name for name in PLACE_LABELS[role] if name in labels), None)
    if label is None or not values:
        return ()
    return (Matcher(label=label, values=values, suffix=suffix),)


def _query(matchers: Sequence[Matcher]) -> str:
    return "{" + ",".join(str(matcher) for matcher in matchers) + "}"


def _lines(document: Mapping[str, Any]) -> tuple[Line, ...]:
    """Return all streams' lines together, oldest first."""
    try:
        lines = [
            Line(at=int(value[0]), text=str(value[1]), labels=_labels_of(stream, value))
            for stream in document["data"]["result"]
            for value in stream["values"]
        ]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise SourceError("the answer does not have the form of log streams") from error
    return tuple(sorted(lines, key=lambda line: (line.at, line.text)))


def _labels_of(stream: Mapping[str, Any], value: Sequence[Any]) -> dict[str, str]:
    """Return the stream's labels and the line's own ones, the third element of its value."""
    categories = value[2] if len(value) > 2 else {}  # noqa: PLR2004 - [time, line, categories]
    own = {**categories.get("structuredMetadata", {}), **categories.get("parsed", {})}
    return {str(name): str(text) for name, text in {**own, **stream["stream"]}.items()}


def _nanoseconds(moment: datetime) -> str:
    return str(round(moment.timestamp() * 1_000_000) * 1000)


def _report(query: str, status: SourceStatus, began: float, error: str = "") -> SourceReport:
    return SourceReport(
        source=SOURCE,
        status=status,
        query=query,
        duration_seconds=round(monotonic() - began, 3),
        error=error,
    )


def _late(query: str) -> SourceReport:
    return SourceReport(
        source=SOURCE,
        status=SourceStatus.FAILED,
        query=query,
        error="no answer before the deadline",
    )
