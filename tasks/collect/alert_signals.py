"""The measured side of the alerts' own expressions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from opssage.evidence import Evidence, SourceReport, SourceStatus
from opssage.incident import Alert
from opssage.places import subject_of
from tasks.collect.metrics import LabelledPoints, Observed, evidence_of
from tasks.collect.plan import ALERT_SIGNAL
from tasks.collect.prometheus_api import SOURCE, Query
from tasks.collect.promql import Signal, signals, widest_range_seconds
from tasks.collect.series import Times, Tolerance, read
from tasks.collect.source import Scope

MAX_SIGNALS = 6
_SMALLEST = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """A signal, and the alerts whose expressions have it."""

    signal: Signal
    alerts: tuple[Alert, ...]


def watched(alerts: Sequence[Alert]) -> tuple[tuple[Watched, ...], tuple[SourceReport, ...]]:
    """Return the alerts' signals, each once, and what could not be read as ledger lines."""
    by_signal: dict[Signal, list[Alert]] = {}
    skipped: dict[str, SourceReport] = {}
    for alert in alerts:
        expression = alert.condition
        try:
            found = signals(expression) if expression else ()
        except ValueError as error:
            skipped[expression] = _skipped(expression, f"not readable as PromQL: {error}")
            continue
        for signal in found:
            by_signal.setdefault(signal, []).append(alert)
    for signal in list(by_signal)[MAX_SIGNALS:]:
        newest = max(alert.starts_at for alert in by_signal.pop(signal))
        told = _skipped(
            signal.query, f"only the first {MAX_SIGNALS} signals of the alerts are asked for"
        )
        command = Query(promql=signal.query, at=newest.timestamp()).by_hand
        skipped[signal.query] = replace(told, by_hand=command)
    return (
        tuple(Watched(signal=signal, alerts=tuple(owners)) for signal, owners in by_signal.items()),
        tuple(skipped.values()),
    )


def _skipped(query: str, error: str) -> SourceReport:
    return SourceReport(source=SOURCE, status=SourceStatus.SKIPPED, query=query, error=error)


def lookback_seconds(alerts: Iterable[Alert]) -> float:
    """Return the widest range of all the alerts' expressions; 0 for those nobody can read."""
    widest = 0.0
    for alert in alerts:
        try:
            widest = max(widest, widest_range_seconds(alert.condition))
        except ValueError:
            continue
    return widest


def signal_evidence(
    item: Watched, series: Sequence[LabelledPoints], times: Times, scope: Scope
) -> tuple[Evidence, ...]:
    """Return the series the alerts fired on, then others of the query that left their baseline."""
    names = " and ".join(dict.fromkeys(alert.name for alert in item.alerts))
    row = replace(ALERT_SIGNAL, title=f"signal of {names}", tolerance=_proportional(item.signal))
    observed = [
        Observed(subject=subject, reading=read(points, times, row.tolerance), is_ours=is_ours)
        for labels, points in series
        for subject, is_ours in [_about(labels, item.alerts)]
    ]
    kept = sorted(
        (item for item in observed if item.is_ours or item.reading.onset_at is not None),
        key=lambda item: item.rank,
    )[: scope.max_series]
    threshold = {"op": item.signal.op, "value": item.signal.threshold}
    extra = {} if item.signal.op is None else {"threshold": threshold}
    return tuple(evidence_of(row, one, item.signal.query, scope, extra) for one in kept)


def _about(labels: Mapping[str, str], alerts: Sequence[Alert]) -> tuple[dict[str, str], bool]:
    """Return what a series is about, and whether one of the alerts fired on it."""
    own = {name: value for name, value in labels.items() if name != "__name__"}
    for alert in alerts:
        shared = own.keys() & alert.labels.keys()
        if (shared or not own) and all(own[name] == alert.labels[name] for name in shared):
            return subject_of({**own, **alert.labels}), True
    return subject_of(own), False


def _proportional(signal: Signal) -> Tolerance:
    """A rule's threshold tells the scale on which its signal matters."""
    return Tolerance(
        floor=max(abs(signal.threshold or 0.0) / 10, _SMALLEST),
        absent_is_zero=signal.query.startswith("absent"),
    )
