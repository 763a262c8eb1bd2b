"""Where an incident points and when it began, read off its evidence: what links are found by."""

from collections.abc import Iterable, Iterator, Mapping

from opssage.evidence import Evidence, PrimaryContext
from opssage.graph import ServiceGraph, parts_of, service_named
from opssage.linking import Footprint
from opssage.places import called_by, caller_of, deployment_of, service_of, subject_of
from opssage.wire import format_time
from tasks.enrich.topology import service_graph

CHANGE_SECONDS = 1800
"""A change so long before onset may still be what the trouble comes from."""
_SLACK_SECONDS = 60
_BENEATH_HOPS = 2
_MOST = 50  # of each kind


def footprint(context: PrimaryContext) -> Footprint:
    """Return what is compared of an incident."""
    graph = service_graph(context)
    labels = [
        item.data.get("labels") or {}
        for item in context.evidence_collected.alerts
        if "relation" not in item.data
    ]
    services = _distinct(each for one in labels for each in _services(one, graph))
    return Footprint(
        onset=context.window.onset,
        services=services,
        namespaces=_distinct(subject_of(one).get("namespace", "") for one in labels),
        nodes=_distinct(subject_of(one).get("node", "") for one in labels),
        hosts=_distinct(_hosts(context.evidence_collected, services)),
        clusters=_distinct(one.get("cluster", "") for one in labels),
        calls=tuple(sorted({each for one in labels for each in _calls(one, graph)}))[:_MOST],
        changes=_distinct(_changes(context, graph, services)),
    )


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name}))[:_MOST]


def _found(service: str, graph: ServiceGraph) -> tuple[str, ...]:
    """Return a service as the graph spells it, or as it is."""
    return graph.find(*parts_of(service)) or ((service,) if service else ())


def _services(labels: Mapping[str, str], graph: ServiceGraph) -> tuple[str, ...]:
    namespace = subject_of(labels).get("namespace", "")
    return _found(service_named(service_of(labels) or "", namespace), graph)


def _calls(labels: Mapping[str, str], graph: ServiceGraph) -> Iterator[tuple[str, str]]:
    namespace = subject_of(labels).get("namespace", "")
    callers = _found(service_named(caller_of(labels) or "", namespace), graph)
    for name in called_by(labels):
        for called in _found(service_named(name), graph):
            yield from ((caller, called) for caller in callers if caller != called)


def _hosts(evidence: Iterable[Evidence], services: tuple[str, ...]) -> Iterator[str]:
    """Yield the nodes that pods of the services are seen on."""
    names = {parts_of(each)[1] for each in services}
    for item in evidence:
        if "relation" not in item.data and names & _owners(item.subject):
            yield item.subject.get("node", "")


def _owners(subject: Mapping[str, str]) -> set[str]:
    pod = subject.get("pod", "")
    return {subject.get("service", ""), subject.get("workload", ""), deployment_of(pod) or ""}


def _changes(
    context: PrimaryContext, graph: ServiceGraph, services: tuple[str, ...]
) -> Iterator[str]:
    """Yield the changes shortly before onset at the services, or at those they call."""
    near = {*services, *graph.called_by(*services, hops=_BENEATH_HOPS)}
    for item in context.evidence_collected.changes:
        name = item.subject.get("service") or item.subject.get("workload") or ""
        service = service_named(name, item.subject.get("namespace", ""))
        ahead = (context.window.onset - item.observed_at).total_seconds()
        if near.intersection(_found(service, graph)) and -_SLACK_SECONDS <= ahead <= CHANGE_SECONDS:
            kind = item.data.get("change", "")
            yield f"{kind} of {service} at {format_time(item.observed_at)}"
