"""Who calls whom: read off metrics, joined with what people wrote, told as evidence."""

from itertools import pairwise
from uuid import UUID

import promql_parser
import pytest
from unit.collect.stand_ins import ONSET, make_alert, make_scope

from opssage.evidence import EvidenceKind, SourceReport, SourceStatus
from opssage.graph import Edge, ServiceGraph
from opssage.incident import Incident, Status
from opssage.settings import CollectSettings, Settings, SourcesSettings
from tasks.collect import build_sources, collect
from tasks.collect.call_metrics import FAMILIES, MAX_FAMILIES, families
from tasks.collect.prometheus_api import RawSeries, Result
from tasks.collect.service_graph import (
    graph_evidence,
    graph_queries,
    measured,
    neighbours_of,
    services_of,
)
from tasks.collect.site import Site
from tasks.collect.tape import recording, replaying
from tasks.collect.topology_file import TopologyFile, declared_calls

FAMILY = {family.metric: family for family in FAMILIES}
REPORT = SourceReport(source="prometheus", status=SourceStatus.OK)
INCIDENT = Incident(
    incident_id=UUID(int=1),
    status=Status.PENDING,
    created_at=ONSET,
    updated_at=ONSET,
    alert_name="A",
    severity="critical",
)
WEB = make_alert({"alertname": "A", "namespace": "shop", "service": "web"})

ISTIO = {
    "source_workload": "web",
    "source_workload_namespace": "shop",
    "source_canonical_service": "web",
    "destination_workload": "pay",
    "destination_workload_namespace": "billing",
    "destination_service_name": "pay",
    "destination_service_namespace": "billing",
}
LINKERD = {"deployment": "web", "namespace": "shop", "pod": "web-7d9f8b6c5d-x2zqk"}
HUBBLE = {
    "source_workload": "web",
    "source_namespace": "shop",
    "destination_workload": "pay",
    "destination_namespace": "billing",
}
SPANS = {"service_name": "web", "peer_service": "pay"}
CLIENT = {
    "service_name": "web",
    "k8s_namespace_name": "shop",
    "server_address": "pay.billing.svc.cluster.local",
}
UNKNOWN = {**ISTIO, "source_workload": "unknown"}
NOWHERE = {
    "destination_workload": "unknown",
    "destination_workload_namespace": "unknown",
    "destination_canonical_service": "unknown",
}
BEYLA = {
    "client": "web",
    "client_namespace": "shop",
    "server": "pay",
    "server_namespace": "billing",
}
CARETTA = {
    "client_name": "web",
    "client_namespace": "shop",
    "server_name": "pay",
    "server_namespace": "billing",
}
DST = {"dst_namespace": "billing", "dst_service": "pay-svc"}


def graph(*chains: str, source: str = "istio") -> ServiceGraph:
    return ServiceGraph.of(
        Edge(caller=caller, called=called, source=source)
        for chain in chains
        for caller, called in pairwise(chain.split(" > "))
    )


@pytest.mark.parametrize(
    ("metric", "labels", "caller", "called"),
    [
        ("istio_requests_total", ISTIO, "shop/web", "billing/pay"),
        ("istio_tcp_connections_opened_total", ISTIO, "shop/web", "billing/pay"),
        ("istio_requests_total", {**ISTIO, **NOWHERE}, "shop/web", "billing/pay"),
        (
            "istio_requests_total",
            {**ISTIO, **NOWHERE, "destination_service_name": "PassthroughCluster"},
            "shop/web",
            "",
        ),
        (
            "istio_requests_total",
            {**ISTIO, "source_workload": "unknown"},
            "shop/web",
            "billing/pay",
        ),
        ("response_total", {**LINKERD, "dst_deployment": "pay", **DST}, "shop/web", "billing/pay"),
        ("response_total", {**LINKERD, "deployment": "", **DST}, "shop/web", "billing/pay-svc"),
        (
            "outbound_http_route_backend_response_statuses_total",
            {**LINKERD, "backend_name": "pay", "backend_namespace": "billing"},
            "shop/web",
            "billing/pay",
        ),
        ("traces_service_graph_request_total", {"client": "web", "server": "pay"}, "web", "pay"),
        ("traces_service_graph_request_total", BEYLA, "shop/web", "billing/pay"),
        ("hubble_http_requests_total", HUBBLE, "shop/web", "billing/pay"),
        ("hubble_tcp_flags_total", HUBBLE, "shop/web", "billing/pay"),
        ("hubble_http_requests_total", {"source": "1.2.3.4", "method": "GET"}, "", ""),
        (
            "envoy_cluster_upstream_rq_total",
            {"consul_source_service": "web", "consul_destination_service": "pay"},
            "web",
            "pay",
        ),
        ("caretta_links_observed", CARETTA, "shop/web", "billing/pay"),
        ("traces_span_metrics_calls_total", SPANS, "web", "pay"),
        ("traces_spanmetrics_calls_total", {"service": "web", "peer_service": "pay"}, "web", "pay"),
        ("calls_total", SPANS, "web", "pay"),
        ("http_client_request_duration_seconds_count", CLIENT, "shop/web", "billing/pay"),
        ("rpc_client_duration_milliseconds_count", CLIENT, "shop/web", "billing/pay"),
        (
            "db_client_operation_duration_seconds_count",
            {"job": "shop/web", "server_address": "db.shop.svc"},
            "shop/web",
            "shop/db",
        ),
    ],
)
def test_a_series_names_both_sides_of_a_call(metric, labels, caller, called):
    """Each mesh and tracing backend has labels of its own; who is not named is nobody."""
    edge = FAMILY[metric].edge(labels)

    assert (edge.caller, edge.called) == (caller, called)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.metric)
