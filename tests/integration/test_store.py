"""What the store promises, on SQLite and on PostgreSQL alike."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from uuid import uuid4

import pytest
from factories import NOON, REPORT, alert, group
from sqlalchemy import text
from steps import age, beside, claimed, completed, hasten, opened

from opssage.errors import LostClaimError
from opssage.incident import Reject, Stage, Status
from opssage.settings import DatabaseSettings
from store import IncidentFilter, Rules, engine, ingest, known

OTHER = '{}:{alertname="Other"}'


def test_a_group_is_one_incident(store):
    """All alerts of a webhook come under one incident, shown by the worst of them."""
    worst = alert("Down", severity="critical", service="checkout")

    incident_id = opened(store, alert(), worst, alert(pod="b"))

    incident = store.get_incident(incident_id)
    assert (incident.alert_name, incident.severity, incident.service) == (
        "Down",
        "critical",
        "checkout",
    )
    assert incident.status is Status.PENDING
    assert len(store.list_alerts(incident_id)) == 3


def test_a_repeat_changes_nothing_a_reader_sees(store):
    """The same webhook again is counted, and opens nothing."""
    incident_id = opened(store)
    before = store.get_incident(incident_id)

    receipt = store.create_incident(group())

    assert (receipt.accepted, receipt.duplicates) == (0, 1)
    assert store.get_incident(incident_id) == before


def test_an_alert_listed_twice_is_one_alert(store):
    """A group may name an alert twice."""
    receipt = store.create_incident(group(alert(), alert()))

    assert (receipt.accepted, receipt.duplicates) == (1, 1)


def test_a_new_alert_of_the_group_joins_the_open_incident(store):
    """The group's incident takes its new alerts; `alert_seq` tells that they came."""
    incident_id = opened(store)

    assert opened(store, alert(), alert("Worse", severity="critical")) == incident_id

    incident = store.get_incident(incident_id)
    assert (incident.alert_seq, incident.alert_name) == (2, "Worse")


def test_another_group_is_another_incident(store):
    """Receiver and group key tell groups apart."""
    first = opened(store)

    assert opened(store, alert("Other"), key=OTHER) != first
    assert opened(store, alert("Third"), receiver="second") != first


def test_requests_of_different_groups_that_meet_in_one_incident_agree_on_its_end(store, database):
    """While one request joins an alert, another that resolves the first one waits for it."""
    incident_id = opened(store, alert(pod="a"))
    resolving = group(alert(pod="a", resolved_after=60), receiver="other", key=OTHER)
    bound = engine.create(database, Path()).execution_options(sqlite_begin="IMMEDIATE")

    with ThreadPoolExecutor(1) as pool:
        with bound.begin() as connection:
            ingest.record(connection, [group(alert(pod="b"))], Rules())
            waiting = pool.submit(store.create_incident, resolving)
            sleep(0.3)
        waiting.result()

    assert store.get_incident(incident_id).resolved_at is None
    bound.dispose()


def test_a_large_group_takes_few_locks(store):
    """Thousands of alerts in one webhook are one incident on either database."""
    receipt = store.create_incident(group(*(alert(pod=str(n)) for n in range(13_000))))

    assert (len(receipt.incidents), receipt.accepted) == (1, 13_000)


