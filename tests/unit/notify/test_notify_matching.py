import pytest
from factories import NOON, alert

from opssage.incident import Incident, Status
from opssage.notification import Event
from opssage.settings import NotifyTarget
from tasks.notify import matches

INCIDENT = Incident(
    incident_id="019a0000-0000-7000-8000-000000000001",
    status=Status.COMPLETED,
    created_at=NOON,
    updated_at=NOON,
    alert_name="HighErrorRate",
    severity="Critical",
)


def wants(*alerts, event=Event.COMPLETED, **filters):
    target = NotifyTarget(name="chat", url="json://127.0.0.1", **filters)
    return matches(target, event, INCIDENT, alerts or (alert(),))


@pytest.mark.parametrize("event", Event)
def test_target_without_filters_wants_everything(event):
    """A filter that is left out lets everything through."""
    assert wants(event=event)


def test_target_is_told_of_its_events_only():
    """`events` names them."""
    assert wants(events=("failed",), event=Event.FAILED)
    assert not wants(events=("failed",))


def test_target_is_told_of_its_severities_only():
    """However the sender spells them."""
    assert wants(severities=("critical", "error"))
    assert not wants(severities=("warning",))


@pytest.mark.parametrize(
    ("pattern", "is_wanted"),
    [("shop", True), ("cart|shop", True), ("sho", False), ("s.*", True), ("", False)],
)
def test_label_matches_as_a_whole(pattern, is_wanted):
    """The expression covers the value from its first character to its last."""
    assert wants(alert(namespace="shop"), labels=(("namespace", pattern),)) is is_wanted


def test_label_that_is_not_there_counts_as_empty():
    """As it does in Alertmanager."""
    assert wants(labels=(("team", ""),))
    assert not wants(labels=(("team", ".+"),))


def test_one_alert_has_to_match_all_labels():
    """Two alerts that match one label each are not one that matches both."""
    both = (("team", "a"), ("tier", "1"))

    assert wants(alert(), alert(team="a", tier="1"), labels=both)
    assert not wants(alert(team="a", tier="2"), alert(team="b", tier="1"), labels=both)