def test_a_family_is_asked_for_pairs_of_services(family):
    """The query is PromQL; it adds up whatever does not tell services apart."""
    parsed = promql_parser.parse(family.promql)

    assert set(parsed.modifier.labels) == set(family.labels)
    assert parsed.expr.name == family.metric


def test_a_site_is_asked_for_what_it_has_and_a_few_at_most():
    """The best come first; without any of the metrics nothing is asked."""
    assert families({"up"}) == ()
    assert families({"up", "response_total"}) == (FAMILY["response_total"],)
    assert families({family.metric for family in FAMILIES}) == FAMILIES[:MAX_FAMILIES]


def test_where_nobody_knows_the_metrics_the_usual_ones_are_asked_for():
    """A Prometheus that does not list its metrics may have a mesh all the same."""
    assert [family.metric for family in families(None)] == [
        "istio_requests_total",
        "traces_service_graph_request_total",
    ]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"namespace": "shop", "service": "web"}, ("shop/web",)),
        ({"namespace": "shop", "deployment": "cart"}, ("shop/cart",)),
        ({"namespace": "shop", "pod": "cart-7d9f8b6c5d-x2zqk"}, ("shop/cart",)),
        ({"service": "web"}, ("pay/web", "shop/web")),
        ({"namespace": "shop"}, ("shop/cart", "shop/web")),
        ({"namespace": "shop", "service": "elsewhere"}, ()),
        ({"node": "n1"}, ()),
    ],
)
def test_alerts_are_about_services_of_the_graph(labels, found):
    """By service, workload or pod; a namespace alone means all of its services."""
    scope = make_scope(make_alert({"alertname": "A", **labels}))

    assert services_of(scope.targets, graph("shop/web > shop/cart", "pay/web > pay/db")) == found


def test_neighbours_in_other_namespaces_come_first():
    """Those in the alerts' namespaces are asked anyway; who is outside the mesh counts nothing."""
    found = graph("edge > shop/web > shop/cart > billing/pay > bank/ledger").joined(
        graph("shop/web > mail", source="topology_file")
    )

    assert neighbours_of(make_scope(WEB).targets, found, {"shop"}) == (
        ("", "mail"),
        ("billing", "pay"),
        ("shop", "cart"),
    )


def test_neighbours_of_a_large_namespace_leave_room_for_others():
    """A hundred services beside the alert's own do not hide the one in another namespace."""
    own = (f"shop/web > shop/s{number:03}" for number in range(100))
    found = graph(*own, "shop/s099 > bank/ledger")

    near = neighbours_of(make_scope(WEB).targets, found, {"shop"})

    assert near[:2] == (("bank", "ledger"), ("shop", "s000"))
    assert len(near) == 21


def test_the_chart_is_one_object_with_its_edges():
    """Whoever reads it need not know which source saw the calls."""
    (item,) = graph_evidence(graph("shop/web > shop/cart > db"), "prometheus", make_scope(WEB))

    assert item.kind is EvidenceKind.OBJECT
    assert item.summary == "2 calls between 3 services around the alerts"
    assert item.data["object"] == {"kind": "ServiceGraph", "namespace": "", "name": "prometheus"}
    assert item.data["facts"] == {
        "edges": [["shop/cart", "db", "istio"], ["shop/web", "shop/cart", "istio"]]
    }


def test_nothing_is_told_of_a_graph_without_calls():
    """No evidence is better than an empty one."""
    assert graph_evidence(ServiceGraph(), "prometheus", make_scope(WEB)) == ()


def test_the_file_tells_what_is_around_the_alerts():
    """The rest of it is none of this incident's business."""
    declared = graph("shop/web > db", "far > away", source="topology_file")

    answer = TopologyFile(declared).ask(make_scope(WEB, declared=declared), 0)

    assert [item.data["facts"]["edges"] for item in answer.evidence] == [
        [["shop/web", "db", "topology_file"]]
    ]
    assert answer.reports == ()


def test_the_configured_file_is_evidence_of_an_incident(tmp_path):
    """It is read once, when the sources are built."""
    (tmp_path / "calls.yaml").write_text("services: {shop/web: {calls: [db]}}")
    sources = SourcesSettings(topology_file="calls.yaml")
    built = build_sources(Settings(folder=tmp_path, sources=sources))
    (tmp_path / "calls.yaml").unlink()

    context = collect(INCIDENT, [WEB], built, CollectSettings(), ONSET)

    (item,) = context.evidence_collected.objects
    assert item.data["facts"]["edges"] == [["shop/web", "db", "topology_file"]]


def test_without_a_file_its_source_is_silent():
    """Nobody is told to write one."""
    answer = TopologyFile(ServiceGraph()).ask(make_scope(WEB), 0)

    assert (answer.evidence, answer.reports) == ((), ())


def test_a_replay_has_the_declared_calls_of_its_recording():
    """The file may have changed since, or be on another machine."""
    file = TopologyFile(graph("shop/web > db", source="topology_file"))
    with recording() as tape:
        recorded = declared_calls([file])

    with replaying(tape.matters):
        replayed = declared_calls([TopologyFile(ServiceGraph())])

    assert replayed == recorded == file.calls


def test_the_same_series_in_any_order_are_the_same_graph():
    """Prometheus promises no order."""
    site = Site(metrics=frozenset({"istio_requests_total"}))
    (query,) = asked = graph_queries(make_scope(WEB), site)
    series = [
        RawSeries(labels={**ISTIO, "source_workload": f"w{number}"}, samples=())
        for number in range(5)
    ]

    forth, back = (
        measured(asked, {query: Result(report=REPORT, series=tuple(found))})
        for found in (series, series[::-1])
    )

    assert forth == back
    assert len(forth.edges) == 5
