"""Prometheus' HTTP API: many queries at once, every one answered by series or a ledger line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, floor
from threading import Event
from time import monotonic
from typing import Any

from opssage.errors import SourceError
from opssage.evidence import SourceReport, SourceStatus
from opssage.redaction import redact
from tasks.collect.concurrency import run_all
from tasks.collect.shell import word
from tasks.collect.tape import settled
from tasks.collect.upstream import RefusedError, Reply, UnreachableError, Upstream

SOURCE = "prometheus"
WORKERS = 6
MIN_STEP_SECONDS = 15
MAX_RESOLUTION = 10_000
"""Prometheus refuses more than 11,000 points per series."""
BARRED = frozenset({401, 403, 404})
"""HTTP statuses of a way that is shut to every question; to try on may lock an account."""
PARTIAL = "a partial answer: not all of its nodes were there, so that series may be missing"
_LATEST = 253_402_300_799  #: unix seconds; of a later time there is no date


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """The times of a range query, in whole unix seconds."""

    start: int
    end: int
    step: int

    @classmethod
    def over(cls, start: float, end: float, *, max_points: int) -> "Grid":
        """Return a grid of at most `max_points` points, not finer than scrapes usually are."""
        seconds = end - start
        step = max(
            MIN_STEP_SECONDS, ceil(seconds / MAX_RESOLUTION), ceil(seconds / max(1, max_points - 1))
        )
        return cls(start=floor(start), end=floor(end), step=step)


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A question: over a grid, or at one moment."""

    promql: str
    grid: Grid | None = None
    at: float = 0.0

    @property
    def path(self) -> str:
        """Where it is asked, below the URL."""
        return "/api/v1/query" if self.grid is None else "/api/v1/query_range"

    @property
    def form(self) -> dict[str, str]:
        """What is sent."""
        if self.grid is None:
            return {"query": self.promql, "time": f"{self.at:.3f}"}
        times = {name: str(getattr(self.grid, name)) for name in ("start", "end", "step")}
        return {"query": self.promql, **times}

    @property
    def by_hand(self) -> str:
        """A command that asks the same."""
        data = " ".join(f"--data-urlencode {word(f'{k}={v}')}" for k, v in self.form.items())
        return f'curl -s "$PROMETHEUS_URL{self.path}" {data}'


@dataclass(frozen=True, kw_only=True, slots=True)
class RawSeries:
    """A series as it was answered; samples may be NaN or infinite."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What became of a query."""

    report: SourceReport
    series: tuple[RawSeries, ...] = ()

    @property
    def answered(self) -> bool:
        """True when Prometheus evaluated the query, even to nothing."""
        return self.report.status in {SourceStatus.OK, SourceStatus.EMPTY}


class PrometheusApi:
    """Asks Prometheus, and what speaks its API: Thanos, Mimir, VictoriaMetrics."""

    def __init__(self, upstream: Upstream) -> None:
        """Ask there."""
        self._upstream = upstream

    def run(self, queries: Sequence[Query], deadline: float) -> tuple[Result, ...]:
        """Return a result per query; never raises for a fault of Prometheus.

        Once there is no connection, or nobody is let in, the queries still waiting are not tried.
        """
        down = Event()
        calls = [partial(self._answer, query, deadline, down) for query in queries]
        results = run_all(calls, workers=WORKERS, deadline=deadline)
        return tuple(
            result or unanswered(query, "no answer before the deadline")
            for query, result in zip(queries, results, strict=True)
        )

    def _answer(self, query: Query, deadline: float, down: Event) -> Result:
        if settled("spared", down.is_set(), usual=False):
            result = unanswered(query, "not asked: a question before it found no way in")
            return replace(result, report=replace(result.report, status=SourceStatus.SKIPPED))
        began = monotonic()
        try:
            reply = self._fetch(query, deadline)
            result = _answered(query, reply)
        except SourceError as error:
            if isinstance(error, UnreachableError) or is_barred(error):
                down.set()
            result = unanswered(query, str(error))
        return replace(
            result, report=replace(result.report, duration_seconds=round(monotonic() - began, 3))
        )

    def _fetch(self, query: Query, deadline: float) -> Reply:
        milliseconds = max(1, int(self._upstream.seconds_left(deadline) * 1000))
        form = {**query.form, "timeout": f"{milliseconds}ms"}
        return self._upstream.post(query.path, form, deadline)


def is_barred(error: SourceError) -> bool:
    """Say whether the next question would be refused like this one."""
    return isinstance(error, RefusedError) and error.status in BARRED


def _answered(query: Query, reply: Reply) -> Result:
    document = reply.body
    try:
        series = _series(document["data"])
        notes = [
            f"{kind}: {note}"
            for kind in ("warning", "info")
            for note in document.get(f"{kind}s") or ()
        ]
        is_cut = is_partial(document)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SourceError("the answer does not have the form of a query's result") from error
    return Result(
        series=series,
        report=SourceReport(
            source=SOURCE,
            status=SourceStatus.OK if series else SourceStatus.EMPTY,
            query=query.promql,
            error="; ".join([PARTIAL, *notes] if is_cut else notes),
            size=reply.size,
            truncated=is_cut,
        ),
    )


def is_partial(document: Mapping[str, Any]) -> bool:
    """Say whether an answer lacks what some of its nodes have, as VictoriaMetrics tells."""
    return document.get("isPartial") is True


def _series(data: Mapping[str, Any]) -> tuple[RawSeries, ...]:
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        return (_raw({}, [result]),)
    if kind == "vector":
        return tuple(_raw(item["metric"], [item["value"]]) for item in result if "value" in item)
    if kind == "matrix":
        return tuple(_raw(item["metric"], item["values"]) for item in result if "values" in item)
    return ()


def _raw(labels: Mapping[str, Any], samples: Sequence[Any]) -> RawSeries:
    points = tuple((float(at), float(value)) for at, value in samples)
    if not all(0 <= at < _LATEST for at, _ in points):
        raise ValueError("not a time")
    return RawSeries(
        labels={str(name): str(value) for name, value in labels.items()}, samples=points
    )


def clean_series(document: Any) -> Any:
    """Return an answer without secrets. Samples are numbers, so only the rest is looked at."""
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict) or not isinstance(data.get("result"), list):
        return redact(document)
    clean = [
        {**item, "metric": redact(item["metric"])}
        if isinstance(item, dict) and "metric" in item
        else item
        for item in data["result"]
    ]
    rest = {key: value for key, value in document.items() if key != "data"}
    return {**redact(rest), "data": {**data, "result": clean}}


def unanswered(query: Query, error: str) -> Result:
    """Return what becomes of a query without an answer."""
    return Result(
        report=SourceReport(
            source=SOURCE,
            status=SourceStatus.FAILED,
            query=query.promql,
            error=error,
            by_hand=query.by_hand,
        ),
    )
