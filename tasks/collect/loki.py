"""The Loki source: what the alerts' places wrote before and after onset."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any

from opssage.errors import SourceError
from opssage.evidence import SourceReport, SourceStatus
from tasks.collect.concurrency import run_all
from tasks.collect.log_records import LATEST, Line, Stretch, nanoseconds
from tasks.collect.log_templates import Groups, LineReader, grouped, log_evidence, merged
from tasks.collect.logql import (
    TROUBLE,
    Span,
    by_hand,
    count_by_hand,
    count_of,
    labels_by_hand,
    queries_for,
    targets_by_hand,
)
from tasks.collect.loki_labels import LabelFinder
from tasks.collect.source import Answer, Scope
from tasks.collect.upstream import RefusedError, Upstream

SOURCE = "loki"
WORKERS = 4
_QUERY_RANGE = "/loki/api/v1/query_range"
_CATEGORIES = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
"""Without it every value of structured metadata makes a stream of its own."""

_UNREAD = Stretch(is_complete=False, is_known=False)

_TOO_MANY = re.compile(r"max entries limit.*\(\d+ > (\d+)\)")
"""Loki's refusal of a `limit`, with what it allows (max_entries_limit_per_query)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fetched:
    reports: tuple[SourceReport, ...]
    stretch: Stretch | None = None

    @property
    def is_cut(self) -> bool:
        return self.stretch is not None and not self.stretch.is_complete


class LokiSource:
    """Asks a Loki for the lines of the alerts' places."""

    name = SOURCE

    def __init__(self, upstream: Upstream, *, max_lines: int) -> None:
        """Ask there for at most `max_lines` per query."""
        self._max_lines = max_lines
        self._upstream = upstream

    def ask(self, scope: Scope, deadline: float) -> Answer:
        """Ask for the labels in use, then for lines before and after `scope.calm_until`.

        Where a limit cut off older lines, those that sound like trouble are asked for as well.
        """
        whole = Span(start=scope.baseline_start, end=scope.window.end)
        began = monotonic()
        finder = LabelFinder(self._upstream, whole, deadline)
        try:
            labels = finder.find(scope.targets)
        except SourceError:
            lines = targets_by_hand(scope.targets, whole, self._max_lines)
            unknown = "not asked for lines: nobody knows their labels"
            spared = _report("", SourceStatus.SKIPPED, monotonic(), error=unknown, by_hand=lines)
            return Answer(reports=(*finder.reports, spared))
        queries = queries_for(scope.targets, labels)
        if not queries:
            reason = "the alerts name nothing that Loki has a label for"
            skipped = _report(
                "", SourceStatus.SKIPPED, began, error=reason, by_hand=labels_by_hand(whole)
            )
            return Answer(reports=(*finder.reports, skipped))
        sides = (
            Span(start=scope.baseline_start, end=scope.calm_until),
            Span(start=scope.calm_until, end=scope.window.end),
        )
        fetched = self._fetch_all(queries, sides, deadline)
        cut = [query for query, found in fetched.items() if any(item.is_cut for item in found)]
        narrower = [query + TROUBLE for query in cut if TROUBLE not in query]
        narrower = [query for query in narrower if query not in fetched]
        fetched |= self._fetch_all(narrower, sides, deadline)
        told = (report for found in fetched.values() for item in found for report in item.reports)
        return Answer(
            evidence=log_evidence(_groups(fetched), scope, source=SOURCE),
            reports=(*finder.reports, *told),
        )

    def _fetch_all(
        self, queries: Sequence[str], sides: tuple[Span, Span], deadline: float
    ) -> dict[str, tuple[_Fetched, ...]]:
        asked = [(query, span) for query in queries for span in sides]
        calls = [partial(self._fetch, query, span, deadline) for query, span in asked]
        answers = run_all(calls, workers=WORKERS, deadline=deadline)
        found = [
            item or self._late(query, span)
            for (query, span), item in zip(asked, answers, strict=True)
        ]
        return {query: tuple(found[2 * i : 2 * i + 2]) for i, query in enumerate(queries)}

    def _late(self, query: str, span: Span) -> _Fetched:
        report = SourceReport(
            source=SOURCE,
            status=SourceStatus.FAILED,
            query=query,
            error="no answer before the deadline",
            by_hand=by_hand(query, span, self._max_lines),
        )
        return _Fetched(reports=(report,))

    def _fetch(self, query: str, span: Span, deadline: float) -> _Fetched:
        began = monotonic()
        try:
            lines, size, limit = self._lines(query, span, deadline)
        except SourceError as error:
            command = by_hand(query, span, self._max_lines)
            failed = _report(query, SourceStatus.FAILED, began, error=str(error), by_hand=command)
            return _Fetched(reports=(failed,))
        status = SourceStatus.OK if lines else SourceStatus.EMPTY
        report = _report(query, status, began, size=size)
        if len(lines) < limit:
            whole = Stretch(lines=lines, covered_seconds=span.seconds)
            return _Fetched(reports=(report,), stretch=whole)
        covered = span.end.timestamp() - lines[0].at / 1e9
        total, counting = self._count(query, span, deadline)
        note = f"the newest {len(lines)}{total} lines, over {covered:.0f} of {span.seconds:.0f} s"
        return _Fetched(
            reports=(replace(report, truncated=True, error=note), counting),
            stretch=Stretch(lines=lines, covered_seconds=covered, is_complete=False),
        )

    def _lines(self, query: str, span: Span, deadline: float) -> tuple[tuple[Line, ...], int, int]:
        """Return the lines, the bytes of the answer and the limit it was cut by."""
        params = {
            "query": query,
            "start": str(nanoseconds(span.start)),
            "end": str(nanoseconds(span.end)),
            "limit": str(self._max_lines),
            "direction": "backward",
        }
        ask = partial(self._upstream.get, _QUERY_RANGE, deadline=deadline, headers=_CATEGORIES)
        try:
            reply = ask(params)
        except RefusedError as error:
            allowed = _TOO_MANY.search(str(error))
            if allowed is None or not 0 < int(allowed[1]) < self._max_lines:
                raise
            params["limit"] = str(int(allowed[1]))
            reply = ask(params)
        return _lines(reply.body), reply.size, int(params["limit"])

    def _count(self, query: str, span: Span, deadline: float) -> tuple[str, SourceReport]:
        """Return how many lines there are, as words of a note, where Loki counts them."""
        began = monotonic()
        counting = count_of(query, span)
        params = {"query": counting, "time": str(nanoseconds(span.end))}
        try:
            reply = self._upstream.get("/loki/api/v1/query", params, deadline)
            total = _total(reply.body)
        except SourceError as error:
            command = count_by_hand(counting, span)
            return "", _report(
                counting, SourceStatus.FAILED, began, error=str(error), by_hand=command
            )
        status = SourceStatus.OK if total else SourceStatus.EMPTY
        return total, _report(counting, status, began, size=reply.size)


