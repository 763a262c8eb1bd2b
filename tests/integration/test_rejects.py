"""What becomes of alerts that cannot be taken, on SQLite and on PostgreSQL alike."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from factories import alert, group
from sqlalchemy import event, func, insert, select

from opssage.incident import AlertGroup, Reject
from opssage.settings import IngestSettings
from store import KeptReject, RejectFilter, Rules, Store, connect, engine, rejects, tables
from store.columns import database_now

RAW = '{"labels": {"alertname": "HighErrorRate", "pod": 7}}'


def rejected(*raws: str, reason: str = "labels.pod: Not a string.", **envelope) -> AlertGroup:
    """Return a request of which nothing can be taken."""
    told = (Reject(index=0, reason=reason, raw=raw) for raw in raws or (RAW,))
    group_of = {"receiver": "opssage", "group_key": "{}:{}", **envelope}
    return AlertGroup(alerts=(), rejects=tuple(told), **group_of)


def kept(store: Store, **envelope) -> KeptReject:
    """Reject an alert and return it as it is kept."""
    store.create_incident(rejected(**envelope))
    return store.list_rejects(limit=1)[0]


def corrected(reject: KeptReject, *alerts) -> AlertGroup:
    """Return what a person makes of a reject."""
    return AlertGroup(alerts=alerts or (alert(pod="7"),), **reject.envelope)


@pytest.fixture
def bound(database):
    """An engine of the test's own."""
    made = engine.create(database, Path())
    yield made
    made.dispose()


def waiting(connection) -> int:
    """Count the rejects that nobody took."""
    table = tables.ingest_rejects
    return connection.scalar(
        select(func.count()).select_from(table).where(table.c.incident_id.is_(None))
    )


