"""The findings with their surroundings: who calls whom, and what runs where."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from opssage.diagnosis import Finding
from tasks.diagnose.case import Case
from tasks.diagnose.signals.alert import INCIDENT
from tasks.diagnose.signals.finding import fails, harms


class Where(StrEnum):
    """Where a sign is looked for, seen from the component under suspicion."""

    SELF = "self"
    """On the component itself."""
    ACCUSED = "accused"
    """On other components, complaining of it."""
    CALLERS = "callers"
    """On components that call it, complaining of nobody in particular."""
    COMPLAINTS = "complaints"
    """On the component, complaining of others."""
    PODS = "pods"
    """On what runs on the node."""


Groups = Mapping[str, tuple[Finding, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """Everything that hypotheses are weighed by."""

    findings: tuple[Finding, ...]
    own: Groups  #: component → findings about itself
    complaints: Groups  #: component → what it complains of in others
    accusations: Groups  #: component → what others complain of in it
    calls: Mapping[str, tuple[str, ...]]  #: caller → called
    callers: Mapping[str, tuple[str, ...]]  #: called → callers
    nodes: Mapping[str, tuple[str, ...]]  #: component → nodes it runs on
    hosted: Mapping[str, tuple[str, ...]]  #: node → components that run on it
    onsets: Mapping[str, datetime]  #: component → when it failed or was complained of first
    known: dict[tuple[str, Where], dict[str, Finding]] = field(
        default_factory=dict, compare=False, repr=False
    )  #: what `by_signal` has found

    @classmethod
    def of(cls, case: Case, findings: tuple[Finding, ...]) -> "Scene":
        """Join the known topology with the edges that findings speak of."""
        edges = {(caller, called) for caller in case.calls for called in case.calls[caller]}
        edges |= {(each.component, each.about) for each in findings if each.about}
        calls = sorted(edge for edge in edges if edge[0] != edge[1])
        places = [(each, node) for each in sorted(case.nodes) for node in case.nodes[each]]
        blaming = [each for each in findings if each.about]
        return cls(
            findings=findings,
            own=_by((each for each in findings if not each.about), lambda one: one.component),
            complaints=_by(blaming, lambda one: one.component),
            accusations=_by(blaming, lambda one: one.about or ""),
            calls=_grouped(calls),
            callers=_grouped((called, caller) for caller, called in calls),
            nodes=case.nodes,
            hosted=_grouped((node, each) for each, node in places),
            onsets=_onsets(findings),
        )

    @property
    def components(self) -> tuple[str, ...]:
        """Every component that was seen or complained of, in order of name."""
        return tuple(sorted({*self.own, *self.complaints, *self.accusations}))

    @property
    def alerts(self) -> tuple[Finding, ...]:
        """The alerts, each as the symptom of its component."""
        return tuple(each for each in self.findings if each.signal == "alert.firing")

    def look(self, component: str, where: Where) -> Iterator[Finding]:
        """Yield the findings at a place; for the incident as a whole, all of them."""
        if component == INCIDENT:
            yield from self.findings if where is Where.SELF else ()
        elif where is Where.ACCUSED:
            yield from self.accusations.get(component, ())
        elif where is Where.COMPLAINTS:
            yield from self.complaints.get(component, ())
        else:
            for place in self._places(component, where):
                yield from self.own.get(place, ())

    def strongest(self, component: str, signal: str, where: Where) -> Finding | None:
        """Return the strongest finding of a signal, the first of equals.

        `metric.*` stands for all metric signals.
        """
        seen = self.by_signal(component, where)
        if not signal.endswith("*"):
            return seen.get(signal)
        return next((each for name, each in seen.items() if name.startswith(signal[:-1])), None)

    def by_signal(self, component: str, where: Where) -> Mapping[str, Finding]:
        """Return the strongest finding of each signal at a place, the strongest signal first."""
        known = self.known.get((component, where))
        if known is None:  # hundreds of signs are looked for at each place
            known = self.known[component, where] = {}
            # sorting keeps the order of equals
            for each in sorted(self.look(component, where), key=lambda each: -each.strength):
                known.setdefault(each.signal, each)
        return known

    def depend_on(self, component: str) -> Mapping[str, int]:
        """Return who suffers when `component` fails, with the distance in steps.

        A component fails those that call it; a node fails what runs on it.
        """
        return _reach(
            component,
            lambda each: (*self.callers.get(each, ()), *self.hosted.get(each, ())),
        )

    def needs(self, component: str) -> Mapping[str, int]:
        """Return what `component` calls or runs on, directly or not, with the distance."""
        return _reach(
            component, lambda each: (*self.calls.get(each, ()), *self.nodes.get(each, ()))
        )

    def harm(self, component: str) -> Finding | None:
        """Return the clearest harm to a component or to what depends on it; None without any."""
        seen = [
            each
            for place in (component, *sorted(self.depend_on(component)))
            for each in (*self.own.get(place, ()), *self.accusations.get(place, ()))
            if harms(each) and not self._passing(each)
        ]
        return max(seen, key=lambda each: each.strength, default=None)

    def _passing(self, each: Finding) -> bool:
        """Tell whether replicas are missing just because a rollout replaces them."""
        replaced = any(
            other.signal == "change.rollout_before_onset"
            for other in self.own.get(each.component, ())
        )
        return replaced and each.signal in {"state.replicas_unavailable", "state.not_ready"}

    def _places(self, component: str, where: Where) -> tuple[str, ...]:
        if where is Where.CALLERS:
            return self.callers.get(component, ())
        if where is Where.PODS:
            return self.hosted.get(component, ())
        return (component,)


def _by(findings: Iterable[Finding], key: Callable[[Finding], str]) -> Groups:
    groups: dict[str, list[Finding]] = {}
    for each in findings:
        groups.setdefault(key(each), []).append(each)
    return {name: tuple(groups[name]) for name in sorted(groups)}


def _grouped(edges: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, set[str]] = {}
    for start, end in edges:
        groups.setdefault(start, set()).add(end)
    return {start: tuple(sorted(groups[start])) for start in sorted(groups)}


def _onsets(findings: Iterable[Finding]) -> dict[str, datetime]:
    onsets: dict[str, datetime] = {}
    for each in findings:
        failing = each.about or (each.component if fails(each) else None)
        if failing and each.onset_at and not each.signal.startswith("alert."):
            onsets[failing] = min(each.onset_at, onsets.get(failing, each.onset_at))
    return onsets


def _reach(start: str, steps: Callable[[str], Iterable[str]]) -> dict[str, int]:
    """Return what can be reached, with the number of steps; the start is left out."""
    distance = {start: 0}
    front = [start]
    while front:
        near = sorted({each for place in front for each in steps(place)} - set(distance))
        distance |= dict.fromkeys(near, distance[front[0]] + 1)
        front = near
    del distance[start]
    return distance
