"""What speaks for or against a component by its place: order in time, and who depends on whom.

These terms know nothing of causes. A component is the likelier root the more alerts it explains,
the earlier it failed and the less anything beneath it fails.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from math import log

from opssage.diagnosis import Finding
from tasks.diagnose.cause import POSITIVE, SLIGHT, STRONG
from tasks.diagnose.component import kind_of, label_of
from tasks.diagnose.scene import Scene, Where
from tasks.diagnose.signals.finding import fails, harms

_SAME_TIME = 60.0
"""Seconds. Onsets are read off samples a scrape and a rate window apart."""
_MUCH_LATER = 300.0
_MOST_VICTIMS = 2
_MOST_ALERTS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Factor:
    """One step of a hypothesis' log-odds, and the finding it rests on."""

    weight: float  #: natural logarithm of the likelihood ratio, scaled by strength
    statement: str
    finding: Finding
    is_outright: bool = False  #: the finding says the cause in so many words


def explained_alerts(scene: Scene, component: str) -> Iterator[Factor]:
    """Weigh how many of the alerts would follow from this component failing.

    An alert elsewhere speaks against it: more so where the surroundings of both are known and
    still no path leads from one to the other.
    """
    alerts = scene.alerts
    dependants = {component, *scene.depend_on(component)}
    missed = [each for each in alerts if not _explains(scene, component, dependants, each)]
    for each in missed:
        charted = _charted(scene, component) and _charted(scene, each.component)
        yield Factor(
            weight=-log(STRONG if charted else POSITIVE) / len(alerts),
            statement=f"does not explain: {each.statement}",
            finding=each,
        )
    elsewhere = [each for each in alerts if each.component != component]
    told = () if missed else elsewhere[:_MOST_ALERTS]
    for each in told:
        yield Factor(
            weight=log(SLIGHT) / len(told),
            statement=f"explains that {each.statement}",
            finding=each,
        )


def first_to_fail(scene: Scene, component: str) -> Iterator[Factor]:
    """Weigh against a component that failed clearly later than another one did."""
    own = scene.onsets.get(component)
    others = [
        each
        for each in scene.findings
        if each.onset_at and fails(each) and each.component != component
    ]
    if own is None or not others:
        return
    first = min(others, key=lambda each: (each.onset_at or own, each.component, each.signal))
    late = (own - (first.onset_at or own)).total_seconds()
    if late > _SAME_TIME:
        yield Factor(
            weight=-log(POSITIVE) * min(1.0, late / _MUCH_LATER),
            statement=f"{late:.0f} s earlier already: {first.statement}",
            finding=first,
        )


def failing_beneath(scene: Scene, component: str) -> Iterator[Factor]:
    """Weigh against a component that calls, or runs on, something that fails no later."""
    own = scene.onsets.get(component)
    suspects = [
        each
        for place in sorted(scene.needs(component))
        for each in scene.own.get(place, ())
        if fails(each) and not _later(scene.onsets.get(place), own)
    ]
    worst = max(suspects, key=lambda each: each.strength, default=None)
    if worst:
        verb = "runs on" if kind_of(worst.component) == "node" else "depends on"
        yield Factor(
            weight=-log(POSITIVE) * worst.strength,
            statement=f"{verb} {label_of(worst.component)}, which fails itself: {worst.statement}",
            finding=worst,
        )


def suffering_callers(scene: Scene, component: str) -> Iterator[Factor]:
    """Weigh for a component whose direct callers fail or complain, not earlier than it."""
    own = scene.onsets.get(component)
    worst: dict[str, Finding] = {}
    for where in (Where.CALLERS, Where.ACCUSED):
        for each in scene.look(component, where):
            suffers = each.about == component or fails(each)
            if suffers and not each.signal.startswith("alert.") and not _later(own, each.onset_at):
                worst.setdefault(each.component, each)
    for caller in sorted(worst)[:_MOST_VICTIMS]:
        yield Factor(
            weight=log(SLIGHT) * worst[caller].strength,
            statement=f"its caller {label_of(caller)} suffers: {worst[caller].statement}",
            finding=worst[caller],
        )


def alerting_too(scene: Scene, component: str) -> Iterator[Factor]:
    """Weigh for a component of which another alert of the same time tells."""
    seen = scene.strongest(component, "alert.nearby", Where.SELF)
    if seen:
        yield Factor(weight=log(SLIGHT) * seen.strength, statement=seen.statement, finding=seen)


def harmless(scene: Scene, component: str) -> Iterator[Factor]:
    """Weigh against a component while no harm is seen at it, nor at what depends on it."""
    if scene.harm(component) is None:
        statement = no_harm(component)
        unseen = Finding(
            signal="calm.no_harm",
            component=component,
            strength=1.0,
            statement=statement,
            evidence_ids=(),
        )
        yield Factor(weight=-log(STRONG), statement=statement, finding=unseen)


def at_work(scene: Scene, component: str) -> Iterator[Factor]:
    """Weigh against a component whose objects are seen at work.

    What was measured there, or is said of it by others, an object at work may well show besides.
    """
    seen = scene.strongest(component, "calm.at_work", Where.SELF)
    told = (*scene.own.get(component, ()), *scene.accusations.get(component, ()))
    if seen and not any(harms(each) and not _is_of_objects(each) for each in told):
        yield Factor(weight=-log(POSITIVE), statement=seen.statement, finding=seen)


def _is_of_objects(each: Finding) -> bool:
    return each.signal.startswith("state.") or each.signal == "metric.restarts"


def no_harm(component: str) -> str:
    """Say that nothing shows harm to a component."""
    return f"nothing measured shows harm to {label_of(component)} or to what depends on it"


Term = Callable[[Scene, str], Iterator[Factor]]

TERMS: tuple[Term, ...] = (
    explained_alerts,
    first_to_fail,
    failing_beneath,
    suffering_callers,
    alerting_too,
    harmless,
    at_work,
)


def _explains(scene: Scene, component: str, dependants: set[str], alert: Finding) -> bool:
    if alert.component in dependants or alert.about in dependants:
        return True
    # A pod that takes a node's CPU explains the node's alert.
    hogs = scene.strongest(component, "metric.cpu_hog", Where.SELF)
    return bool(hogs) and alert.component in scene.nodes.get(component, ())


def _charted(scene: Scene, component: str) -> bool:
    known = (scene.calls, scene.callers, scene.nodes, scene.hosted)
    return any(component in each for each in known)


def _later(first: datetime | None, second: datetime | None) -> bool:
    """Tell whether `first` is clearly later than `second`; False when either is unknown."""
    if first is None or second is None:
        return False
    return (first - second).total_seconds() > _SAME_TIME
