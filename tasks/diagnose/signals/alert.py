"""The alerts themselves, and what became of the signals they watch."""

import operator
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from opssage.diagnosis import Finding
from opssage.evidence import Evidence, EvidenceKind
from opssage.places import called_by, subject_of
from tasks.diagnose.case import Case, time_of
from tasks.diagnose.component import label_of
from tasks.diagnose.signals.finding import finding
from tasks.diagnose.signals.reading import quantity, ramp, values_since

INCIDENT = "incident"
"""Stands for the incident as a whole where a signal names no component."""

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_SAME_TIME = 900.0
_OTHER_TIME = 3600.0
"""Seconds from onset: an alert that began so far from it is of another trouble."""
_SETTLED = 3
"""So many points in a row within the threshold count as back to normal."""


def alerts(case: Case) -> Iterator[Finding]:
    """Turn each alert into a symptom of the component it names, and of the one it complains of.

    The incident's own have to be explained; others that fire at the same time only tell more.
    """
    for item in case.of_kind(EvidenceKind.ALERT):
        component = case.component(item)
        labels = item.data.get("labels") or {}
        if component is None:
            continue
        near = subject_of(labels).get("namespace", "")
        called = case.names.called(next(iter(called_by(labels)), ""), near)
        about = called if called != component else None
        name = labels.get("alertname", "an alert")
        complains = f" and names {label_of(about)}" if about else ""
        starts_at = time_of(item.data.get("starts_at"))
        is_own = "relation" not in item.data
        yield finding(
            "alert.firing" if is_own else "alert.nearby",
            component,
            1.0 if is_own else nearness(starts_at, case.onset),
            f"{'alert' if is_own else 'another alert'} {name} is "
            f"{item.data.get('status', 'firing')} for {label_of(component)}{complains}",
            [item],
            onset_at=starts_at,
            about=about,
        )


def nearness(starts_at: datetime | None, onset: datetime) -> float:
    """Return 1 for an alert that began with the trouble, and 0 for one of another time."""
    if starts_at is None:
        return 0.0
    return 1 - ramp(abs((starts_at - onset).total_seconds()), _SAME_TIME, _OTHER_TIME)


def own_signals(case: Case) -> Iterator[Finding]:
    """Compare the signal each alert watches with the alert's threshold."""
    for item in case.metrics("alert_signal"):
        threshold = item.data.get("threshold") or {}
        crosses = _OPERATORS.get(str(threshold.get("op")))
        values = values_since(item, case.onset)
        if crosses is None or len(values) < _SETTLED:
            continue
        bound = float(threshold["value"])
        over = [crosses(value, bound) for value in values]
        yield _own_signal(item, over, f"{threshold['op']} {_bound(item, bound)}", case)


def _own_signal(item: Evidence, over: list[bool], bound: str, case: Case) -> Finding:
    if any(over[-_SETTLED:]):
        signal, said = "signal.over_threshold", f"the alert's signal is {bound}"
    elif any(over):
        signal, said = "signal.back_to_normal", f"the alert's signal is no longer {bound}"
    else:
        signal, said = "signal.never_crossed", f"the alert's signal was never {bound}"
    component = case.component(item) or INCIDENT
    of = f" for {label_of(component)}" if label_of(component) else ""
    return finding(signal, component, 1.0, said + of, [item])


def _bound(item: Evidence, value: float) -> str:
    return quantity(value, str(item.data.get("unit") or ""))
