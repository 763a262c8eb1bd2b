"""Incidents that come back too often, and what has one diagnosed anew."""

import pytest
from factories import REPORT, alert, at
from steps import claimed, completed, opened, timeline

from opssage.incident import Stage
from store import Store

HOUR = 3600
VERBS = {
    Stage.COLLECT: Store.update_primary_context,
    Stage.ENRICH: Store.update_enhanced_context,
    Stage.DIAGNOSE: Store.update_diagnostic_report,
}


@pytest.fixture
def store(store_with):
    """A store that owes every ending to one target."""
    return store_with()


def notified(store):
    """Return the events that the team is told of."""
    return [effect.event.value for effect in store.take_effects("chat", 100, 60)]


def flap(store, wait, times):
    """End the alert and have it back, so many times."""
    for number in range(times):
        opened(store, alert(resolved_after=60 + number))
        wait(30)
        opened(store)


def test_an_incident_that_was_reopened_too_often_is_flapping(store, wait):
    """`flap_max` times; the timeline says so once, and nobody is told of further returns."""
    incident_id = opened(store)
    completed(store, incident_id)
    flap(store, wait, 4)
    assert store.get_incident(incident_id).flapping is False
    assert notified(store) == ["completed", "reopened"]
    store.restart_incident(incident_id)
    completed(store, incident_id)

    flap(store, wait, 2)

    incident = store.get_incident(incident_id)
    assert (incident.flap_count, incident.flapping) == (6, True)
    assert notified(store) == ["completed"]
    kinds = [kind for kind, _ in timeline(store, incident_id)]
    assert (kinds.count("reopened"), kinds.count("flapping")) == (6, 1)


def test_a_flapping_incident_rests(store_with, wait):
    """Whatever joins it is not diagnosed until somebody asks."""
    store = store_with(flap_max=1)
    incident_id = opened(store)
    completed(store, incident_id)
    flap(store, wait, 1)

    opened(store, alert("Worse", severity="critical", service="elsewhere"))

    wait(HOUR)
    assert store.start_revisions(10) == 0
    assert store.restart_incident(incident_id).revision == 2


def test_a_revision_that_is_due_is_not_started_once_it_flaps(store_with, wait):
    """What had joined before waits with the rest."""
    store = store_with(flap_max=1)
    incident_id = opened(store)
    completed(store, incident_id)
    opened(store, alert(pod="b"))
    opened(store, alert(pod="b", resolved_after=60))

    flap(store, wait, 1)

    wait(HOUR)
    assert store.start_revisions(10) == 0


@pytest.mark.parametrize("stage", [Stage.COLLECT, Stage.DIAGNOSE])
@pytest.mark.parametrize("fails", [False, True])
def test_an_incident_that_begins_to_flap_while_it_is_diagnosed_rests_then(
    store_with, wait, stage, fails
):
    """Alerts that joined since do not have it run again, whether it succeeds or fails."""
    store = store_with(flap_max=1)
    incident_id = opened(store)
    for each in Stage:
        claim = claimed(store, incident_id, each)
        if each is stage:
            flap(store, wait, 1)
            opened(store, alert("Worse", severity="critical"))
        if fails and each is stage:
            store.update_status(incident_id, each, claim.epoch, {"class": "Bug"}, give_up=True)
            break
        VERBS[each](store, incident_id, claim.epoch, {**REPORT, "alert_seq": 1})

    wait(HOUR)
    assert store.start_revisions(10) == 0


def test_an_alert_that_began_before_the_end_is_no_return(store):
    """It was late, and nothing came back: the incident is open again and does not flap."""
    incident_id = opened(store)
    opened(store, alert(resolved_after=60))

    opened(store, alert(pod="b", starts_at=at(30)))

    incident = store.get_incident(incident_id)
    assert (incident.resolved_at, incident.flap_count) == (None, 0)
    assert [kind for kind, _ in timeline(store, incident_id)] == ["resolved", "joined", "reopened"]


def test_an_alert_that_an_incident_had_before_starts_no_revision(store, wait):
    """Neither its repeats nor its return nor another start of it are news."""
    incident_id = opened(store, alert(), alert(pod="b"))
    completed(store, incident_id)
    opened(store, alert(pod="b", starts_at=at(2 * HOUR)))
    opened(store, alert(resolved_after=60))
    wait(30)
    opened(store)

    wait(HOUR)
    assert store.start_revisions(10) == 0
    assert store.get_incident(incident_id).alert_seq == 1


@pytest.mark.parametrize(
    ("labels", "at_once"),
    [
        ({"pod": "b"}, False),
        ({"severity": "info"}, False),
        ({"service": "checkout"}, False),
        ({"severity": "critical"}, True),
        ({"service": "cart"}, True),
        ({"namespace": "other"}, True),
    ],
)
@pytest.mark.parametrize("while_it_runs", [False, True])
def test_worse_alerts_and_those_of_another_place_do_not_wait(store, labels, at_once, while_it_runs):
    """Others are gathered for the cooldown."""
    incident_id = opened(store, alert(service="checkout"))
    joining = alert("Joins", **{"service": "checkout", **labels})
    if while_it_runs:
        opened(store, joining)
    completed(store, incident_id)
    if not while_it_runs:
        opened(store, joining)

    assert store.start_revisions(10) == at_once
    assert store.get_incident(incident_id).alert_seq == 2


def test_alerts_in_the_place_of_any_alert_are_gathered(store):
    """The incident is known to be there, whichever of its alerts leads it."""
    incident_id = opened(
        store, alert(service="checkout", severity="critical"), alert(service="cart")
    )
    completed(store, incident_id)

    opened(store, alert("Joins", service="cart"))

    assert store.start_revisions(10) == 0


def test_a_revision_that_is_due_at_once_is_not_put_off(store):
    """By alerts that would have waited."""
    incident_id = opened(store)
    completed(store, incident_id)
    opened(store, alert("Worse", severity="critical"))

    opened(store, alert("Mild"))

    assert store.start_revisions(10) == 1
