"""What is kept and what is given back when something dies, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from factories import NOON, REPORT, alert, group
from psycopg2 import extensions
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from steps import age, age_by, claimed, completed, hasten, opened, waits

from opssage.errors import LostClaimError, StoreUnavailableError
from opssage.incident import Stage, Status
from opssage.settings import DatabaseSettings, IngestSettings
from store import Rules, Store, connect, engine
from store.waiting import bound_waits

ERROR = {"class": "Timeout", "message": "too slow"}


def test_a_heartbeat_holds_the_lease(store):
    """As long as the worker gives signs of life nobody else gets the stage."""
    incident_id = opened(store)
    claim = claimed(store, incident_id, lease_seconds=-1)

    assert store.extend_lease(incident_id, claim.epoch, 20)

    assert claimed(store, incident_id) is None


def test_a_heartbeat_after_the_claim_has_passed_on_is_told(store):
    """A zombie learns that it is one, and the heir keeps its lease."""
    incident_id = opened(store)
    zombie = claimed(store, incident_id, lease_seconds=-1)
    heir = claimed(store, incident_id)

    assert not store.extend_lease(incident_id, zombie.epoch, -1)

    assert claimed(store, incident_id) is None
    store.update_primary_context(incident_id, heir.epoch, {})
    assert not store.extend_lease(incident_id, heir.epoch, 20)


def test_a_redelivered_message_takes_its_own_lease_over(store):
    """A worker was lost: the message that comes again need not wait for the lease to end."""
    incident_id = opened(store)
    claimed(store, incident_id, task_id="t1")

    assert claimed(store, incident_id, task_id="other", redelivered=True) is None
    assert claimed(store, incident_id, task_id="t1") is None
    again = claimed(store, incident_id, task_id="t1", redelivered=True)

    assert (again.epoch, again.attempts) == (2, 2)


def test_a_redelivered_message_does_not_take_a_beating_heart_over(store):
    """The broker was away for a moment; the worker that has the stage was not."""
    incident_id = opened(store)
    claim = claimed(store, incident_id)

    again = {"redelivered": True, "silent_seconds": 5}
    assert claimed(store, incident_id, **again) is None
    assert store.is_held(incident_id, "t1")
    store.extend_lease(incident_id, claim.epoch, 14)  # its last heartbeat is six seconds old

    assert claimed(store, incident_id, **again).epoch == 2


def test_attempts_that_are_used_up_are_not_exceeded(store):
    """What kills every worker at once is not run for ever by redelivery; it is given up."""
    incident_id = opened(store)
    for _ in range(3):
        claimed(store, incident_id, redelivered=True, max_attempts=3, owner="w7", lease_seconds=-1)

    assert claimed(store, incident_id, redelivered=True, max_attempts=3) is None
    assert store.give_up_exhausted(3) == 1
    error = store.get_incident(incident_id).last_error
    assert (error["worker"], error["attempts"]) == ("w7", 3)


def test_a_lost_worker_is_replaced_as_soon_as_its_lease_ends(store, database):
    """However often messages had to be sent before, the claim has settled that."""
    incident_id = opened(store)
    age(database, incident_id, enqueued_ago=1, enqueue_count=9)
    claimed(store, incident_id, lease_seconds=-1)

    assert [due.incident_id for due in store.take_due(10, resend_seconds=20)] == [incident_id]


def test_a_worker_that_ends_gives_its_stages_back(store):
    """They are due at once and the attempt is not counted; others keep theirs."""
    mine, other = opened(store, key="a"), opened(store, alert("B"), key="b")
    ended = claimed(store, mine, owner="w1")
    claimed(store, other, owner="w2")

    assert store.release("w1") == 1

    assert [due.incident_id for due in store.take_due(10, resend_seconds=20)] == [mine]
    with pytest.raises(LostClaimError):
        store.update_primary_context(mine, ended.epoch, {})
    assert claimed(store, mine).attempts == 1


def test_an_uncounted_attempt_is_given_back(store, database):
    """An outage of the sources is not the incident's fault."""
    incident_id = opened(store)
    claim = claimed(store, incident_id)

    store.update_status(
        incident_id, Stage.COLLECT, claim.epoch, ERROR, give_up=False, counted=False
    )

    assert claimed(store, incident_id) is None
    hasten(database, incident_id)
    assert claimed(store, incident_id).attempts == 1


def test_what_failed_together_does_not_return_together(store, database):
    """Delays have some chance in them: at least five seconds, and a quarter more at most."""
    due = []
    for name in "abcdefgh":
        incident_id = opened(store, alert(name), key=name)
        claim = claimed(store, incident_id)
        store.update_status(incident_id, Stage.COLLECT, claim.epoch, ERROR, give_up=False)
        due.append(waits(database, incident_id))

    assert len({round(seconds, 3) for seconds in due}) > 1
    assert all(5 <= seconds <= 6.5 for seconds in due)


