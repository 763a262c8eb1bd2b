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
