"""Alerts whose end never comes: they are not sent any more."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import sleep

import pytest
from factories import alert, at, group
from steps import opened, rows, timeline

from store import Rules, expiry, ingest

MINUTE, HOUR = 60, 3600


@pytest.fixture
def store(store_with):
    """A store that goes by the settings of an installation."""
    return store_with()


def test_an_alert_that_is_not_sent_any_more_is_over(store_with, wait):
    """It ended when it was last heard of, and its incident with it; the timeline says why."""
    store = store_with(stale_seconds=HOUR)
    incident_id = opened(store)
    wait(50 * MINUTE)
    assert store.end_stale_alerts(10) == 0
    wait(20 * MINUTE)

    assert store.end_stale_alerts(10) == 1

    (kept,) = store.page_alerts(incident_id)
    assert (kept.alert.ends_at, kept.end_reason) == (kept.last_seen_at, "expired")
    assert store.get_incident(incident_id).resolved_at == kept.last_seen_at
    assert timeline(store, incident_id) == [("resolved", {"reason": "expired"})]
    assert store.end_stale_alerts(10) == 0


def test_each_delivery_keeps_an_alert_alive(store_with, wait):
    """Its time begins anew; that of its mates does not."""
    store = store_with(stale_seconds=HOUR)
    incident_id = opened(store, alert(), alert(pod="b"))
    wait(50 * MINUTE)
    opened(store)
    wait(20 * MINUTE)

    assert store.end_stale_alerts(10) == 1

    assert store.get_incident(incident_id).resolved_at is None
    assert timeline(store, incident_id) == []


def test_an_alert_that_says_when_it_expires_is_over_then(store, wait):
    """`/api/v2/alerts` has no other way to say that it ended."""
    until = datetime.now(UTC) + timedelta(minutes=5)
    incident_id = opened(store, replace(alert(), expires_at=until), alert(pod="b"))
    assert store.end_stale_alerts(10) == 0
    wait(6 * MINUTE)
    announced = until - timedelta(minutes=6)  # for which the clocks were moved

    assert store.end_stale_alerts(10) == 1

    (ended,) = (kept for kept in store.page_alerts(incident_id) if kept.alert.ends_at)
    assert (ended.alert.ends_at, ended.end_reason) == (announced, "announced")


def test_stale_alerts_end_in_batches(store, wait):
    """The longest overdue first; alerts that belong to no incident too."""
    store.create_incident(group(alert("Watchdog")))
    wait(HOUR)
    opened(store, alert("A"), alert("B"))
    wait(25 * HOUR)

    assert [store.end_stale_alerts(2) for _ in range(3)] == [2, 1, 0]


def test_the_true_end_takes_the_place_of_a_guess(store_with, wait):
    """Which lies before or after what we took for it."""
    store = store_with(stale_seconds=HOUR)
    incident_id = opened(store)
    wait(2 * HOUR)
    store.end_stale_alerts(10)

    opened(store, alert(resolved_after=60))

    assert rows(store, incident_id) == ["0-60 sender"]
    assert store.get_incident(incident_id).resolved_at == at(60)


def test_an_alert_that_had_expired_may_come_back(store_with, wait):
    """It fires under the same row, and nothing is late about it."""
    store = store_with(stale_seconds=HOUR)
    incident_id = opened(store)
    wait(2 * HOUR)
    store.end_stale_alerts(10)

    assert opened(store) == incident_id

    assert rows(store, incident_id) == ["0 firing"]
    assert store.get_incident(incident_id).resolved_at is None


def test_an_alert_that_is_sent_again_while_it_expires_fires_on(store_with, emptied, wait):
    """The delivery waits for the expiry, and then opens the incident again."""
    store = store_with(stale_seconds=HOUR)
    incident_id = opened(store, alert(), alert(pod="b"))
    wait(2 * HOUR)
    bound = emptied.execution_options(sqlite_begin="IMMEDIATE")

    with ThreadPoolExecutor(1) as pool:
        with bound.begin() as connection:
            assert expiry.end_stale(connection, 10, Rules()) == 2
            waiting = pool.submit(store.create_incident, group())
            sleep(0.2)
            assert not waiting.done()
        assert waiting.result().accepted == 1

    assert store.get_incident(incident_id).resolved_at is None
    assert [kind for kind, _ in timeline(store, incident_id)] == ["resolved", "reopened"]


def test_an_alert_that_expires_while_it_is_sent_again_fires_on(store_with, emptied, wait):
    """The expiry waits for the delivery, and finds that it is not overdue any more."""
    store = store_with(stale_seconds=HOUR)
    incident_id = opened(store, alert(), alert(pod="b"))
    wait(2 * HOUR)
    bound = emptied.execution_options(sqlite_begin="IMMEDIATE")

    with ThreadPoolExecutor(1) as pool:
        with bound.begin() as connection:
            ingest.record(connection, [group()], Rules())
            waiting = pool.submit(store.end_stale_alerts, 10)
            sleep(0.2)
            assert not waiting.done()
        assert waiting.result() == 1

    assert rows(store, incident_id)[0] == "0 firing"
    assert store.get_incident(incident_id).resolved_at is None
