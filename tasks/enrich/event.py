"""The event that linked incidents are: its members, where it likely began, and the way from there.

The root is what most of them depend on; then what began first; then what was changed before.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from opssage.graph import ServiceGraph, bare_names
from opssage.linking import (
    INDIRECT,
    ITSELF,
    EventMember,
    IncidentEvent,
    LikelyRoot,
    Link,
    OpenIncident,
)

MOST_MEMBERS = 50
"""An event is told up to here: those linked to this incident, then those linked to them …"""
_MOST_STEPS = 6  # of a way along the calls
_LATER_SECONDS = 300
"""What began so long after the first is no root, whoever depends on it."""

_Ways = Mapping[str, tuple[str, ...]]
"""Component → the way to it from a root, both included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """A component that incidents of an event point to, or complain of."""

    component: str
    at: tuple[OpenIncident, ...]  #: those that point to it, in order of onset
    blamed_by: tuple[OpenIncident, ...]  #: those whose alerts complain of it
    ways: Mapping[str, tuple[str, ...]]  #: incident → the way from here to it, if there is one

    @property
    def since(self) -> datetime:
        """When it first showed."""
        return min(each.footprint.onset for each in self.at or self.blamed_by)

    @property
    def is_changed(self) -> bool:
        """Tell whether one of its incidents followed a change of this component."""
        told = f" of {self.component.partition('/')[2]} at "
        return any(told in change for each in self.at for change in each.footprint.changes)

    def rank(self, first: datetime) -> tuple[bool, int, bool, datetime, bool, str]:
        """Return what is least for the likeliest root; the event began at `first`."""
        is_late = (self.since - first).total_seconds() > _LATER_SECONDS
        reached = len(self.ways)
        return is_late, -reached, not self.at, self.since, not self.is_changed, self.component


def members_of(incident_id: str, links: Iterable[Link]) -> set[str]:
    """Return the incidents that an incident is linked to, directly or not, and itself.

    Of too many the nearest, then the lowest ids, which are the oldest.
    """
    beside: dict[str, set[str]] = {}
    for link in links:
        for one, other in (link.ends, link.ends[::-1]):
            beside.setdefault(one, set()).add(other)
    found, front = [incident_id], [incident_id]
    while front and len(found) < MOST_MEMBERS:
        front = sorted({each for one in front for each in beside.get(one, ())} - set(found))
        found += front
    return set(found[:MOST_MEMBERS])


def event_of(
    me: OpenIncident, others: Sequence[OpenIncident], links: Sequence[Link], graph: ServiceGraph
) -> IncidentEvent | None:
    """Return the event of an incident; None when it is linked to none of the others."""
    ids = members_of(me.incident_id, links)
    members = [each for each in (me, *others) if each.incident_id in ids]
    if len(members) == 1:
        return None
    members.sort(key=lambda each: (each.footprint.onset, each.alert_name, each.incident_id))
    first = members[0].footprint.onset
    root = min(_places(members, graph), key=lambda place: place.rank(first), default=None)
    names = bare_names((*graph.services, *(one for each in members for one in _services(each))))
    reasons = _reasons(me, links)
    return IncidentEvent(
        event_id=min(ids),
        members=tuple(_member(each, reasons, names) for each in members),
        likely_root=_likely(root, members, names) if root else None,
        path=tuple(_shown(one, names) for one in root.ways.get(me.incident_id, ())) if root else (),
    )


def _reasons(me: OpenIncident, links: Sequence[Link]) -> dict[str, str]:
    direct = {
        other: link.reason.value
        for link in links
        for one, other in (link.ends, link.ends[::-1])
        if one == me.incident_id
    }
    return {**direct, me.incident_id: ITSELF}


def _member(
    each: OpenIncident, reasons: Mapping[str, str], names: Mapping[str, str]
) -> EventMember:
    component = next(iter(_components(each)), "")
    return EventMember(
        incident_id=each.incident_id,
        alert_name=each.alert_name,
        severity=each.severity,
        component=_shown(component, names),
        onset=each.footprint.onset,
        reason=reasons.get(each.incident_id, INDIRECT),
    )


def _services(each: OpenIncident) -> tuple[str, ...]:
    return (*each.footprint.services, *(called for _, called in each.footprint.calls))


def _components(each: OpenIncident) -> tuple[str, ...]:
    """Return where an incident points: its services, or else its nodes."""
    services = tuple(f"service/{name}" for name in each.footprint.services)
    return services or tuple(f"node/{name}" for name in each.footprint.nodes)


def _blamed(each: OpenIncident) -> set[str]:
    return {f"service/{called}" for _, called in each.footprint.calls}


def _shown(component: str, names: Mapping[str, str]) -> str:
    kind, _, name = component.partition("/")
    return f"{kind}/{names.get(name, name)}" if kind else ""


def _places(members: Sequence[OpenIncident], graph: ServiceGraph) -> Iterator[_Place]:
    """Yield every component that alerts of the event are about, or complain of."""
    components = {one for each in members for one in (*_components(each), *_blamed(each))}
    for component in sorted(components):
        ways = _ways(component, members, graph)
        found = {each.incident_id: _way(each, ways) for each in members}
        yield _Place(
            component=component,
            at=tuple(each for each in members if component in _components(each)),
            blamed_by=tuple(each for each in members if component in _blamed(each)),
            ways={incident_id: way for incident_id, way in found.items() if way},
        )


def _ways(root: str, members: Sequence[OpenIncident], graph: ServiceGraph) -> _Ways:
    """Return the shortest ways that trouble takes: to who calls, and from a node to its pods."""
    kind, _, name = root.partition("/")
    ways: dict[str, tuple[str, ...]] = {root: (root,)}
    if kind == "node":
        on_it = [each for each in members if name in each.footprint.hosts]
        return ways | {one: (root, one) for each in on_it for one in _components(each)}
    front = [root]
    for _ in range(_MOST_STEPS):
        reached = [
            (f"service/{caller}", one)
            for one in front
            for caller in graph.callers.get(one.partition("/")[2], ())
        ]
        front = sorted({caller for caller, _ in reached} - ways.keys())
        for caller, one in reached:
            ways.setdefault(caller, (*ways[one], caller))
    return ways


def _way(each: OpenIncident, ways: _Ways) -> tuple[str, ...]:
    """Return the shortest of the ways that lead to an incident; empty when none does."""
    found = [ways[one] for one in _components(each) if one in ways]
    return min(found, key=lambda way: (len(way), way), default=())


def _likely(root: _Place, members: Sequence[OpenIncident], names: Mapping[str, str]) -> LikelyRoot:
    return LikelyRoot(
        component=_shown(root.component, names),
        incident_id=root.at[0].incident_id if root.at else None,
        since=root.since,
        why="; ".join(_why(root, members)),
    )


def _why(root: _Place, members: Sequence[OpenIncident]) -> Iterator[str]:
    others = len(members) - len(root.at)
    depending = sum(len(way) > 1 for way in root.ways.values())
    if depending:
        needs = "runs on it" if root.component.startswith("node/") else "depends on it"
        yield f"{depending} of {others} other incidents are about what {needs}"
    if root.blamed_by:
        count = len(root.blamed_by)
        yield f"alerts of {f'{count} incidents' if count > 1 else 'one incident'} name it"
    if root.at and root.since == members[0].footprint.onset:
        yield "it began first"
    if root.is_changed:
        yield "it was changed before"