def test_one_bad_alert_is_one_row_however_often_it_is_sent(store):
    """Senders repeat what they got a 202 for; four at a time here."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: store.create_incident(rejected()), range(100)))

    (reject,) = store.list_rejects()
    assert reject.deliveries == 100
    assert reject.last_seen_at > reject.received_at


def test_a_bad_alert_listed_twice_is_one_row(store):
    """A request may name it twice."""
    store.create_incident(rejected(RAW, RAW))

    (reject,) = store.list_rejects()
    assert reject.deliveries == 2


def test_overlapping_rejects_do_not_deadlock(store):
    """Requests that share rejects, in opposite order, both pass."""
    raws = [f'"{number}"' for number in range(50)]
    orders = [raws, raws[::-1]] * 10

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda order: store.create_incident(rejected(*order)), orders))

    assert {reject.deliveries for reject in store.list_rejects(limit=100)} == {20}


@pytest.mark.parametrize("other", [{"group_key": "other"}, {"receiver": "other"}, {"sender": "b"}])
def test_one_alert_of_two_groups_is_two_rejects(store, other):
    """Each is to be taken under its own group."""
    store.create_incident(rejected())
    store.create_incident(rejected(**other))

    assert [reject.deliveries for reject in store.list_rejects()] == [1, 1]


def test_of_a_huge_envelope_only_the_group_is_kept(store):
    """Every reject of a request has a copy of it; it is still taken under its group."""
    reject = kept(store, common_annotations={"summary": "x" * 5_000})

    assert reject.envelope == {"receiver": "opssage", "group_key": "{}:{}"}
    assert store.take_reject(reject.reject_id, corrected(reject)).accepted == 1


def test_the_newest_reason_is_told(store):
    """What was wrong may have another name after an upgrade."""
    store.create_incident(rejected(reason="odd"))

    store.create_incident(rejected(reason="too odd"))

    assert [reject.reason for reject in store.list_rejects()] == ["too odd"]


def test_pages_are_newest_first_and_filtered(store):
    """By sender, and by whether somebody took them."""
    for number in range(5):
        store.create_incident(rejected(str(number), sender="ab"[number % 2]))
    newest, *_ = store.list_rejects()
    store.take_reject(newest.reject_id, corrected(newest))

    of_a = RejectFilter(sender="a")
    first = store.list_rejects(of_a, limit=2)
    second = store.list_rejects(of_a, limit=2, after=first[-1].reject_id)

    assert [reject.raw for reject in (*first, *second)] == ["4", "2", "0"]
    assert [reject.raw for reject in store.list_rejects(RejectFilter(taken=True))] == ["4"]
    assert len(store.list_rejects(RejectFilter(taken=False))) == 4


def test_a_taken_alert_joins_the_incident_of_its_group(store):
    """It comes under the group it was sent with, not under one of its own."""
    opened = store.create_incident(group(key="{}:{}")).incidents[0].incident_id
    reject = kept(store)

    receipt = store.take_reject(reject.reject_id, corrected(reject))

    assert [touched.incident_id for touched in receipt.incidents] == [opened]
    assert len(store.list_alerts(opened)) == 2
    assert store.get_reject(reject.reject_id).incident_id == opened


def test_a_taken_alert_opens_the_incident_of_its_group(store):
    """Alerts of the group that come later join it."""
    reject = kept(store)

    receipt = store.take_reject(reject.reject_id, corrected(reject))

    later = store.create_incident(group(key="{}:{}"))
    assert receipt.incidents[0].opened
    assert later.incidents[0].incident_id == receipt.incidents[0].incident_id


def test_a_taken_alert_that_is_sent_again_stays_taken(store):
    """Its sender goes on sending it as it is."""
    reject = kept(store)
    store.take_reject(reject.reject_id, corrected(reject))

    again = kept(store)

    assert (again.reject_id, again.deliveries) == (reject.reject_id, 2)
    assert again.incident_id is not None


def test_of_many_who_take_a_reject_one_does(store):
    """The others are told that there is nothing to take, and store nothing."""
    reject = kept(store)
    alerts = [alert(pod=str(number)) for number in range(8)]

    with ThreadPoolExecutor(4) as pool:
        receipts = list(
            pool.map(
                lambda one: store.take_reject(reject.reject_id, corrected(reject, one)), alerts
            )
        )

    (receipt,) = filter(None, receipts)
    assert len(store.list_alerts(receipt.incidents[0].incident_id)) == 1


def test_a_failure_between_the_alert_and_the_mark_undoes_both(store, bound):
    """They are one transaction: nothing is taken half."""
    reject = kept(store)

    @event.listens_for(bound, "before_cursor_execute")
    def _die(_connection, _cursor, statement, *_):
        if statement.startswith("UPDATE ingest_rejects"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Store(bound).take_reject(reject.reject_id, corrected(reject))

    assert store.list_incidents() == []
    assert store.get_reject(reject.reject_id) == reject


def test_an_alert_that_is_over_leaves_no_reject(store):
    """It belongs to no incident, and there is nothing left to do."""
    reject = kept(store)

    receipt = store.take_reject(reject.reject_id, corrected(reject, alert(resolved_after=60)))

    assert (receipt.accepted, receipt.incidents) == (1, ())
    assert store.get_reject(reject.reject_id) is None


def test_a_full_backlog_leaves_the_reject_as_it_is(store, database):
    """What would open an incident is refused, and can be tried again."""
    store.create_incident(group())
    reject = kept(store)
    full = connect(database, Path(), Rules(ingest=IngestSettings(backlog_max=1)))

    receipt = full.take_reject(reject.reject_id, corrected(reject))

    assert receipt.refused == 1
    assert store.get_reject(reject.reject_id) == reject
    full.close()


def test_an_unreadable_body_is_kept_without_a_group(store):
    """Nothing is known of it but its beginning."""
    for _ in range(2):
        store.keep_unreadable(Reject(index=0, reason="no JSON", raw="{"), "default")

    (reject,) = store.list_rejects()
    assert (reject.raw, reject.envelope, reject.deliveries) == ("{", None, 2)


def test_a_deleted_reject_is_gone(store):
    """Once."""
    reject = kept(store)

    assert store.delete_reject(reject.reject_id)
    assert not store.delete_reject(reject.reject_id)
    assert store.list_rejects() == []


def test_trimming_removes_the_oldest_that_nobody_took(store, bound):
    """Those that were taken say where an alert went, and stay."""
    for number in range(6):
        store.create_incident(rejected(str(number)))
    oldest = store.list_rejects()[-1]
    store.take_reject(oldest.reject_id, corrected(oldest))

    with bound.begin() as connection:
        rejects.trim(connection, 3)

    assert [reject.raw for reject in store.list_rejects()] == ["5", "4", "3", "0"]


def test_a_flood_of_rejects_is_bounded(store, bound):
    """The bound is looked at every now and then, and the newest are those that stay."""
    old = [{"digest": f"row {number}"} for number in range(rejects.MOST)]
    with bound.begin() as connection:
        row = insert(tables.ingest_rejects).values(
            received_at=database_now(), sender="default", reason="odd", raw="{}"
        )
        connection.execute(row, old)

    for start in range(0, 2000, 100):
        store.create_incident(rejected(*(str(start + number) for number in range(100))))

    with bound.connect() as connection:
        assert rejects.MOST <= waiting(connection) < rejects.MOST + 1000
    assert store.list_rejects(limit=1)[0].raw in {str(number) for number in range(1900, 2000)}
