"""What people say of incidents: that they look after one, and whether its diagnosis was right."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from past import LONG_AGO, alone, over
from sqlalchemy import func, select, update
from steps import beside, completed

from opssage.access import Actor
from opssage.settings import DatabaseSettings
from store import Judgement, Store, tables, timeline

ANN = Actor(name="ann", request_id="r1")
BOB = Actor(name="bob")


def told(store: Store, incident_id: UUID, kind: str) -> list[dict[str, Any]]:
    """Return what the timeline says of this kind."""
    return [each.data for each in store.list_events(incident_id) if each.kind == kind]


def noted(store: Store) -> list[tuple[str, str, str]]:
    """Return who did what to what, the last first."""
    return [(each.actor, each.action, each.target) for each in store.list_audit()]


def test_who_looks_after_an_incident_is_shown(store):
    """With a new version, a line in the timeline and one in the audit."""
    before = store.get_incident(alone(store, "A"))

    after = store.acknowledge(before.incident_id, ANN, "on it")

    assert after == store.list_incidents()[0]
    assert (after.acked_by, after.version) == ("ann", before.version + 1)
    assert min(after.acked_at, after.updated_at) > before.updated_at
    assert told(store, before.incident_id, "acked") == [{"by": "ann", "note": "on it"}]
    assert noted(store) == [("ann", "ack", str(before.incident_id))]


def test_an_ack_said_again_changes_nothing(store):
    """Whoever said so first stays."""
    incident_id = alone(store, "A")
    first = store.acknowledge(incident_id, ANN)

    assert store.acknowledge(incident_id, BOB, "me too") == first

    assert len(noted(store)) == 1


def test_an_ack_is_taken_back_once(store):
    """By anybody; again changes nothing."""
    incident_id = alone(store, "A")
    store.acknowledge(incident_id, ANN)

    taken_back, again = (store.unacknowledge(incident_id, BOB) for _ in range(2))

    assert taken_back == again
    assert (again.acked_at, again.acked_by, again.version) == (None, None, 3)
    assert told(store, incident_id, "unacked") == [{"by": "bob"}]
    assert [action for _, action, _ in noted(store)] == ["unack", "ack"]


def test_an_ack_outlives_a_new_diagnosis(store):
    """Somebody still looks after it."""
    incident_id = alone(store, "A")
    completed(store, incident_id)
    store.acknowledge(incident_id, ANN)

    store.restart_incident(incident_id)

    assert store.get_incident(incident_id).acked_by == "ann"


def test_nobody_looks_after_what_is_archived_or_unknown(store):
    """What is over needs nobody."""
    archived = over(store)
    store.archive_incidents(1, 10)

    for verb in (store.acknowledge, store.unacknowledge):
        assert verb(archived, ANN) is None
        assert verb(uuid4(), ANN) is None
    assert noted(store) == []


def test_feedback_judges_the_revision_it_was_given_for(store):
    """It is listed newest first, and told in timeline and audit."""
    incident_id = alone(store, "A")
    completed(store, incident_id)
    first = store.add_feedback(
        incident_id, ANN, Judgement.REJECTED, root_cause="The disk was full", comment="see df"
    )
    store.restart_incident(incident_id)
    completed(store, incident_id)
    second = store.add_feedback(incident_id, BOB, Judgement.CONFIRMED)

    assert store.list_feedback(incident_id) == [second, first]
    assert (first.revision, second.revision) == (1, 2)
    assert (first.by, first.root_cause, first.comment) == ("ann", "The disk was full", "see df")
    assert [each["verdict"] for each in told(store, incident_id, "feedback")] == [
        "rejected",
        "confirmed",
    ]
    assert ("ann", "feedback", str(incident_id)) in noted(store)


def test_feedback_is_paged(store):
    """Behind the id of the last one."""
    incident_id = over(store)
    made = [store.add_feedback(incident_id, ANN, Judgement.CONFIRMED) for _ in range(3)]

    page = store.list_feedback(incident_id, limit=2)

    assert page == made[:0:-1]
    assert store.list_feedback(incident_id, after=page[-1].feedback_id) == made[:1]


def test_only_a_diagnosis_can_be_judged(store):
    """None of a running incident, of one that failed, or of none."""
    running = alone(store, "A")
    again = alone(store, "B")
    completed(store, again)
    store.restart_incident(again)

    for incident_id in (running, again, uuid4()):
        assert store.add_feedback(incident_id, ANN, Judgement.CONFIRMED) is None
    assert noted(store) == []


def test_a_diagnosis_can_be_judged_from_the_archive(store):
    """What was said before is still there."""
    incident_id = over(store)
    store.add_feedback(incident_id, ANN, Judgement.REJECTED)
    store.archive_incidents(1, 10)

    assert store.add_feedback(incident_id, BOB, Judgement.CONFIRMED) is not None

    assert [each.by for each in store.list_feedback(incident_id)] == ["bob", "ann"]
    assert [each["by"] for each in told(store, incident_id, "feedback")] == ["ann", "bob"]


def _deleted(store: Store, database: DatabaseSettings, incident_id: UUID) -> None:
    store.delete_incident(incident_id)


def _pruned(store: Store, database: DatabaseSettings, incident_id: UUID) -> None:
    store.archive_incidents(1, 10)
    kept = tables.incidents_archive
    with beside(database) as connection:
        mine = kept.c.incident_id == incident_id
        connection.execute(update(kept).where(mine).values(created_at=LONG_AGO))
    store.prune_archive(1, 10)


@pytest.mark.parametrize("end", [_deleted, _pruned])
def test_what_was_said_of_an_incident_ends_with_it(store, database, end: Callable[..., None]):
    """Its words too; the audit stays."""
    incident_id = over(store)
    store.add_feedback(incident_id, ANN, Judgement.CONFIRMED)

    end(store, database, incident_id)

    assert store.list_feedback(incident_id) == []
    with beside(database) as connection:
        number = select(func.count()).select_from(tables.incident_words)
        assert connection.scalar(number) == 0
    assert noted(store)[-1] == ("ann", "feedback", str(incident_id))


def test_a_timeline_is_told_in_order_and_without_old_documents(store):
    """Of the answer that a revision replaced it says what it was, and how sure."""
    incident_id = alone(store, "A")
    completed(store, incident_id)
    store.restart_incident(incident_id)

    events = store.list_events(incident_id)

    assert [each.kind for each in events][-2:] == ["completed", "restarted"]
    assert events == sorted(events, key=lambda each: (each.at, each.event_id))
    assert events[-1].data == {
        "revision": 1,
        "root_cause": "Configuration value DATABASE_URL is invalid",
        "confidence_score": 0.8,
    }


def test_a_timeline_is_paged_also_across_the_archive(store):
    """Events keep their order when they move, though not their ids."""
    over(store, "Before")
    incident_id = over(store)
    kinds = [each.kind for each in store.list_events(incident_id)]
    first = store.list_events(incident_id, limit=1)
    after = timeline.position(first, None)
    second = store.list_events(incident_id, limit=1, after=after)

    store.archive_incidents(1, 10)

    rest = store.list_events(incident_id, after=timeline.position(second, after))
    assert [each.kind for each in (*first, *second, *rest)] == kinds


def test_events_of_one_time_are_paged_too(store, database):
    """A clock may tick slower than things happen."""
    incident_id = over(store)
    events = tables.incident_events
    with beside(database) as connection:
        connection.execute(update(events).values(at=LONG_AGO))
    kinds = [each.kind for each in store.list_events(incident_id)]

    seen, after = [], None
    while page := store.list_events(incident_id, limit=1, after=after):
        seen += [each.kind for each in page]
        after = timeline.position(page, after)

    assert seen == kinds


def test_alerts_of_an_incident_are_paged_with_what_became_of_them(store):
    """Also once it is archived."""
    incident_id = over(store)
    store.archive_incidents(1, 10)

    (kept,) = store.page_alerts(incident_id, limit=1)

    assert (kept.alert.name, kept.sender, kept.deliveries) == ("HighErrorRate", "default", 2)
    assert (kept.alert.status, kept.disposition) == ("resolved", None)
    key = (kept.alert.fingerprint, kept.alert.starts_at, kept.sender)
    assert store.page_alerts(incident_id, after=key) == []
    assert store.page_alerts(incident_id, status=["firing"]) == []
