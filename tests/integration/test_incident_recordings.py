"""What collect was told is kept with what it made of it, on both databases."""

from uuid import UUID

import pytest
from factories import REPORT
from past import alone, over
from sqlalchemy import func, select
from steps import claimed, opened

from opssage.errors import LostClaimError
from opssage.incident import Stage, Status
from store import Store, tables

ERROR = {"class": "Bug", "message": "broken"}


@pytest.fixture
def store(emptied) -> Store:
    """A store on either database that has nobody to notify."""
    return Store(emptied)


def collected(store: Store, incident_id: UUID, recording: bytes) -> int:
    """Run collect; returns the epoch of its claim."""
    epoch = claimed(store, incident_id).epoch
    store.update_primary_context(incident_id, epoch, {"alert_seq": 1}, recording)
    return epoch


def diagnosed(store: Store, incident_id: UUID, recording: bytes) -> None:
    """Run all stages."""
    collected(store, incident_id, recording)
    for stage, verb, document in (
        (Stage.ENRICH, store.update_enhanced_context, {}),
        (Stage.DIAGNOSE, store.update_diagnostic_report, REPORT),
    ):
        verb(incident_id, claimed(store, incident_id, stage).epoch, document)


def kept(store: Store, incident_id: UUID, most: int = 5) -> dict[int, bytes]:
    """Return the recordings of an incident by revision."""
    found = {number: store.get_recording(incident_id, number) for number in range(most)}
    return {number: content for number, content in found.items() if content is not None}


def test_a_recording_is_kept_with_its_revision(store):
    """Byte for byte; an empty one says that it could not be kept."""
    one, other = alone(store, "One"), alone(store, "Other")

    collected(store, one, bytes(range(256)))
    collected(store, other, b"")

    assert kept(store, one) == {1: bytes(range(256))}
    assert kept(store, other) == {1: b""}


def test_a_recording_is_written_under_the_claim_alone(store):
    """Who lost it leaves nothing behind, and takes nothing away."""
    incident_id = opened(store)
    late = claimed(store, incident_id, lease_seconds=-1).epoch
    with pytest.raises(LostClaimError):
        store.update_primary_context(incident_id, late + 7, {"alert_seq": 1}, b"lost")
    assert kept(store, incident_id) == {}

    collected(store, incident_id, b"mine")
    with pytest.raises(LostClaimError):
        store.update_primary_context(incident_id, late, {"alert_seq": 1}, b"lost")

    assert kept(store, incident_id) == {1: b"mine"}


def test_of_a_stage_that_ran_twice_the_last_recording_is_kept(store, emptied):
    """Its row is the same: the incident was put back by hand."""
    incident_id = opened(store)
    collected(store, incident_id, b"first")
    with emptied.begin() as connection:
        mine = tables.incidents.c.incident_id == incident_id
        back = {"status": Status.PENDING.value, "primary_context": None}
        connection.execute(tables.incidents.update().where(mine).values(back))

    collected(store, incident_id, b"second")

    assert kept(store, incident_id) == {1: b"second"}


def test_recordings_of_answers_that_nobody_can_see_are_forgotten(store):
    """There is the present one, and while a revision may fail the one before."""
    incident_id = opened(store)
    for recording in (b"one", b"two", b"three"):
        diagnosed(store, incident_id, recording)
        store.restart_incident(incident_id)
    collected(store, incident_id, b"four")

    assert kept(store, incident_id) == {3: b"three", 4: b"four"}


@pytest.mark.parametrize("fails_in", [Stage.COLLECT, Stage.ENRICH])
def test_the_answer_of_a_failed_revision_gets_its_recording_back(store, fails_in):
    """The answer before counts again, as that of the revision that failed."""
    incident_id = opened(store)
    diagnosed(store, incident_id, b"good")
    store.restart_incident(incident_id)
    if fails_in is Stage.ENRICH:
        collected(store, incident_id, b"bad")
    claim = claimed(store, incident_id, fails_in)

    store.update_status(incident_id, fails_in, claim.epoch, ERROR, give_up=True)

    incident = store.get_incident(incident_id)
    assert (incident.status, incident.revision) == (Status.COMPLETED, 2)
    assert kept(store, incident_id) == {2: b"good"}


@pytest.mark.parametrize("end", [Store.delete_incident, Store.archive_incidents])
def test_a_recording_ends_with_its_incident(store, emptied, end):
    """Deleted with it, and not taken along into the archive."""
    incident_id = over(store)
    store.restart_incident(incident_id)
    diagnosed(store, incident_id, b"recorded")
    told = (incident_id,) if end is Store.delete_incident else (0, 10)

    assert end(store, *told)

    with emptied.begin() as connection:
        table = tables.incident_recordings
        assert connection.scalar(select(func.count()).select_from(table)) == 0
