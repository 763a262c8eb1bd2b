"""What the row decides, whoever asks, on both databases."""

from pathlib import Path

import pytest
from steps import claimed, hasten, opened

from opssage.errors import LostClaimError
from opssage.incident import Stage, Status
from store import Rules, connect

ERROR = {"class": "Timeout", "message": "too slow"}


def test_a_claim_that_was_given_back_writes_nothing(store):
    """Whoever postponed a stage has no say in it, even while nobody else has taken it."""
    incident_id = opened(store)
    claim = claimed(store, incident_id)
    given_back = (incident_id, Stage.COLLECT, claim.epoch, ERROR)
    store.update_status(*given_back, give_up=False, counted=False)

    with pytest.raises(LostClaimError):
        store.update_primary_context(incident_id, claim.epoch, {})
    with pytest.raises(LostClaimError):
        store.update_status(*given_back, give_up=False, counted=False)


def test_a_lost_worker_and_a_lost_broker_are_got_over_together(store):
    """What could not be published is due at once, whether or not its lease ended by itself."""
    incident_id = opened(store)
    claimed(store, incident_id, lease_seconds=-1)
    store.take_due(10, resend_seconds=20)

    store.give_back([incident_id])

    assert [due.incident_id for due in store.take_due(10, resend_seconds=20)] == [incident_id]


def test_a_worker_that_ends_gives_nothing_back_twice(store):
    """What was given up under it, and restarted since, is not its own any more."""
    incident_id = opened(store)
    claimed(store, incident_id, owner="w1", lease_seconds=-1)
    store.give_up_exhausted(1)
    store.restart_incident(incident_id)

    assert store.release("w1") == 0

    assert claimed(store, incident_id).attempts == 1


def test_fewer_attempts_than_an_incident_has_had_end_it(store, database):
    """Workers that are restarted with a smaller number of attempts leave nothing stranded."""
    incident_id = opened(store)
    claim = claimed(store, incident_id)
    store.update_status(incident_id, Stage.COLLECT, claim.epoch, ERROR, give_up=False)
    hasten(database, incident_id)

    assert store.give_up_exhausted(1) == 1

    assert store.get_incident(incident_id).status is Status.FAILED


def test_an_incident_that_fails_twice_is_told_of_once(database):
    """A failed incident that is run on and fails again owes no second notification."""
    store = connect(database, Path(), Rules(notify=("team",)))
    incident_id = opened(store)
    for _ in range(2):
        claim = claimed(store, incident_id)
        store.update_status(incident_id, Stage.COLLECT, claim.epoch, ERROR, give_up=True)
        store.restart_incident(incident_id)

    assert [effect.event for effect in store.take_effects("team", 9, 60)] == ["failed"]
    store.close()
