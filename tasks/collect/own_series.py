"""The series of a site's own metrics, read as evidence."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from opssage.evidence import Evidence
from opssage.places import places_in
from tasks.collect.metrics import Observed, evidence_of, gridded, is_ours, telling, times_of
from tasks.collect.own_metrics import Ask
from tasks.collect.places import Places
from tasks.collect.prometheus_api import Result
from tasks.collect.questions import Row
from tasks.collect.series import Point, Times, read
from tasks.collect.source import Scope
from tasks.collect.telling_names import MEASURED, Told, told

MAX_EVIDENCE = 60  #: of a site's own metrics, those that moved farthest

_PLAIN = 3  #: of each signal, for comparison
_SCRAPER = frozenset({"__name__", "job", "instance", "prometheus", "cluster", "endpoint"})
_PLACED = ("namespace", "pod")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    row: Row
    observed: Observed
    query: str


def own_evidence(asked: Mapping[Ask, Result], scope: Scope, places: Places) -> tuple[Evidence, ...]:
    """Return what the series say: of each service and signal the one that moved farthest."""
    seen = [
        item
        for ask, result in asked.items()
        for item in _read(
            ask, result, times_of(scope, [result], ask.grid, is_slow=ask.is_slow), scope, places
        )
    ]
    kept = sorted(_telling(_farthest(seen), scope), key=lambda item: item.observed.rank)
    return tuple(
        evidence_of(item.row, item.observed, item.query, scope) for item in kept[:MAX_EVIDENCE]
    )


def _read(ask: Ask, result: Result, times: Times, scope: Scope, places: Places) -> Iterator[_Seen]:
    for labels, points in gridded(result, ask.grid):
        if not labels.get(ask.label):
            continue
        what = told(ask.metric or labels.get("__name__", ""), labels, is_rate=ask.is_rate)
        subject = _subject(ask.label, labels, places)
        yield _Seen(
            row=_row(what),
            query=ask.query.promql,
            observed=Observed(
                subject=subject,
                reading=read(_converted(points, what), times, what.tolerance),
                reason=_rest(ask.label, labels),
                is_ours=is_ours(subject, scope.targets),
            ),
        )


def _row(what: Told) -> Row:
    return Row(
        signal=what.signal,
        title=what.title,
        promql="",
        labels={},
        names=(),
        unit=what.unit,
        tolerance=what.tolerance,
        plain=_PLAIN,
    )


def _converted(points: Sequence[Point], what: Told) -> tuple[Point, ...]:
    convert = what.values(value for _, value in points if value is not None)
    return tuple((at, None if value is None else convert(value)) for at, value in points)


def _subject(label: str, labels: Mapping[str, str], places: Places) -> dict[str, str]:
    known = places_in(labels)
    subject = {key: known[key] for key in _PLACED if key in known}
    if label == "container" and "pod" in subject:
        return places.complete({**subject, "container": labels[label]})
    return places.complete({**subject, "service": labels[label]})


def _rest(label: str, labels: Mapping[str, str]) -> str:
    """Return what else tells a series from others of its metric."""
    told_already = {*_SCRAPER, *_PLACED, *MEASURED, label}
    return ", ".join(
        f"{name}={value}" for name, value in sorted(labels.items()) if name not in told_already
    )


def _farthest(seen: Iterable[_Seen]) -> list[_Seen]:
    best: dict[object, _Seen] = {}
    for item in sorted(seen, key=lambda item: (item.observed.rank, item.query)):
        key = (item.row.signal, tuple(sorted(item.observed.subject.items())))
        best.setdefault(key, item)
    return list(best.values())


def _telling(seen: Sequence[_Seen], scope: Scope) -> Iterator[_Seen]:
    by_signal: dict[str, list[_Seen]] = {}
    for item in seen:
        by_signal.setdefault(item.row.signal, []).append(item)
    for group in by_signal.values():
        found = {id(item.observed): item for item in group}
        observed = [item.observed for item in group]
        for kept in telling(observed, group[0].row, scope.max_series):
            yield found[id(kept)]
