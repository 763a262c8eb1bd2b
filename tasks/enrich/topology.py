"""Who calls whom, as far as the evidence of one incident shows it."""

from collections.abc import Iterator, Mapping

from opssage.evidence import PrimaryContext
from opssage.graph import KIND, Edge, ServiceGraph, bare_names, service_named
from opssage.places import called_by, caller_of, subject_of


def topology(context: PrimaryContext) -> dict[str, tuple[str, ...]]:
    """Return caller → called services, both in order of name.

    A service has its namespace before its name only where another one has that name too. The
    service graph that collect found tells first; a metric whose subject has a service and a peer
    is an edge too, and so is an alert that names both.
    """
    graph = service_graph(context)
    shown = bare_names(graph.services)
    calls: dict[str, set[str]] = {}
    for edge in graph.edges:
        calls.setdefault(shown[edge.caller], set()).add(shown[edge.called])
    return {caller: tuple(sorted(calls[caller])) for caller in sorted(calls)}


def service_graph(context: PrimaryContext) -> ServiceGraph:
    """Return all calls that the evidence of an incident shows."""
    return ServiceGraph.of((*_charted(context), *_measured(context), *_alerted(context)))


def _charted(context: PrimaryContext) -> Iterator[Edge]:
    for item in context.evidence_collected.objects:
        if (item.data.get("object") or {}).get("kind") == KIND:
            yield from ServiceGraph.from_rows(item.data["facts"]["edges"]).edges


def _measured(context: PrimaryContext) -> Iterator[Edge]:
    for metric in context.evidence_collected.metrics:
        caller, called = metric.subject.get("service", ""), metric.subject.get("peer", "")
        yield _edge(caller, metric.subject.get("namespace", ""), called)


def _alerted(context: PrimaryContext) -> Iterator[Edge]:
    for alert in context.evidence_collected.alerts:
        labels: Mapping[str, str] = alert.data.get("labels") or {}
        namespace = subject_of(labels).get("namespace", "")
        for called in called_by(labels):
            yield _edge(caller_of(labels) or "", namespace, called)


def _edge(caller: str, namespace: str, called: str) -> Edge:
    return Edge(
        caller=service_named(caller, namespace), called=service_named(called), source="evidence"
    )
