"""Series into evidence: read against their baseline, the telling ones kept."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opssage.evidence import Evidence, EvidenceKind, Window
from opssage.units import quantity
from opssage.wire import format_time
from tasks.collect.places import Places
from tasks.collect.prometheus_api import SOURCE, Grid, Result
from tasks.collect.questions import Row
from tasks.collect.sentences import course, whom
from tasks.collect.series import (
    Point,
    Reading,
    Statistics,
    Times,
    on_grid,
    read,
    short,
    thinned,
    unbroken_from,
)
from tasks.collect.site import own_labels
from tasks.collect.source import Scope
from tasks.collect.targets import Targets

_NOBODY = frozenset({"", "unknown"})  #: Istio calls a workload outside the mesh "unknown"
_DIGITS = 6  #: of a statistic
_DEVIATION_CAP = 1000.0  #: anything beyond is as telling

LEAST_GUARD = 1 / 3
"""Of a short history: so much of it before onset may be the fault's already."""

LabelledPoints = tuple[Mapping[str, str], tuple[Point, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """A series and what is known about it, before the telling ones are chosen."""

    subject: Mapping[str, str]
    reading: Reading
    reason: str = ""
    is_ours: bool  #: about a place the alerts name

    @property
    def rank(self) -> tuple[Any, ...]:
        """Sort ours first, then departures by distance, then the rest by size."""
        reading = self.reading
        departed = reading.onset_at is not None
        return (
            not self.is_ours,
            not departed,
            -reading.deviation if departed or reading.after is None else -abs(reading.after.max),
            sorted(self.subject.items()),
            self.reason,
        )


def gridded(result: Result, grid: Grid) -> Iterator[LabelledPoints]:
    """Yield the series of an answer, each with one point per step."""
    for series in result.series:
        yield (
            series.labels,
            on_grid(series.samples, start=grid.start, end=grid.end, step=grid.step),
        )


def planned(part: Result, whole: Result | None, grid: Grid) -> list[LabelledPoints]:
    """Return the series of a planned query; with a `whole`, as shares of it."""
    if whole is None:
        return [(own_labels(labels), points) for labels, points in gridded(part, grid)]
    if not (part.answered and whole.answered):
        return []  # without both, a missing part would look like a share of zero
    parts = {_key(labels): points for labels, points in gridded(part, grid)}
    return [
        (own_labels(labels), _share(parts.get(_key(labels)), points))
        for labels, points in gridded(whole, grid)
    ]


def _key(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in labels.items() if name != "__name__"))


def _share(part: Sequence[Point] | None, whole: Sequence[Point]) -> tuple[Point, ...]:
    above = dict(part or ())
    return tuple((at, (above.get(at) or 0.0) / total if total else None) for at, total in whole)


def times_of(
    scope: Scope, results: Iterable[Result], grid: Grid, *, is_slow: bool = False
) -> Times:
    """Return the times of this investigation; `results` are all answers on one grid.

    Where the history is shorter than was asked for, so is the time before onset that is not
    believed to be calm.
    """
    onset = scope.window.onset.timestamp()
    told = {at for result in results for item in result.series for at, _ in item.samples}
    known = unbroken_from(sorted(told), step=grid.step, onset=onset)
    begin = grid.start if known is None else known
    guard = onset - scope.calm_until.timestamp()
    share = max(LEAST_GUARD, guard / (onset - scope.baseline_start.timestamp()))
    return Times(
        history_from=begin,
        calm_until=onset - min(guard, share * max(0.0, onset - begin)),
        onset=onset,
        is_slow=is_slow,
    )


def observe(
    row: Row, series: Sequence[LabelledPoints], times: Times, places: Places, targets: Targets
) -> list[Observed]:
    """Return what the series of a row say, without those that say nothing."""
    found = []
    for labels, points in series:
        subject = _subject(row, labels, places)
        if any(name not in subject for name in row.names):
            continue
        if row.skip_zero and not any(value for _, value in points):
            continue
        found.append(
            Observed(
                subject=subject,
                reading=read(points, times, row.tolerance),
                reason=row.reason.format_map(defaultdict(str, labels)),
                is_ours=is_ours(subject, targets),
            )
        )
    return found


def _subject(row: Row, labels: Mapping[str, str], places: Places) -> dict[str, str]:
    subject = {
        key: labels[label]
        for label, key in row.labels.items()
        if labels.get(label, "") not in _NOBODY
    }
    if "node" in row.names and "node" not in subject and "instance" in subject:
        subject["node"] = places.node_of(subject["instance"])
    if "/" in subject.get("service", ""):  # as jobs are often called
        namespace, _, subject["service"] = subject["service"].rpartition("/")
        subject.setdefault("namespace", namespace)
    return places.complete(subject)


def is_ours(subject: Mapping[str, str], targets: Targets) -> bool:
    """Say whether a subject is a place that the alerts name."""
    namespace = subject.get("namespace", "")
    names = {subject.get("service"), subject.get("workload"), subject.get("peer")}
    return (
        subject.get("node") in targets.nodes
        or subject.get("instance") in targets.instances
        or (namespace, subject.get("pod")) in targets.pods
        or any(name in names and place in {"", namespace} for place, name in targets.services)
    )


def telling(observed: Sequence[Observed], row: Row, limit: int) -> list[Observed]:
    """Return at most `limit` of them: ours, those that left their baseline, some plain ones.

    A series without baseline counts as telling when its size alone is beyond the tolerance.
    """
    kept: list[Observed] = []
    plain = 0
    for item in sorted(observed, key=lambda item: item.rank):
        is_news = item.reading.onset_at is not None or (
            item.reading.before is None and item.reading.deviation > 1
        )
        plain += not (item.is_ours or is_news)
        if item.is_ours or is_news or plain <= row.plain:
            kept.append(item)
    return kept[:limit]


def evidence_of(
    row: Row, item: Observed, query: str, scope: Scope, extra: Mapping[str, Any] | None = None
) -> Evidence:
    """Write an observed series down; `extra` joins its data."""
    reading = item.reading
    points = [at for at, value in reading.points if value is not None]
    seen = reading.onset_at or (points[-1] if points else scope.window.end.timestamp())
    return Evidence(
        kind=EvidenceKind.METRIC,
        source=SOURCE,
        summary=_summary(row, item),
        observed_at=datetime.fromtimestamp(seen, UTC),
        subject=item.subject,
        query=query,
        window=_window(reading, scope),
        data={
            "signal": row.signal,
            "unit": row.unit,
            "points": thinned(
                reading.points, until=scope.calm_until.timestamp(), digits=row.digits
            ),
            "before": _numbers(reading.before),
            "after": _numbers(reading.after),
            "last": None if reading.last is None else short(reading.last, _DIGITS),
            "onset_at": None
            if reading.onset_at is None
            else format_time(datetime.fromtimestamp(reading.onset_at, UTC)),
            "deviation": round(min(reading.deviation, _DEVIATION_CAP), 3),
            **({"reason": item.reason} if item.reason else {}),
            **(extra or {}),
        },
    )


def _summary(row: Row, item: Observed) -> str:
    if row.companion and item.reading.last is not None:
        return f"{row.title} of {whom(item.subject)}: {quantity(item.reading.last, row.unit)}"
    title = f"{row.title} ({item.reason})" if item.reason else row.title
    return course(title, item.subject, item.reading, row.unit)


def _window(reading: Reading, scope: Scope) -> Window | None:
    if not reading.points:
        return None
    return Window(
        start=datetime.fromtimestamp(reading.points[0][0], UTC),
        end=datetime.fromtimestamp(reading.points[-1][0], UTC),
        onset=scope.window.onset,
    )


def _numbers(statistics: Statistics | None) -> dict[str, float] | None:
    if statistics is None:
        return None
    return {
        "median": short(statistics.median, _DIGITS),
        "max": short(statistics.max, _DIGITS),
        "min": short(statistics.min, _DIGITS),
        "count": statistics.count,
    }