def test_many_groups_and_alerts_share_few_locks(new_postgres_url):
    """PostgreSQL has room for some thousand locks, of all sessions together."""
    groups = [group(alert(pod=str(n)), key=str(n)) for n in range(6000)]

    with beside(DatabaseSettings(url=new_postgres_url)) as connection:
        known.lock(connection, groups)
        held = connection.scalar(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"))

    assert 0 < held <= 4096


def test_long_names_are_stored(store):
    """A label, a receiver or a group key may be longer than an index takes."""
    long = "\U0001f4a5" * 1000

    incident_id = opened(store, alert(service=long), receiver=long, key=long)

    assert opened(store, alert("Other"), receiver=long, key=long) == incident_id


def test_a_document_may_hold_what_databases_do_not_take(store):
    """A NUL or a lone surrogate in a log line costs the character, not the diagnosis."""
    incident_id = opened(store)
    document = {"line": "a\0b", "literal": "\\u0000", "lone": "x\ud800y"}

    store.update_primary_context(incident_id, claimed(store, incident_id).epoch, document)

    assert store.get_incident(incident_id).primary_context == {
        "line": "a\ufffdb",
        "literal": "\\u0000",
        "lone": "x?y",
    }


def test_rejects_do_not_hold_up_their_mates(store):
    """A request with rejects stores the rest, and one of rejects only opens nothing."""
    reject = Reject(index=1, reason="alerts[1].labels: missing", raw="{}")

    assert store.create_incident(group(rejects=(reject,))).accepted == 1
    assert store.create_incident(group(rejects=(reject,))).accepted == 0


def test_a_stage_is_claimed_once(store):
    """Of two messages for one stage only the first gets it."""
    incident_id = opened(store)

    assert claimed(store, incident_id).epoch == 1
    assert claimed(store, incident_id) is None


def test_only_the_stage_that_is_due_can_be_claimed(store):
    """The status says which stage may run."""
    incident_id = opened(store)

    assert claimed(store, incident_id, Stage.DIAGNOSE) is None
    assert claimed(store, uuid4()) is None


def test_an_expired_lease_passes_to_the_next(store):
    """A worker that died holds a stage up no longer than its lease."""
    incident_id = opened(store)
    claimed(store, incident_id, lease_seconds=-1)

    again = claimed(store, incident_id)

    assert (again.epoch, again.attempts) == (2, 2)


def test_a_late_result_is_discarded(store):
    """Whoever lost its claim writes nothing, whatever it found."""
    incident_id = opened(store)
    zombie = claimed(store, incident_id, lease_seconds=-1)
    heir = claimed(store, incident_id)

    with pytest.raises(LostClaimError):
        store.update_primary_context(incident_id, zombie.epoch, {"by": "zombie"})
    store.update_primary_context(incident_id, heir.epoch, {"by": "heir"})
    with pytest.raises(LostClaimError):
        store.update_primary_context(incident_id, heir.epoch, {"by": "heir again"})

    assert store.get_incident(incident_id).primary_context == {"by": "heir"}


def test_documents_and_status_go_together(store):
    """After each stage its document is there and the next may run."""
    incident_id = opened(store)

    completed(store, incident_id)

    incident = store.get_incident(incident_id)
    assert incident.status is Status.COMPLETED
    assert incident.diagnostic_report == REPORT
    assert (incident.root_cause, incident.confidence_score) == (
        "Configuration value DATABASE_URL is invalid",
        0.8,
    )


def test_what_is_due_comes_most_severe_first_and_once(store):
    """The dispatcher gets each incident once, the critical ones before the others."""
    mild = opened(store, alert("A"), key="a")
    severe = opened(store, alert("B", severity="critical"), key="b")

    due = store.take_due(10, resend_seconds=20)

    assert [item.incident_id for item in due] == [severe, mild]
    assert store.take_due(10, resend_seconds=20) == []


def test_an_unclaimed_message_is_sent_again(store):
    """A message that was lost is replaced after a while."""
    incident_id = opened(store)
    store.take_due(10, resend_seconds=20)

    (again,) = store.take_due(10, resend_seconds=-1)

    assert again.incident_id == incident_id


@pytest.mark.parametrize(("messages", "patience"), [(1, 20), (2, 40), (3, 80), (9, 320)])
def test_the_patience_with_a_message_doubles(store, database, messages, patience):
    """After the first message 20 s, then 40 s, and never more than 320 s."""
    incident_id = opened(store)

    def due_after(seconds: float) -> bool:
        age(database, incident_id, enqueued_ago=seconds, enqueue_count=messages)
        return bool(store.take_due(10, resend_seconds=20))

    assert (due_after(patience - 2), due_after(patience + 2)) == (False, True)


def test_what_kills_its_workers_is_given_up(store, database):
    """A stage whose workers never come back fails after its attempts, with a reason."""
    incident_id = opened(store)
    for _ in range(3):
        claimed(store, incident_id, lease_seconds=-1)

    assert [store.give_up_exhausted(4), store.give_up_exhausted(3)] == [0, 1]

    incident = store.get_incident(incident_id)
    assert (incident.status, incident.last_error["class"]) == (Status.FAILED, "AttemptsExhausted")


def test_an_unpublished_incident_is_due_at_once(store):
    """When the broker refuses, the next round tries again."""
    incident_id = opened(store)
    store.take_due(10, resend_seconds=20)

    store.give_back([incident_id])

    assert len(store.take_due(10, resend_seconds=20)) == 1


def test_a_claimed_incident_is_not_due(store):
    """What is being worked on needs no message."""
    incident_id = opened(store)
    claimed(store, incident_id)

    assert store.take_due(10, resend_seconds=-1) == []


def test_a_postponed_stage_waits(store):
    """A fault that may pass puts the stage off, with the reason told."""
    incident_id = opened(store)
    claim = claimed(store, incident_id)

    store.update_status(
        incident_id, Stage.COLLECT, claim.epoch, {"class": "Timeout"}, give_up=False
    )

    incident = store.get_incident(incident_id)
    assert (incident.status, incident.last_error) == (Status.PENDING, {"class": "Timeout"})
    assert store.take_due(10, resend_seconds=-1) == []
    assert claimed(store, incident_id) is None


def test_a_failed_incident_can_be_run_on(store):
    """Retry resumes a failed incident at the stage that has no document."""
    incident_id = opened(store)
    store.update_primary_context(incident_id, claimed(store, incident_id).epoch, {"n": 1})
    claim = claimed(store, incident_id, Stage.ENRICH)
    store.update_status(incident_id, Stage.ENRICH, claim.epoch, {"class": "Bug"}, give_up=True)
    assert store.get_incident(incident_id).status is Status.FAILED

    restarted = store.restart_incident(incident_id)

    assert restarted.status is Status.CONTEXT_COLLECTED
    assert claimed(store, incident_id, Stage.ENRICH) is not None


def test_a_completed_incident_can_be_run_anew(store):
    """Retry of a completed incident is a new revision from the start."""
    incident_id = opened(store)
    completed(store, incident_id)

    restarted = store.restart_incident(incident_id)

    assert (restarted.status, restarted.revision) == (Status.PENDING, 2)
    assert store.get_incident(incident_id).diagnostic_report is None


def test_a_diagnosed_incident_rests(store):
    """Without new alerts nothing makes it run again, and repeats are none."""
    incident_id = opened(store)
    completed(store, incident_id)
    opened(store)

    assert store.start_revisions(10) == 0


def test_alerts_that_join_a_diagnosed_incident_are_diagnosed_after_the_cooldown(store, database):
    """They are gathered for a while; then a new revision starts."""
    incident_id = opened(store)
    completed(store, incident_id)
    opened(store, alert("Other"))
    at_once = store.start_revisions(10)

    hasten(database, incident_id)

    assert (at_once, store.start_revisions(10)) == (0, 1)
    incident = store.get_incident(incident_id)
    assert (incident.status, incident.revision) == (Status.PENDING, 2)


def test_worse_alerts_are_diagnosed_at_once(store):
    """A higher severity does not wait."""
    incident_id = opened(store)
    completed(store, incident_id)

    opened(store, alert("Worse", severity="critical"))

    assert store.start_revisions(10) == 1
    assert claimed(store, incident_id) is not None


def test_alerts_that_join_while_it_is_diagnosed_make_it_due_again(store, database):
    """Collect had looked already when they came."""
    incident_id = opened(store)
    opened(store, alert("Other"))
    completed(store, incident_id, alert_seq=1)

    hasten(database, incident_id)

    assert store.start_revisions(10) == 1


def test_a_running_incident_cannot_be_restarted(store):
    """Nobody takes work away from a running stage by accident."""
    assert store.restart_incident(opened(store)) is None


def test_a_deleted_incident_is_gone_with_all_its_rows(store):
    """A stage that still runs for it commits nothing, and its alert may open another."""
    incident_id = opened(store)
    claim = claimed(store, incident_id)

    assert store.delete_incident(incident_id) is True

    assert store.delete_incident(incident_id) is False
    with pytest.raises(LostClaimError):
        store.update_primary_context(incident_id, claim.epoch, {})
    assert opened(store) != incident_id


def test_pages_follow_each_other_without_gap_or_repeat(store):
    """Walking by cursor visits every incident once, newest first."""
    made = [opened(store, alert(f"A{n}"), key=str(n)) for n in range(7)]

    seen, after = [], None
    while page := store.list_incidents(limit=3, after=after):
        seen += [incident.incident_id for incident in page]
        after = (page[-1].created_at, page[-1].incident_id)

    assert seen == made[::-1]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (IncidentFilter(severity=["critical"]), {"B"}),
        (IncidentFilter(severity=["critical", "warning"]), {"A", "B"}),
        (IncidentFilter(namespace=["shop"], service=["cart"]), {"B"}),
        (IncidentFilter(alert_name=["A"]), {"A"}),
        (IncidentFilter(status=["failed"]), set()),
        (IncidentFilter(created_after=NOON.replace(year=2100)), set()),
        (IncidentFilter(created_before=NOON.replace(year=2100)), {"A", "B"}),
    ],
)
def test_filters_choose(store, chosen, expected):
    """Fields are joined by AND, values of one field by OR."""
    opened(store, alert("A"), key="a")
    opened(store, alert("B", severity="critical", service="cart"), key="b")

    assert {incident.alert_name for incident in store.list_incidents(chosen)} == expected


def test_the_version_moves_with_every_visible_change(store):
    """Pollers learn by the version alone whether to read again."""
    incident_id = opened(store)
    before = store.get_version(incident_id)
    claim = claimed(store, incident_id)
    assert store.get_version(incident_id) == before

    store.update_primary_context(incident_id, claim.epoch, {})

    assert store.get_version(incident_id) == before + 1
    assert store.get_version(uuid4()) is None
