"""Many workers, duplicates, deaths and zombies: nothing is lost and nothing happens twice."""

import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from factories import alert, group
from sqlalchemy import select

from opssage.incident import Status
from store import Store, connect, engine, tables

RACE = Path(__file__).with_name("race.py")
INCIDENTS = 40


def test_a_race_loses_nothing_and_doubles_nothing(database):
    """Processes race for stages; each incident ends with each stage committed exactly once."""
    store = connect(database, Path())
    for number in range(INCIDENTS):
        store.create_incident(group(alert(f"A{number}"), key=str(number)))

    racers = [
        subprocess.Popen([sys.executable, RACE, database.url, f"racer-{n}"]) for n in range(4)
    ]

    assert [racer.wait() for racer in racers] == [0] * 4
    incidents = store.list_incidents(limit=200)
    assert Counter(incident.status for incident in incidents) == {Status.COMPLETED: INCIDENTS}
    assert set(_commits(database).values()) == {1}
    assert len(_commits(database)) == INCIDENTS * 3
    store.close()


def _commits(database) -> Counter[tuple[object, str]]:
    bound = engine.create(database, Path())
    events = tables.incident_events
    with bound.connect() as connection:
        rows = connection.execute(select(events.c.incident_id, events.c.kind)).all()
    bound.dispose()
    return Counter((row.incident_id, row.kind) for row in rows)


@pytest.mark.parametrize("copies", [8])
def test_the_same_webhook_from_many_senders_opens_one_incident(database, copies):
    """Alertmanagers in a cluster send the same group at the same time."""
    stores = [connect(database, Path()) for _ in range(copies)]
    same = group(*(alert(pod=str(n)) for n in range(20)))

    with ThreadPoolExecutor(copies) as pool:
        receipts = list(pool.map(lambda store: Store.create_incident(store, same), stores))

    assert len({touched.incident_id for r in receipts for touched in r.incidents}) == 1
    assert sum(receipt.accepted for receipt in receipts) == 20
    for store in stores:
        store.close()


def test_overlapping_webhooks_do_not_deadlock(database):
    """Groups that share alerts, sent in opposite order, both pass."""
    stores = [connect(database, Path()) for _ in range(6)]
    alerts = [alert(pod=str(n)) for n in range(10)]

    def send(number: int) -> int:
        order = alerts if number % 2 else alerts[::-1]
        return stores[number].create_incident(group(*order, key=str(number))).accepted

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(send, range(6))) == 10
    for store in stores:
        store.close()
