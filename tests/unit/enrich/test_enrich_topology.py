"""Who calls whom, from evidence."""

import pytest

from tasks.enrich.topology import topology


def test_a_metric_with_service_and_peer_is_an_edge(context, evidence):
    """Callers and the called are in order of name, each once."""
    edges = [("web", "orders"), ("web", "auth"), ("orders", "auth"), ("web", "auth")]
    metrics = [
        evidence("metric", subject={"service": caller, "peer": peer}, signal="edge_error_ratio")
        for caller, peer in edges
    ]

    found = topology(context("HighErrorRate", *metrics))

    assert list(found.items()) == [("orders", ("auth",)), ("web", ("auth", "orders"))]


@pytest.mark.parametrize(
    "labels",
    [
        {"service": "web", "dependency": "auth"},
        {"service": "web", "upstream": "auth.shop.svc.cluster.local"},
        {"service": "mesh", "source_workload": "web", "destination_workload": "auth"},
        {"service": "web", "destination_service": "auth.shop.svc"},
    ],
)
def test_an_alert_that_names_both_sides_is_an_edge(context, evidence, labels):
    """The called side is known by several labels; hosts of the cluster become services."""
    assert topology(context("X", evidence("alert", labels=labels))) == {"web": ("auth",)}


def test_an_outside_host_keeps_its_full_name(context, evidence):
    """`api.example.com` is not a service called api."""
    alert = evidence("alert", labels={"service": "web", "dependency": "api.example.com"})

    assert topology(context("X", alert)) == {"web": ("api.example.com",)}


@pytest.mark.parametrize(
    "labels",
    [
        {"service": "web"},
        {"dependency": "auth"},
        {"service": "web", "dependency": "web"},
        {"service": "unknown", "dependency": "auth"},
    ],
)
def test_half_an_edge_is_none(context, evidence, labels):
    """Both sides must be known and different."""
    assert topology(context("X", evidence("alert", labels=labels))) == {}


def graph_of(*edges: tuple[str, str]) -> dict[str, object]:
    """The data of an evidence with a service graph."""
    rows = [[caller, called, "istio"] for caller, called in edges]
    return {"object": {"kind": "ServiceGraph"}, "facts": {"edges": rows}}


def test_the_graph_that_collect_found_is_the_topology(context, evidence):
    """Services are named without their namespaces where that is enough."""
    graph = evidence("object", **graph_of(("shop/web", "shop/cart"), ("shop/cart", "bank/pay")))

    assert topology(context("X", graph)) == {"cart": ("pay",), "web": ("cart",)}


def test_two_services_of_one_name_keep_their_namespaces(context, evidence):
    """Nobody takes the bank's database for the shop's."""
    graph = evidence("object", **graph_of(("shop/web", "shop/db"), ("bank/app", "bank/db")))

    assert topology(context("X", graph)) == {"app": ("bank/db",), "web": ("shop/db",)}


def test_metrics_and_alerts_speak_of_the_services_of_the_graph(context, evidence):
    """A name alone is the one in the graph; what only they know is added."""
    graph = evidence("object", **graph_of(("shop/web", "shop/cart")))
    metric = evidence("metric", subject={"service": "web", "namespace": "shop", "peer": "cart"})
    alert = evidence("alert", labels={"service": "cart", "dependency": "db.shop.svc:5432"})

    assert topology(context("X", graph, metric, alert)) == {"cart": ("db",), "web": ("cart",)}


def test_graphs_of_several_sources_are_joined(context, evidence):
    """The mesh and the topology file each know a part."""
    graphs = [evidence("object", **graph_of(edge)) for edge in (("a", "b"), ("b", "c"))]

    assert topology(context("X", *graphs)) == {"a": ("b",), "b": ("c",)}


def test_other_objects_are_no_graph(context, evidence):
    """A Kubernetes object may have facts of any kind."""
    pod = evidence("object", object={"kind": "Pod"}, facts={"edges": 7})

    assert topology(context("X", pod)) == {}
