"""The metrics whose series are calls from one service to another, by mesh and tracing backend.

Another one is one row of `FAMILIES`. A row is here only if its labels name both sides for certain:
replies, for instance, must not look like calls.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from itertools import chain

from opssage.graph import Edge, service_named
from opssage.places import owner_of

MAX_FAMILIES = 3
"""Of one site. Each is one instant query over every series of a metric."""

Side = tuple[tuple[str, ...], ...]
"""Labels that may name one side of a call, best first, each with those of its namespace."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """A metric whose series are calls from one service to another."""

    source: str  #: what the edges are said to come from
    metric: str
    where: str = ""  #: matchers that its series need to be calls
    caller: Side
    called: Side

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label that is looked at, once."""
        return tuple(dict.fromkeys(chain.from_iterable((*self.caller, *self.called))))

    @property
    def promql(self) -> str:
        """One series per pair of services: a counter that exists is a call that was made."""
        where = f"{{{self.where}}}" if self.where else ""
        return f"count by ({', '.join(self.labels)}) ({self.metric}{where})"

    def edge(self, labels: Mapping[str, str]) -> Edge:
        """Return the call that a series stands for; a side that it does not name is ""."""
        return Edge(
            caller=_named(self.caller, labels),
            called=_named(self.called, labels),
            source=self.source,
        )


def _named(side: Side, labels: Mapping[str, str]) -> str:
    for label, *namespaces in side:
        name = labels.get(label, "")
        namespace = next(filter(None, map(labels.get, namespaces)), "")
        if service := service_named(owner_of(name) if label == "pod" else name, namespace):
            return service
    return ""


# https://istio.io/latest/docs/reference/config/metrics/: workloads are `unknown` outside the mesh
# and when nothing answers; the service is known even then.
_ISTIO_CALLER: Side = (
    ("source_workload", "source_workload_namespace"),
    ("source_canonical_service", "source_workload_namespace"),
    ("source_app", "source_workload_namespace"),
)
_ISTIO_CALLED: Side = (
    ("destination_workload", "destination_workload_namespace"),
    ("destination_canonical_service", "destination_workload_namespace"),
    ("destination_service_name", "destination_service_namespace"),
)
# https://linkerd.io/2/reference/proxy-metrics/: outbound series carry dst_ labels of the target;
# those of the proxy's own workload come from its scrape configuration.
_LINKERD_CALLER: Side = (
    ("deployment", "namespace"),
    ("statefulset", "namespace"),
    ("daemonset", "namespace"),
    ("pod", "namespace"),
)
_LINKERD_CALLED: Side = (
    ("dst_deployment", "dst_namespace"),
    ("dst_statefulset", "dst_namespace"),
    ("dst_daemonset", "dst_namespace"),
    ("dst_service", "dst_namespace"),
)
# https://docs.cilium.io/en/stable/observability/metrics/: with labelsContext only
_HUBBLE_CALLER: Side = (
    ("source_workload", "source_namespace"),
    ("source_app", "source_namespace"),
)
_HUBBLE_CALLED: Side = (
    ("destination_workload", "destination_namespace"),
    ("destination_app", "destination_namespace"),
)
# https://grafana.com/docs/tempo/latest/metrics-from-traces/service_graphs/ and the service graph
# connector of the OpenTelemetry Collector; the namespaces are dimensions, or Beyla's. A virtual
# node was not seen itself: whoever sends a request from outside is called `user`.
_TRACES_CALLER: Side = (("client", "client_k8s_namespace_name", "client_namespace"),)
_TRACES_CALLED: Side = (("server", "server_k8s_namespace_name", "server_namespace"),)
# Span metrics name the called side only when the dimension `peer.service` was asked for.
_SPANS_CALLER: Side = (
    ("service_name", "k8s_namespace_name"),
    ("service", "k8s_namespace_name"),
)
_SPANS_WHERE = 'span_kind=~"SPAN_KIND_(CLIENT|PRODUCER)",peer_service!=""'
# https://opentelemetry.io/docs/specs/semconv/http/http-metrics/ (and rpc, db): server.address is a
# host name; one of the cluster's is a service for certain
_CLIENT_CALLER: Side = (
    ("k8s_deployment_name", "k8s_namespace_name"),
    ("service_name", "k8s_namespace_name"),
    ("service", "namespace"),
    ("job", "namespace"),
)
_CLIENT_CALLED: Side = (("server_address",),)
_CLIENT_WHERE = 'server_address=~".+[.]svc([.].+)?"'

FAMILIES: tuple[Family, ...] = (
    Family(
        source="istio",
        metric="istio_requests_total",
        caller=_ISTIO_CALLER,
        called=_ISTIO_CALLED,
    ),
    Family(
        source="istio",
        metric="istio_tcp_connections_opened_total",
        caller=_ISTIO_CALLER,
        called=_ISTIO_CALLED,
    ),
    Family(
        source="tracing",
        metric="traces_service_graph_request_total",
        where='connection_type!="virtual_node"',
        caller=_TRACES_CALLER,
        called=_TRACES_CALLED,
    ),
    Family(
        source="linkerd",
        metric="outbound_http_route_backend_response_statuses_total",
        caller=_LINKERD_CALLER,
        called=(("backend_name", "backend_namespace"),),
    ),
    Family(
        source="linkerd",
        metric="response_total",
        where='direction="outbound"',
        caller=_LINKERD_CALLER,
        called=_LINKERD_CALLED,
    ),
    Family(
        source="cilium",
        metric="hubble_http_requests_total",
        caller=_HUBBLE_CALLER,
        called=_HUBBLE_CALLED,
    ),
    # Who sends the SYN calls; hubble_flows_processed_total counts replies too.
    Family(
        source="cilium",
        metric="hubble_tcp_flags_total",
        where='flag="SYN"',
        caller=_HUBBLE_CALLER,
        called=_HUBBLE_CALLED,
    ),
    # https://developer.hashicorp.com/consul/docs/observe/telemetry/service
    Family(
        source="consul",
        metric="envoy_cluster_upstream_rq_total",
        where='consul_source_service!="",consul_destination_service!=""',
        caller=(("consul_source_service",),),
        called=(("consul_destination_service",),),
    ),
    # https://github.com/groundcover-com/caretta
    Family(
        source="caretta",
        metric="caretta_links_observed",
        caller=(("client_name", "client_namespace"),),
        called=(("server_name", "server_namespace"),),
    ),
    *(
        Family(
            source="tracing",
            metric=metric,
            where=_SPANS_WHERE,
            caller=_SPANS_CALLER,
            called=(("peer_service",),),
        )
        for metric in (
            "traces_spanmetrics_calls_total",
            "traces_span_metrics_calls_total",
            "calls_total",
        )
    ),
    *(
        Family(
            source="client_metrics",
            metric=metric,
            where=_CLIENT_WHERE,
            caller=_CLIENT_CALLER,
            called=_CLIENT_CALLED,
        )
        for metric in (
            "http_client_request_duration_seconds_count",
            "rpc_client_duration_milliseconds_count",
            "db_client_operation_duration_seconds_count",
        )
    ),
)
"""Best first: what sees every call, then what sees those of some programs."""


_USUAL = ("istio_requests_total", "traces_service_graph_request_total")
"""Asked for too where nobody knows which metrics there are."""


def families(metrics: Container[str] | None) -> tuple[Family, ...]:
    """Return those to ask for at a site that has these metrics; None: nobody knows which it has."""
    wanted = _USUAL if metrics is None else metrics
    return tuple(family for family in FAMILIES if family.metric in wanted)[:MAX_FAMILIES]
