"""Who calls whom: asked of a site, looked at around the alerts, written down as evidence."""

from collections.abc import Collection, Mapping
from itertools import chain, islice

from opssage.evidence import Evidence, EvidenceKind
from opssage.graph import KIND, NEAR_MOST, ServiceGraph, parts_of
from opssage.places import owner_of
from opssage.wire import format_time
from tasks.collect.call_metrics import Family, families
from tasks.collect.prometheus_api import Query, Result
from tasks.collect.site import Site
from tasks.collect.source import Scope
from tasks.collect.targets import Targets

_LOOKED_THROUGH = 500
"""Neighbours that are looked through for those in other namespaces."""

_KNOWING_NAMESPACES = frozenset({"istio", "linkerd", "cilium", "caretta"})
"""Sources that tell the namespace of all they know."""


def graph_queries(scope: Scope, site: Site) -> Mapping[Query, Family]:
    """Return what to ask a site for the calls there are; nothing when no alert names a service."""
    targets, at = scope.targets, scope.window.end.timestamp()
    if not (targets.services or targets.pods or targets.namespaces):
        return {}
    return {Query(promql=family.promql, at=at): family for family in families(site.metrics)}


def measured(asked: Mapping[Query, Family], answers: Mapping[Query, Result]) -> ServiceGraph:
    """Return the calls in the answers to `graph_queries`."""
    return ServiceGraph.of(
        family.edge(series.labels)
        for query, family in asked.items()
        for series in answers[query].series
    )


def services_of(targets: Targets, graph: ServiceGraph) -> tuple[str, ...]:
    """Return the services of a graph that the alerts are about.

    Those are the services and the owners of the pods that they name; where they name none, all of
    their namespaces.
    """
    named = (*targets.services, *((place, owner_of(pod)) for place, pod in targets.pods))
    if not named:
        return tuple(each for each in graph.services if parts_of(each)[0] in targets.namespaces)
    return tuple(dict.fromkeys(chain.from_iterable(graph.find(*each) for each in named)))


def neighbours_of(
    targets: Targets, graph: ServiceGraph, namespaces: Collection[str]
) -> tuple[tuple[str, str], ...]:
    """Return the services near those of the alerts, as (namespace or "", name), nearest first.

    Those outside `namespaces` come first, and are as many at most as those inside.
    """
    known = (
        each
        for each in graph.neighbours(*services_of(targets, graph), most=len(graph.services))
        if not _is_outside(each, graph)
    )
    near = tuple(parts_of(each) for each in islice(known, _LOOKED_THROUGH))
    inside = [each for each in near if each[0] in namespaces]
    outside = [each for each in near if each[0] not in namespaces]
    return (*outside[:NEAR_MOST], *inside[:NEAR_MOST])


def _is_outside(service: str, graph: ServiceGraph) -> bool:
    """Say whether a service has no namespace although a mesh would know it: it counts nothing."""
    return not parts_of(service)[0] and _KNOWING_NAMESPACES.issuperset(graph.sources[service])


def graph_evidence(graph: ServiceGraph, source: str, scope: Scope) -> tuple[Evidence, ...]:
    """Write down the calls around the alerts' services, if any."""
    chart = graph.chart(*services_of(scope.targets, graph))
    if not chart:
        return ()
    count = len({(edge.caller, edge.called) for edge in chart.edges})
    calls = "1 call" if count == 1 else f"{count} calls"
    return (
        Evidence(
            kind=EvidenceKind.OBJECT,
            source=source,
            summary=f"{calls} between {len(chart.services)} services around the alerts",
            observed_at=scope.now,
            data={
                "object": {"kind": KIND, "namespace": "", "name": source},
                "as_of": format_time(scope.now),
                "exists": True,
                "facts": {"edges": chart.rows()},
                "problems": [],
            },
        ),
    )