def test_the_first_marker_of_a_broker_is_no_loss(store):
    """Nothing was there before, so nothing can be missing."""
    opened(store)
    store.take_due(10, resend_seconds=20)

    assert store.renew_broker("m1") is None
    assert store.renew_broker("m1") is None
    assert store.take_due(10, resend_seconds=20) == []


def test_an_emptied_broker_has_everything_published_again(store):
    """Once, and without what somebody works on."""
    store.renew_broker("m1")
    waiting, worked_on = opened(store, key="a"), opened(store, alert("B"), key="b")
    store.take_due(10, resend_seconds=20)
    claimed(store, worked_on)

    assert [store.renew_broker("m2"), store.renew_broker("m2")] == [1, None]

    assert [due.incident_id for due in store.take_due(10, resend_seconds=20)] == [waiting]


def test_the_backlog_tells_what_waits_longest(store, database):
    """Nothing waits at first; then the oldest unfinished incident counts."""
    assert (store.backlog().unfinished, store.backlog().oldest_seconds) == (0, 0)
    done, waits = opened(store, key="a"), opened(store, alert("B"), key="b")
    completed(store, done)
    hasten(database, waits, by=60)  # of what is put off again and again the age counts

    backlog = store.backlog()

    assert backlog.unfinished == 1
    assert -0.1 < backlog.oldest_seconds < 30


def test_a_revision_is_as_old_as_its_start(store, database):
    """An old incident that is diagnosed anew does not look as if it had waited for days."""
    incident_id = opened(store)
    completed(store, incident_id)
    age_by(database, incident_id, 3600)
    store.restart_incident(incident_id)

    assert -0.1 < store.backlog().oldest_seconds < 30


def test_an_incident_is_as_old_as_its_opening(store, database):
    """However often it was put off."""
    incident_id = opened(store)
    age_by(database, incident_id, 3600)
    claim = claimed(store, incident_id)
    store.update_status(incident_id, Stage.COLLECT, claim.epoch, ERROR, give_up=False)

    assert 3599 < store.backlog().oldest_seconds < 3700


def test_signs_of_life_are_dated_by_the_database(store):
    """Each name has its own, and the newest counts."""
    assert store.beats() == {}

    store.beat("dispatcher")
    store.beat("queue/collect")
    store.beat("dispatcher")

    ages = store.beats()
    assert set(ages) == {"dispatcher", "queue/collect"}
    assert all(-0.1 < age < 30 for age in ages.values())


@pytest.fixture
def postgres(new_postgres_url):
    """Settings of a PostgreSQL database; this process then waits for it as long as it likes."""
    yield DatabaseSettings(url=new_postgres_url)
    extensions.set_wait_callback(None)


@pytest.fixture
def cramped(database) -> Store:
    """A store with room for two unfinished incidents."""
    opened = connect(database, Path(), Rules(ingest=IngestSettings(backlog_max=2)))
    yield opened
    opened.close()


def test_a_full_backlog_refuses_what_would_open_an_incident(cramped):
    """The alert is not stored, so its sender sends it again, and then it finds room."""
    first, _ = opened(cramped, key="a"), opened(cramped, alert("B"), key="b")
    late = group(alert("C"), key="c")

    refused = cramped.create_incident(late)
    completed(cramped, first)
    taken = cramped.create_incident(late)

    assert (refused.refused, refused.incidents) == (1, ())
    assert (taken.refused, taken.accepted) == (0, 1)


def test_a_full_backlog_takes_ends_repeats_and_company(cramped):
    """What needs no new incident is as welcome as ever."""
    opened(cramped, alert("A"), key="a")
    opened(cramped, alert("B"), key="b")

    ended = cramped.create_incident(group(alert("A", resolved_after=60), key="a"))
    repeated = cramped.create_incident(group(alert("B"), key="b"))
    joined = cramped.create_incident(group(alert("B"), alert("B2"), key="b"))

    assert [r.refused for r in (ended, repeated, joined)] == [0, 0, 0]
    assert (ended.accepted, repeated.duplicates, joined.accepted) == (1, 1, 1)


def test_a_full_backlog_takes_the_rest_of_a_request(cramped):
    """An end is stored even when its group also has a new alert that must wait."""
    first = opened(cramped, alert("A"), key="a")
    opened(cramped, alert("B"), key="b")

    mixed = group(alert("A", resolved_after=60), alert("C"), key="other")
    receipt = cramped.create_incident(mixed)

    assert (receipt.accepted, receipt.refused) == (1, 1)
    assert cramped.get_incident(first).resolved_at is not None


