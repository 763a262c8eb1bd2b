"""An incident that alerts of a request belong to."""

from uuid import uuid4

import pytest
from factories import alert, at

from opssage.wire import format_time
from store.targets import Target, place_of


@pytest.mark.parametrize(
    ("labels", "place"),
    [
        ({"namespace": "shop", "service": "cart", "pod": "cart-1"}, ("shop", "cart")),
        ({"namespace": "shop", "pod": "cart-7d9f5b6c8d-x2x4z"}, ("shop", "cart")),
        ({"namespace": "shop", "deployment": "cart", "node": "n1"}, ("shop", "cart")),
        ({"node": "n1", "instance": "10.0.0.1:9100"}, ("", "n1")),
        ({"job": "node-exporter", "instance": "n1:9100", "namespace": "monitoring"}, ("", "n1")),
        ({"instance": "10.0.0.1:8080"}, ("", "10.0.0.1:8080")),
        ({"namespace": "shop"}, ("shop", "")),
        ({"alertname": "DeadMansSwitch", "severity": "critical"}, ("", "")),
    ],
)
def test_an_alert_points_at_a_service_of_a_namespace_or_at_a_node(labels, place):
    """Never at what measured it."""
    assert place_of(labels) == place


@pytest.mark.parametrize(
    ("places", "labels", "spreads"),
    [
        ({("shop", "cart")}, {"service": "cart"}, False),
        ({("shop", "cart")}, {"service": "checkout"}, True),
        ({("shop", "cart"), ("shop", "checkout")}, {"service": "checkout"}, False),
        ({("", "")}, {"namespace": "", "service": ""}, False),
        ((), {"service": "cart"}, False),
    ],
)
def test_a_newcomer_that_points_elsewhere_spreads_an_incident(places, labels, spreads):
    """Elsewhere than all of its alerts; one that points nowhere does not."""
    target = Target(incident_id=uuid4())

    target.join(alert(**labels), fires=True, is_newcomer=True, returns=False, places=places)

    assert target.spreads is spreads


def test_an_alert_that_is_no_newcomer_spreads_nothing():
    """Its place is known."""
    target = Target(incident_id=uuid4())

    target.join(
        alert(service="cart"), fires=True, is_newcomer=False, returns=True, places={("shop", "")}
    )

    assert target.spreads is False


@pytest.mark.parametrize(
    ("joins", "leads"),
    [
        (alert("Worse", severity="critical"), True),
        (alert("Milder", severity="info", starts_at=at(60)), False),
        (alert("Later", starts_at=at(60)), True),
        (alert("Earlier", starts_at=at(-60)), False),
        (alert("Other"), alert("Other").fingerprint < alert().fingerprint),
    ],
)
def test_the_worst_of_the_latest_alerts_leads(joins, leads):
    """By severity, then by start, then by fingerprint: whatever came first."""
    shown = {"timestamp": format_time(alert().starts_at), "labels": alert().labels}
    target = Target(incident_id=uuid4(), severity="warning", alert_input=shown, joining=[joins])

    assert target.new_lead is (joins if leads else None)
