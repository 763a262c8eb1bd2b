"""The services near those of the alerts: found in the service graph, asked how they fare."""

import re
from time import monotonic

import httpx2
import pytest
from unit.collect.stand_ins import ONSET, make_alert, make_scope, step_at, upstream_to

from opssage.evidence import EvidenceKind, SourceStatus
from opssage.graph import Edge, ServiceGraph
from tasks.collect.prometheus import PrometheusSource

WEB = make_alert({"alertname": "HighErrorRate", "namespace": "shop", "service": "web"})
EDGES = "count by (source_workload"


def istio(caller: str, called: str) -> dict[str, str]:
    sides = {"source": caller, "destination": called}
    return {
        f"{side}_workload{suffix}": value
        for side, service in sides.items()
        for suffix, value in zip(("_namespace", ""), service.split("/"), strict=True)
    }


def ask(prometheus, scope):
    return PrometheusSource(upstream_to(prometheus.transport)).ask(scope, monotonic() + 60)


def asked_about(prometheus, name):
    return [query for query in prometheus.queries if re.search(rf"\b{name}\b", query)]


@pytest.fixture
def mesh(prometheus):
    """A mesh in which the shop's web calls a bank, two hops of it."""
    calls = [
        ("shop/web", "shop/cart"),
        ("shop/web", "bank/pay"),
        ("bank/pay", "vault/ledger"),
        ("vault/ledger", "far/away"),
    ]
    prometheus.on(EDGES, *((istio(*call), 1.0) for call in calls))
    return prometheus


def test_neighbours_in_other_namespaces_are_asked_their_golden_signals(mesh):
    """Rate, errors, latency and saturation, two hops away and no further."""
    ask(mesh, make_scope(WEB))

    about = asked_about(mesh, "pay")
    assert asked_about(mesh, "ledger") == about
    assert asked_about(mesh, "away") == []
    for metric in (
        'istio_requests_total{reporter="destination",destination',
        'istio_requests_total{reporter="destination",response_code=~"5.."',
        "istio_request_duration_milliseconds_bucket",
        "container_cpu_usage_seconds_total",
        "container_memory_working_set_bytes",
    ):
        assert any(metric in query for query in about), metric


def test_what_a_neighbour_shows_is_evidence(mesh):
    """The root of the trouble may be in a namespace that no alert names."""
    labels = {"destination_workload": "pay", "destination_workload_namespace": "bank"}
    mesh.on('destination_workload=~"pay|ledger"', (labels, step_at(ONSET, 40.0, 0.0)))

    answer = ask(mesh, make_scope(WEB))

    shown = {
        (item.subject.get("namespace"), item.subject["service"])
        for item in answer.evidence
        if item.data.get("signal") == "request_rate"
    }
    assert ("bank", "pay") in shown


def test_the_calls_around_the_alerts_are_evidence(mesh):
    """One object, three hops wide, and its query in the ledger."""
    answer = ask(mesh, make_scope(WEB))

    (item,) = [item for item in answer.evidence if item.kind is EvidenceKind.OBJECT]
    assert item.data["facts"]["edges"] == [
        ["bank/pay", "vault/ledger", "istio"],
        ["shop/web", "bank/pay", "istio"],
        ["shop/web", "shop/cart", "istio"],
        ["vault/ledger", "far/away", "istio"],
    ]
    (report,) = [report for report in answer.reports if report.query.startswith(EDGES)]
    assert report.status is SourceStatus.OK


def test_neighbours_that_people_declared_are_asked_too(prometheus):
    """A topology file stands in for a mesh."""
    declared = ServiceGraph.of([Edge(caller="shop/web", called="bank/pay", source="file")])

    answer = ask(prometheus, make_scope(WEB, declared=declared))

    assert any("http_requests_total" in query for query in asked_about(prometheus, "pay"))
    assert not [item for item in answer.evidence if item.kind is EvidenceKind.OBJECT]


def test_neighbours_without_namespace_are_looked_for_everywhere(prometheus):
    """Tracing may not know namespaces; what runs beside the alert's service is asked anyway."""
    prometheus.on(
        "traces_service_graph_request_total",
        ({"client": "web", "server": "cart"}, 1.0),
        ({"client": "web", "server": "pay"}, 1.0),
    )
    cart = {"namespace": "shop", "pod": "cart-7d9f8b6c5d-x2zqk"}
    owner = {"created_by_kind": "ReplicaSet", "created_by_name": "cart-7d9f8b6c5d"}
    prometheus.on("kube_pod_info", ({**cart, **owner}, 1.0))

    ask(prometheus, make_scope(WEB))

    assert any(
        '{destination_workload="pay"' in query or 'service="pay"' in query
        for query in asked_about(prometheus, "pay")
    )
    assert asked_about(prometheus, "cart") == []


def test_nobody_is_a_neighbour_while_the_graph_is_not_known(prometheus):
    """Without calls no other namespace is asked about."""
    ask(prometheus, make_scope(WEB))

    assert not any('namespace="bank"' in query for query in prometheus.queries)
    assert asked_about(prometheus, "pay") == []


def test_a_graph_that_is_not_answered_costs_the_neighbours_only(mesh):
    """The rest of the investigation goes on, and the ledger says what is missing."""
    mesh.refuse = lambda query: (
        httpx2.Response(503, json={"errorType": "timeout"}) if query.startswith(EDGES) else None
    )
    mesh.on("http_requests_total", ({"namespace": "shop", "service": "web"}, 50.0))

    answer = ask(mesh, make_scope(WEB))

    assert asked_about(mesh, "pay") == []
    assert any(item.data.get("signal") == "request_rate" for item in answer.evidence)
    (report,) = [report for report in answer.reports if report.query.startswith(EDGES)]
    assert report.status is SourceStatus.FAILED
    assert "--data-urlencode" in report.by_hand


def test_an_alert_about_no_service_asks_for_no_calls(mesh):
    """A node has no callers."""
    ask(mesh, make_scope(make_alert({"alertname": "NodeDown", "node": "n1"})))

    assert not [query for query in mesh.queries if query.startswith(EDGES)]


def test_with_neighbours_the_queries_are_still_bounded(mesh):
    """Whatever the graph, Prometheus is not asked more than 40 things."""
    mesh.answers.clear()
    calls = ((f"shop/s{number}", f"n{number}/t{number}") for number in range(300))
    mesh.on(EDGES, *((istio(*call), 1.0) for call in calls))

    ask(mesh, make_scope(make_alert({"alertname": "A", "namespace": "shop"})))

    assert len(mesh.queries) <= 40
    assert len(asked_about(mesh, "t0")) > 0
    assert any(query.count("|t") >= 19 for query in mesh.queries)