def test_the_answer_before_is_shown_while_a_revision_runs(store):
    """Nobody is left without a diagnosis."""
    incident_id = opened(store)
    completed(store, incident_id)
    store.restart_incident(incident_id)

    running = store.get_incident(incident_id)
    completed(store, incident_id)

    assert running.previous["diagnostic_report"] == REPORT
    assert running.previous["revision"] == 1
    assert store.get_incident(incident_id).previous is None


def test_an_alert_that_starts_twice_in_one_request_is_one(store):
    """While it fires its start may move, even between two entries of a list."""
    incident_id = opened(store)
    starts = (NOON + timedelta(seconds=n) for n in (60, 120))

    receipt = store.create_incident(group(*(alert(starts_at=start) for start in starts)))

    assert [touched.incident_id for touched in receipt.incidents] == [incident_id]
    assert len(store.list_alerts(incident_id)) == 1


@pytest.mark.parametrize("how", ["raised", "killed"])
def test_a_revision_that_fails_leaves_the_answer_before(store, how):
    """The incident is completed as it was, and says that a new look failed."""
    incident_id = opened(store)
    completed(store, incident_id)
    store.restart_incident(incident_id)
    claim = claimed(store, incident_id, lease_seconds=-1)

    if how == "raised":
        store.update_status(incident_id, Stage.COLLECT, claim.epoch, ERROR, give_up=True)
    else:
        store.give_up_exhausted(1)

    incident = store.get_incident(incident_id)
    assert (incident.status, incident.diagnostic_report) == (Status.COMPLETED, REPORT)
    assert incident.confidence_score == 0.8
    assert incident.last_error["class"] in {"Timeout", "AttemptsExhausted"}
    assert store.start_revisions(10) == 0


@pytest.mark.parametrize("revision", [1, 2])
def test_alerts_that_join_a_run_that_fails_are_not_forgotten(store, database, revision):
    """They were acknowledged, so they are looked into: the incident is run again later."""
    incident_id = opened(store)
    if revision == 2:
        completed(store, incident_id)
        store.restart_incident(incident_id)
    claim = claimed(store, incident_id)
    opened(store, alert("Late"))

    seen = claim.incident.alert_seq
    told = (incident_id, Stage.COLLECT, claim.epoch, ERROR)
    store.update_status(*told, give_up=True, alerts_seen=seen)

    assert store.start_revisions(10) == 0
    hasten(database, incident_id)
    assert store.start_revisions(10) == 1


def test_worse_alerts_that_join_a_running_diagnosis_have_it_run_again_at_once(store):
    """The commit sees that collect knew a milder severity."""
    incident_id = opened(store, alert())
    seen = {"alert_seq": 1, "alert_metadata": {"severity": "warning"}}
    store.update_primary_context(incident_id, claimed(store, incident_id).epoch, seen)
    opened(store, alert("Down", severity="critical"))
    claim = claimed(store, incident_id, Stage.ENRICH)
    store.update_enhanced_context(incident_id, claim.epoch, {})

    claim = claimed(store, incident_id, Stage.DIAGNOSE)
    store.update_diagnostic_report(incident_id, claim.epoch, REPORT)

    assert store.start_revisions(10) == 1


def test_a_deadlock_is_tried_again_inside(postgres):
    """Two transactions that wait for each other both happen; no caller hears of it."""
    store = connect(postgres, Path())
    both, tries = Barrier(2), []

    def lock_both(connection, first, second):
        tries.append(first)
        connection.execute(text(f"SELECT pg_advisory_xact_lock({first})"))
        if len(tries) <= 2:
            both.wait(10)
        connection.execute(text(f"SELECT pg_advisory_xact_lock({second})"))
        return first

    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(store._write, lock_both, *order) for order in ((1, 2), (2, 1))]

    assert sorted(call.result() for call in calls) == [1, 2]
    assert len(tries) == 3
    store.close()


def test_a_locked_table_costs_a_request_a_503_and_nothing_else(postgres):
    """A hasty store gives up in time; the alert is taken once the lock is gone."""
    store = connect(postgres, Path(), hasty=True)
    bound = engine.create(postgres, Path())

    with bound.begin() as connection:
        connection.execute(text("LOCK TABLE incidents IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(StoreUnavailableError):
            store.create_incident(group())

    assert store.create_incident(group()).accepted == 1
    bound.dispose()
    store.close()


def test_a_frozen_server_is_not_waited_for(postgres):
    """It keeps no time limit of its own, so the client does; the connection is given up."""
    bound_waits(0.3)
    bound = engine.create(postgres, Path())

    with bound.connect() as connection:
        with pytest.raises(OperationalError, match="no answer in"):
            connection.execute(text("SELECT pg_sleep(60)"))
        assert connection.invalidated

    bound.dispose()
