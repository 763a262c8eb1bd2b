"""Which open incidents belong together with this one, and why.

Time comes first: two incidents that began far apart are two, whatever they share.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from opssage.evidence import PrimaryContext
from opssage.graph import Edge, ServiceGraph, parts_of
from opssage.linking import (
    Footprint,
    IncidentEvent,
    Link,
    Linking,
    LinkReason,
    OpenIncident,
    Vicinity,
)
from tasks.enrich.event import event_of, members_of
from tasks.enrich.topology import service_graph

NEAR_SECONDS = 900
"""Onsets so far apart at most may be of one event: what fails spreads within minutes, and rules
wait for up to a quarter of an hour before they fire."""
TOGETHER_SECONDS = 180
"""Onsets so near are no accident in one namespace: a scrape, a rate window and a rule's `for`."""
NEAR_HOPS = 2
MOST_LINKS = 20
"""Of one incident, as far as it makes them itself: in a storm everything is near everything."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Correlation:
    """What came of it."""

    event: IncidentEvent | None  #: None when the incident stands alone
    linking: Linking


def correlate(me: OpenIncident, context: PrimaryContext, vicinity: Vicinity) -> Correlation:
    """Link an incident with those that belong to it, and describe the event that they are.

    The order of what is in `vicinity` changes nothing.
    """
    graph = _graph(context, me, vicinity)
    mine, *others = (_settled(each, graph) for each in (me, *vicinity.incidents))
    links = tuple(_new_links(mine, others, vicinity.links, graph))
    every = (*vicinity.links, *links)
    before = members_of(me.incident_id, vicinity.links)
    after = members_of(me.incident_id, every)
    return Correlation(
        event=event_of(mine, others, every, graph),
        linking=Linking(
            seen=vicinity.seen,
            links=links,
            informed=tuple(sorted(after - {me.incident_id})) if after != before else (),
        ),
    )


def _settled(each: OpenIncident, graph: ServiceGraph) -> OpenIncident:
    """Return an incident with its services as this graph spells them."""

    def found(service: str) -> tuple[str, ...]:
        return graph.find(*parts_of(service)) or (service,)

    own = each.footprint
    services = {name for service in own.services for name in found(service)}
    calls = {
        (caller, called)
        for one, other in own.calls
        for caller in found(one)
        for called in found(other)
        if caller != called
    }
    settled = replace(own, services=tuple(sorted(services)), calls=tuple(sorted(calls)))
    return replace(each, footprint=settled)


def _graph(context: PrimaryContext, me: OpenIncident, vicinity: Vicinity) -> ServiceGraph:
    """Return what this incident's evidence shows, and the calls that the others' alerts name."""
    told = (
        Edge(caller=caller, called=called, source="alerts")
        for each in (me, *vicinity.incidents)
        for caller, called in each.footprint.calls
    )
    return service_graph(context).joined(ServiceGraph.of(told))


def _new_links(
    me: OpenIncident, others: Sequence[OpenIncident], links: Sequence[Link], graph: ServiceGraph
) -> Iterator[Link]:
    """Yield the links that are not there yet, the most telling first."""
    mine = [link.ends for link in links if me.incident_id in link.ends]
    partners = {end for ends in mine for end in ends}
    found = [
        (reasons, each)
        for each in others
        if each.incident_id not in partners
        and (reasons := reasons_for(me.footprint, each.footprint, graph))
    ]
    ranked = sorted(found, key=lambda pair: _rank(me, *pair))
    for reasons, each in ranked[: max(MOST_LINKS - len(mine), 0)]:
        detail = f"{_apart(me.footprint, each.footprint):.0f} s apart: {_words(reasons)}"
        yield Link.between(me.incident_id, each.incident_id, reasons[0], detail)


def _rank(
    me: OpenIncident, reasons: tuple[LinkReason, ...], each: OpenIncident
) -> tuple[int, float, str, str]:
    apart = _apart(me.footprint, each.footprint)
    return reasons[0].rank, apart, each.alert_name, each.incident_id


def _words(reasons: tuple[LinkReason, ...]) -> str:
    return ", ".join(each.value.replace("_", " ") for each in reasons)


def reasons_for(one: Footprint, other: Footprint, graph: ServiceGraph) -> tuple[LinkReason, ...]:
    """Return why two incidents belong together, the most telling first; nothing if they do not."""
    apart = _apart(one, other)
    if apart > NEAR_SECONDS or _in_different_clusters(one, other):
        return ()
    return tuple(
        reason
        for reason, (seconds, is_so) in _REASONS.items()
        if apart <= seconds and is_so(one, other, graph)
    )


def _apart(one: Footprint, other: Footprint) -> float:
    return abs((one.onset - other.onset).total_seconds())


def _in_different_clusters(one: Footprint, other: Footprint) -> bool:
    return bool(one.clusters and other.clusters) and not set(one.clusters) & set(other.clusters)


def _same_service(one: Footprint, other: Footprint, _: ServiceGraph) -> bool:
    return bool(set(one.services) & set(other.services))


def _neighbours(one: Footprint, other: Footprint, graph: ServiceGraph) -> bool:
    """Tell whether trouble can pass: up the calls, or from what both call.

    Two that are called by the same service are no neighbours: it passes nothing on to them.
    """
    mine = sorted(set(one.services) - set(other.services))
    theirs = sorted(set(other.services) - set(one.services))
    beneath_mine = graph.called_by(*mine, hops=NEAR_HOPS)
    beneath_theirs = graph.called_by(*theirs, hops=NEAR_HOPS)
    are_in_line = beneath_mine.keys() & theirs or beneath_theirs.keys() & mine
    return bool(are_in_line) or any(
        beneath_mine[each] + beneath_theirs[each] <= NEAR_HOPS
        for each in beneath_mine.keys() & beneath_theirs.keys()
    )


def _same_node(one: Footprint, other: Footprint, _: ServiceGraph) -> bool:
    return any(
        set(first.nodes) & {*second.nodes, *second.hosts}
        for first, second in ((one, other), (other, one))
    )


def _same_change(one: Footprint, other: Footprint, _: ServiceGraph) -> bool:
    return bool(set(one.changes) & set(other.changes))


def _same_namespace(one: Footprint, other: Footprint, _: ServiceGraph) -> bool:
    return bool(set(one.namespaces) & set(other.namespaces))


_Test = Callable[[Footprint, Footprint, ServiceGraph], bool]
_REASONS: dict[LinkReason, tuple[float, _Test]] = {
    LinkReason.SAME_SERVICE: (NEAR_SECONDS, _same_service),
    LinkReason.NEIGHBOUR: (NEAR_SECONDS, _neighbours),
    LinkReason.SAME_NODE: (NEAR_SECONDS, _same_node),
    LinkReason.SAME_CHANGE: (NEAR_SECONDS, _same_change),
    LinkReason.SAME_NAMESPACE: (TOGETHER_SECONDS, _same_namespace),
}
"""How far apart two may have begun at most, and what has to be so."""
