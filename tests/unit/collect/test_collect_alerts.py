"""The incident's own alerts as evidence."""

from datetime import timedelta
from time import monotonic

from unit.collect.stand_ins import ONSET, make_alert, make_scope

from opssage.incident import AlertStatus
from tasks.collect.alerts import AlertSource


def test_alert_is_evidence_in_the_senders_words():
    """Labels, annotations, times and the expression are kept."""
    alert = make_alert(
        {"alertname": "A", "severity": "critical", "namespace": "shop", "pod": "web-1"},
        annotations={"summary": "web is down"},
        generator_url="http://p/graph?g0.expr=up+%3D%3D+0",
    )

    (item,) = AlertSource().ask(make_scope(alert), monotonic()).evidence

    assert item.summary == "A (critical) firing since 03:00:00Z for pod web-1 (shop): web is down"
    assert item.data["starts_at"] == "2026-11-23T03:00:00.000000Z"
    assert item.data["ends_at"] is None
    assert item.data["firing_condition"] == item.query == "up == 0"
    assert item.data["labels"]["pod"] == "web-1"


def test_alerts_are_listed_by_their_start():
    """The order of delivery is by label and says nothing."""
    first = make_alert({"alertname": "First"}, starts_at=ONSET - timedelta(minutes=1))
    second = make_alert(
        {"alertname": "Second"}, status=AlertStatus.RESOLVED, ends_at=ONSET + timedelta(minutes=1)
    )

    items = AlertSource().ask(make_scope(second, first), monotonic()).evidence

    assert [item.data["labels"]["alertname"] for item in items] == ["First", "Second"]
    assert items[1].data["ends_at"] == "2026-11-23T03:01:00.000000Z"