def _groups(fetched: Mapping[str, Sequence[_Fetched]]) -> Groups:
    reader = LineReader()
    found = []
    for query, sides in fetched.items():
        before, after = (item.stretch for item in sides)
        if after is not None:  # what was before tells nothing on its own
            found.append(grouped(query, before or _UNREAD, after, reader))
    return merged(found)


def _lines(document: Mapping[str, Any]) -> tuple[Line, ...]:
    """Return all streams' lines together, oldest first; those of one stream stay in order."""
    try:
        streams = []
        for stream in document["data"]["result"]:
            labels = _labels(stream["stream"])
            streams.append((labels, [_line(labels, value) for value in stream["values"]]))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise SourceError("the answer does not have the form of log streams") from error
    lines: list[Line] = []
    for _, found in sorted(streams, key=lambda stream: sorted(stream[0].items())):
        lines += reversed(found)  # the newest came first, also of one instant
    return tuple(sorted(lines, key=lambda line: line.at))


def _line(labels: Mapping[str, str], value: Sequence[Any]) -> Line:
    """Return a line; the third element of its value, if any, are labels of its own."""
    categories = value[2] if len(value) > 2 else {}  # noqa: PLR2004 - [time, line, categories]
    own = {**categories.get("structuredMetadata", {}), **categories.get("parsed", {})}
    at = int(value[0])
    if not 0 <= at < LATEST:
        raise ValueError("not a time")
    return Line(at=at, text=str(value[1]), labels=labels, own=_labels(own))


def _labels(labels: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in labels.items()}


def _total(document: Mapping[str, Any]) -> str:
    """Return how many lines an answer counts, as words of a note; "" when it counts none."""
    try:
        result = document["data"]["result"]
        return f" of {int(float(result[0]['value'][1]))}" if result else ""
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise SourceError("the answer does not have the form of a number") from error


def _report(
    query: str, status: SourceStatus, began: float, *, size: int = 0, error: str = "",
    by_hand: str = "",
) -> SourceReport:  # fmt: skip
    return SourceReport(
        source=SOURCE,
        status=status,
        query=query,
        duration_seconds=round(monotonic() - began, 3),
        error=error,
        size=size,
        by_hand=by_hand,
    )
