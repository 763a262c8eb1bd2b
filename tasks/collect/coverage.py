"""What would be asked for an alert of a rule, found out without asking anybody."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from opssage.evidence import Window
from opssage.fingerprint import fingerprint
from opssage.incident import Alert
from tasks.collect.alert_signals import lookback_seconds
from tasks.collect.investigation import MAX_QUERIES, Investigation
from tasks.collect.kubernetes.source import NAMESPACED
from tasks.collect.locating import first_queries
from tasks.collect.logql import queries_for
from tasks.collect.metric_labels import labels_of
from tasks.collect.places import Places, PodInfo, places_of
from tasks.collect.plan import ROWS
from tasks.collect.prometheus_api import Grid
from tasks.collect.promql import labels_in, metrics_in, pinned
from tasks.collect.site import Site
from tasks.collect.source import Scope
from tasks.collect.surviving import surviving
from tasks.collect.targets import Targets, targets_of
from tasks.collect.topics import topics_of

_FIRED_AT = datetime(2026, 1, 1, tzinfo=UTC)  # any time: only places and words decide what is asked
CLUSTER = "cluster"

KINDS: Mapping[str, Callable[[Targets], Sequence[object]]] = {
    "namespace": lambda targets: targets.namespaces,
    "service": lambda targets: targets.services,
    "pod": lambda targets: targets.pods,
    "node": lambda targets: targets.nodes,
    "instance": lambda targets: targets.instances,
    "job": lambda targets: targets.jobs,
}
"""Kind of place → those that are targets."""


def _kubernetes(targets: Targets) -> tuple[str, ...]:
    if targets.namespaces or targets.services or targets.pods:
        return (*NAMESPACED, "Node")
    return ("Node", "Pod", "Event")


def _loki(targets: Targets) -> tuple[str, ...]:
    labels = {kind: kind for kind in ("namespace", "service", "pod", "node")}
    return ("lines",) * len(queries_for(targets, labels))


OTHERS: Mapping[str, Callable[[Targets], tuple[str, ...]]] = {
    "kubernetes": _kubernetes,
    "loki": _loki,
    "alertmanager": lambda _: ("alerts", "silences"),
    "changes": lambda _: ("changes",),
}
"""Source → what it would be asked for, one word for each question."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertRule:
    """An alerting rule of a file."""

    name: str
    expression: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What one source would be asked."""

    queries: int
    signals: tuple[str, ...]  #: each once; of Kubernetes the kinds of objects


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """What would be asked for an alert of one rule."""

    name: str
    places: tuple[str, ...]  #: kinds of place its alerts name; `cluster` alone when there is none
    topics: tuple[str, ...]  #: what it is about, in words that rows of the plan know
    own_signals: int  #: taken out of its expression
    signals: tuple[str, ...]  #: further ones from Prometheus, in order of importance
    sources: Mapping[str, Asked]
    error: str = ""  #: why nobody can read its expression

    @property
    def has_plan(self) -> bool:
        """Say whether anything is asked besides what the rule asks itself."""
        return bool(self.signals)


def covered(rule: AlertRule) -> Coverage:
    """Return what would be asked, where nobody knows which metrics exist."""
    alert = _alert(rule)
    targets = targets_of([alert])
    located = first_queries(targets, _GRID, Site())
    investigation = _investigation(alert, targets, budget=MAX_QUERIES - len(located))
    signals = _signals(investigation)
    prometheus = Asked(queries=len(investigation.queries) + len(located), signals=signals)
    others = {source: ask(targets) for source, ask in OTHERS.items()}
    return Coverage(
        name=rule.name,
        places=tuple(kind for kind, of in KINDS.items() if of(targets)) or (CLUSTER,),
        topics=tuple(word for word in topics_of([alert]) if any(r.is_about([word]) for r in ROWS)),
        own_signals=len(investigation.watched),
        signals=signals,
        sources={
            "prometheus": prometheus,
            **{
                source: Asked(queries=len(asked), signals=tuple(dict.fromkeys(asked)))
                for source, asked in others.items()
                if asked
            },
        },
        error=_fault(rule.expression),
    )


def _fault(expression: str) -> str:
    try:
        metrics_in(expression)
    except ValueError as error:
        return str(error)
    return ""


def _signals(investigation: Investigation) -> tuple[str, ...]:
    asked = [question.row.signal for question in investigation.questions]
    return tuple(dict.fromkeys((*asked, *(["rollouts"] if investigation.changes else []))))


_GRID = Grid.over(0, 3600, max_points=10)


def _alert(rule: AlertRule) -> Alert:
    """Return an alert with the labels that its rule's expression leaves on it."""
    labels = {"alertname": rule.name, **rule.labels, **_labels(rule.expression)}
    return Alert(
        labels=labels,
        starts_at=_FIRED_AT,
        fingerprint=fingerprint(labels),
        firing_condition=rule.expression,
    )


def _labels(expression: str) -> dict[str, str]:
    try:
        left = surviving(expression)
        known = (*labels_of(left.metrics), *labels_in(expression))
        fixed = pinned(expression)
    except ValueError:
        return {}
    carried = left.of(known) | left.certain
    return {name: fixed.get(name, f"a-{name}") for name in sorted(carried)}


def _investigation(alert: Alert, targets: Targets, *, budget: int) -> Investigation:
    lookback = timedelta(seconds=lookback_seconds([alert]) + 1800)
    window = Window(start=_FIRED_AT - lookback, end=_FIRED_AT, onset=_FIRED_AT)
    scope = Scope(
        alerts=(alert,),
        targets=targets,
        window=window,
        baseline_start=window.start,
        calm_until=window.onset,
        now=_FIRED_AT,
        max_points=120,
        max_series=40,
    )
    return Investigation.of(scope, _places(targets), Site(), budget=budget)


def _places(targets: Targets) -> Places:
    """Return the targets' places where each namespace has a pod, and each pod a node."""
    pods = tuple(
        PodInfo(namespace=namespace, pod="a-pod", node="a-node") for namespace in targets.namespaces
    )
    beside = tuple(PodInfo(namespace="another", pod="a-pod", node=node) for node in targets.nodes)
    return places_of(targets, of_targets=pods, on_nodes=beside, node_names={})
