"""Objects of Kubernetes and their events: what they say is wrong, and what is seen to be well."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from opssage.diagnosis import Finding
from opssage.evidence import Evidence, EvidenceKind
from tasks.diagnose.case import Case, time_of
from tasks.diagnose.component import kind_of, label_of
from tasks.diagnose.signals.finding import finding
from tasks.diagnose.signals.reading import ramp
from tasks.diagnose.signals.reasons import Meaning, meaning

_LONG_AGO = 0.3
"""It was so before the time that is looked at, or the object shows it no longer."""
_AS_BEFORE = 0.5
_RARELY = 0.3  # an event that came once, of a sort that comes now and then
_STILL = timedelta(minutes=10)
"""What was last told so long before onset is over."""
_QUOTED_LENGTH = 200
_BRACKETS = re.compile(r"[\[\]\s]+")  # square brackets are for citations

_WORKING = frozenset({"Pod", "Deployment", "StatefulSet", "DaemonSet", "Node"})
"""Kinds of which an object without problems is at work."""
_WAYS = ("ingress", "egress")
_NEEDED = frozenset(
    {"ConfigMap", "Secret", "ServiceAccount", "PersistentVolumeClaim", "PriorityClass"}
)
"""Kinds whose objects are asked for because something refers to them."""


def problems(case: Case) -> Iterator[Finding]:
    """Find what objects say is wrong with them."""
    for item in case.of_kind(EvidenceKind.OBJECT):
        component, kind = case.component(item), _kind(item)
        for problem in item.data.get("problems") or ():
            meant = meaning(str(problem.get("reason")), str(problem.get("message") or ""), kind)
            if meant and component:
                yield _problem(case, item, component, meant, problem)


def _problem(
    case: Case, item: Evidence, component: str, meant: Meaning, problem: Mapping[str, Any]
) -> Finding:
    at = time_of(problem.get("at"))
    before = at < case.start if at else _never_ran(case, item)
    # A container's state tells when it was last so, a condition since when it has been so.
    repeats = bool(problem.get("container"))
    strength = (_LONG_AGO if repeats else _AS_BEFORE) if before else 1.0
    return finding(
        meant.row.signal,
        component,
        strength,
        _statement(item, problem),
        [item],
        onset_at=None if before or repeats else at,
        details={**meant.details, **_container(problem)},
    )


def _never_ran(case: Case, item: Evidence) -> bool:
    """Tell whether a pod waits since before the time that is looked at: a wait has no time."""
    facts = item.data.get("facts") or {}
    created = time_of(facts.get("created_at"))
    return created is not None and created < case.start and facts.get("restarts") == 0


def _container(problem: Mapping[str, Any]) -> dict[str, str]:
    return {"container": str(problem["container"])} if problem.get("container") else {}


def events(case: Case) -> Iterator[Finding]:
    """Find what events tell, unless it was over before the trouble or its object is well."""
    well = {_identity(item) for item in case.of_kind(EvidenceKind.OBJECT) if _is_well(item)}
    for item in case.of_kind(EvidenceKind.EVENT):
        component, kind = case.component(item), _kind(item)
        meant = meaning(str(item.data.get("reason")), str(item.data.get("message") or ""), kind)
        if meant and component:
            strength = _told(case, item, meant.row.often)
            yield finding(
                meant.row.signal,
                component,
                strength * (_LONG_AGO if _identity(item) in well else 1.0),
                _statement(item, item.data),
                [item],
                onset_at=_began(case, item),
                details=meant.details,
            )


def _told(case: Case, item: Evidence, often: int) -> float:
    """Return how much an event counts: 0 when it ended before the trouble began."""
    first, last = time_of(item.data.get("first_at")), time_of(item.data.get("last_at"))
    if last is not None and last < case.onset - _STILL:
        return 0.0
    count = int(item.data.get("count") or 1)
    strength = 1.0 if often == 1 else _RARELY + (1 - _RARELY) * ramp(count, 1, often)
    return strength * (_AS_BEFORE if first is not None and first < case.start else 1.0)


def _began(case: Case, item: Evidence) -> datetime | None:
    first = time_of(item.data.get("first_at"))
    return first if first is not None and first >= case.start else None


def absences(case: Case) -> Iterator[Finding]:
    """Find objects that something refers to and that do not exist."""
    for item in case.of_kind(EvidenceKind.OBJECT):
        there, component = _object(item), case.component(item)
        if item.data.get("exists") is False and component and there.get("kind") in _NEEDED:
            name = f"{str(there['kind']).lower()} {there.get('name', '')}"
            yield finding(
                "state.object_missing",
                component,
                1.0,
                f"{name}, which {label_of(component)} refers to, does not exist",
                [item],
                details={"object": name},
            )


def wellbeing(case: Case) -> Iterator[Finding]:
    """Find components whose objects are all at work, which speaks against faults of theirs."""
    items = [item for item in case.of_kind(EvidenceKind.OBJECT) if case.component(item)]
    gone = [item for item in items if item.data.get("exists") is False and _kind(item) == "Pod"]
    ailing = {
        case.component(item)
        for item in items
        if not _is_well(item) and item not in gone and _kind(item) != "ReplicaSet"
    }
    for item in items:
        component = case.component(item)
        is_one = _kind(item) in _WORKING and item not in gone
        if component and component not in ailing and is_one:
            said = f"{_name(_object(item))} is at work: its state shows no problem"
            yield finding("calm.at_work", component, 1.0, said, [item])


def policies(case: Case) -> Iterator[Finding]:
    """Find network policies that let nothing through in a direction; a context, not a fault."""
    there = [each for each in case.of_kind(EvidenceKind.OBJECT) if _kind(each) == "NetworkPolicy"]
    for item in there:
        facts = item.data.get("facts") or {}
        denied = [way for way in _WAYS if facts.get(f"denies_{way}")]
        component = case.component(item)
        whose = bool(component or facts.get("selects_all"))
        for each in [component] if component else _in_namespace(case, item):
            # Policies add up: what one denies, another one may let through.
            lone = not any(_lets(other, denied) for other in there)
            strength = 1.0 if whose and lone else _AS_BEFORE
            said = f"{_name(_object(item))} denies {label_of(each)} all {' and '.join(denied)}"
            details = {"policy": str(_object(item).get("name", ""))}
            if denied:
                yield finding("policy.denies", each, strength, said, [item], details=details)


def _lets(item: Evidence, ways: list[str]) -> bool:
    rules = (item.data.get("facts") or {}).get("rules") or {}
    return any(rules.get(way) for way in ways)


def settings(case: Case) -> Iterator[Finding]:
    """Find what objects are set to that explains trouble, though nothing is wrong with them."""
    for item in case.of_kind(EvidenceKind.OBJECT):
        component, facts = case.component(item), item.data.get("facts") or {}
        for row in _SETTINGS:
            if component and _kind(item) in row.kinds.split() and row.holds(facts):
                said = f"{_name(_object(item))} {row.says}"
                yield finding(row.signal, component, 1.0, said, [item])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Setting:
    signal: str
    kinds: str
    says: str
    holds: Callable[[Mapping[str, Any]], bool]


_OVERCOMMITTED = 1.5  # times what the node has, promised as limits

_SETTINGS = (
    _Setting(
        signal="set.to_zero",
        kinds="Deployment StatefulSet",
        says="wants no replicas",
        holds=lambda facts: _number(facts, "replicas", "desired") == 0,
    ),
    _Setting(
        signal="set.local_traffic",
        kinds="Service",
        says="takes traffic from pods of the same node only",
        holds=lambda facts: facts.get("traffic_policy") == "Local",
    ),
    _Setting(
        signal="set.overcommitted",
        kinds="Node",
        says="has promised its pods far more than it has",
        holds=lambda facts: any(
            (_number(facts, "limits_share", resource) or 0) >= _OVERCOMMITTED
            for resource in ("cpu", "memory")
        ),
    ),
)


def _number(facts: Mapping[str, Any], group: str, key: str) -> float | None:
    values = facts.get(group)
    found = values.get(key) if isinstance(values, Mapping) else None
    return float(found) if isinstance(found, int | float) else None


def _in_namespace(case: Case, item: Evidence) -> list[str]:
    """Return the components of the namespace of an object that names none."""
    namespace = _object(item).get("namespace")
    found = {
        component
        for each in case.evidence
        if each.subject.get("namespace") == namespace and (component := case.component(each))
    }
    return sorted(each for each in found if kind_of(each) != "node")


def _is_well(item: Evidence) -> bool:
    """Tell whether an object is there, complains of nothing, and is as ready as it should be."""
    facts = item.data.get("facts") or {}
    desired, ready = (_number(facts, "replicas", key) for key in ("desired", "ready"))
    complete = desired is None or 0 < desired <= (ready or 0)
    up, _, whole = str(facts.get("ready") or "").partition("/")
    started = up == whole or not whole or facts.get("phase") == "Succeeded"
    is_there = bool(item.data.get("exists", True))
    return is_there and not item.data.get("problems") and complete and started


def _object(item: Evidence) -> Mapping[str, Any]:
    there: Mapping[str, Any] = item.data.get("object") or {}
    return there


def _kind(item: Evidence) -> str:
    return str(_object(item).get("kind", ""))


def _identity(item: Evidence) -> tuple[str, ...]:
    there = _object(item)
    return tuple(str(there.get(key) or "") for key in ("kind", "namespace", "name"))


def _name(there: Mapping[str, Any]) -> str:
    return f"{there.get('kind', 'object')} {there.get('name', '')}".strip()


def _statement(item: Evidence, told: Mapping[str, Any]) -> str:
    message = _BRACKETS.sub(" ", str(told.get("message") or "")).strip()
    quoted = message if len(message) <= _QUOTED_LENGTH else f"{message[:_QUOTED_LENGTH].rstrip()}…"
    count = int(told.get("count") or 1)
    times = f" ({count} times)" if count > 1 else ""
    said = f": {quoted}" if quoted else ""
    return f"{_name(_object(item))} reports {told.get('reason')}{times}{said}"
