"""Who calls whom and whose it is: what people write down, and what was seen around incidents."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint

from opssage.access import Scope
from opssage.graph import CHART_HOPS, Edge, ServiceGraph, owners_of, parts_of
from opssage.settings.topology import Topology
from store import Store
from webapi.answers import tagged
from webapi.auth import needs

MOST_INCIDENTS = 100
"""The newest ones, whose calls are told."""
MOST_CALLS = 2000
_MOST_HOPS = 10
_NAME_CHARS = 512
_SEEN = "incidents"


class TopologyQuerySchema(ma.Schema):
    """Which part of the graph to show."""

    def __init__(self, **options: Any) -> None:
        """Have an unknown parameter answered with those that are known."""
        super().__init__(**options)
        self.error_messages["unknown"] = f"Unknown; there are {', '.join(sorted(self.fields))}."

    service = ma.fields.String(
        load_default=None,
        validate=ma.validate.Regexp(
            rf"^[^\x00/]{{1,{_NAME_CHARS}}}(/[^\x00/]{{1,{_NAME_CHARS}}})?$",
            error="Not a service: write its name, or namespace/name.",
        ),
        metadata={
            "description": "Only what is near it: `namespace/name`, or a name in any namespace",
            "pattern": rf"^[^\u0000/]{{1,{_NAME_CHARS}}}(/[^\u0000/]{{1,{_NAME_CHARS}}})?$",
        },
    )
    hops = ma.fields.Integer(
        load_default=CHART_HOPS,
        validate=ma.validate.Range(0, _MOST_HOPS),
        metadata={"description": "How many calls away from it at most"},
    )


class ServiceSchema(ma.Schema):
    """A service of the graph."""

    service = ma.fields.String(
        required=True,
        metadata={"description": "`namespace/name`, or the name where nobody tells the namespace"},
    )
    namespace = ma.fields.String(required=True, allow_none=True)
    name = ma.fields.String(required=True)
    owner = ma.fields.String(required=True, allow_none=True)


class CallSchema(ma.Schema):
    """One service calls another."""

    caller = ma.fields.String(required=True)
    called = ma.fields.String(required=True)
    sources = ma.fields.List(
        ma.fields.String(),
        required=True,
        metadata={
            "description": "What says so: `topology_file`, or `incidents`, around which it was seen"
        },
    )


class TopologySchema(ma.Schema):
    """The graph, in order of name."""

    services = ma.fields.List(ma.fields.Nested(ServiceSchema), required=True)
    calls = ma.fields.List(ma.fields.Nested(CallSchema), required=True)
    truncated = ma.fields.Boolean(
        required=True,
        metadata={"description": f"There are more than {MOST_CALLS} calls; ask for a service"},
    )


def blueprint(store: Store, declared: Topology) -> Blueprint:
    """Return the route of the service graph."""
    routes = Blueprint(
        "topology", __name__, url_prefix="/api/v1/topology", description="Who calls whom"
    )

    @routes.route("")
    @routes.arguments(TopologyQuerySchema, location="query", unknown=ma.RAISE)
    @routes.alt_response(200, schema=TopologySchema, description="With a strong ETag")
    @routes.alt_response(304, description="Not changed since that ETag")
    @needs(Scope.READ)
    def show_topology(query: dict[str, Any]) -> Response:
        """Show who calls whom, and who owns what.

        That is what the topology file says, and what was seen around the newest incidents.
        """
        graph = declared.calls.joined(_seen(store))
        return tagged(_shown(graph, declared.owners, **query))

    return routes


def _seen(store: Store) -> ServiceGraph:
    return ServiceGraph.of(
        Edge(caller=caller, called=called, source=_SEEN)
        for calls in store.list_topologies(MOST_INCIDENTS)
        for caller, every in calls.items()
        for called in every
    )


def _shown(
    graph: ServiceGraph, declared: Mapping[str, str], *, service: str | None, hops: int
) -> dict[str, Any]:
    """Return the graph, or what is near a service; owned services without calls count too."""
    named: set[str] = set()
    if service is not None:
        found = graph.find(*parts_of(service))
        named = {*found, *_alone(service, declared)}
        graph = graph.chart(*found, hops=hops, most=len(graph.edges))
    shown = ServiceGraph(edges=graph.edges[:MOST_CALLS])
    services = {*shown.services, *(declared if service is None else named)}
    owners = owners_of(services, declared)
    return {
        "services": [_service(each, owners.get(each)) for each in sorted(services)],
        "calls": _calls(shown),
        "truncated": len(shown.edges) < len(graph.edges),
    }


def _alone(service: str, declared: Mapping[str, str]) -> set[str]:
    """Return the declared services that a name means, whoever calls them."""
    namespace, name = parts_of(service)
    return {
        each
        for each in declared
        if parts_of(each)[1] == name and (not namespace or parts_of(each)[0] in {"", namespace})
    }


def _service(service: str, owner: str | None) -> dict[str, Any]:
    namespace, name = parts_of(service)
    return {"service": service, "namespace": namespace or None, "name": name, "owner": owner}


def _calls(graph: ServiceGraph) -> list[dict[str, Any]]:
    sources: dict[tuple[str, str], list[str]] = {}
    for edge in graph.edges:
        sources.setdefault((edge.caller, edge.called), []).append(edge.source)
    return [
        {"caller": caller, "called": called, "sources": told}
        for (caller, called), told in sources.items()
    ]
