"""History moves to the archive while alerts arrive, and nothing is lost or doubled on the way."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from factories import alert, group
from past import LONG_AGO, alone, over
from sqlalchemy import func, insert, select, update
from steps import beside, completed

from opssage.settings import DatabaseSettings
from store import IncidentFilter, Store, archive, connect, tables
from store.columns import database_now

DAY = 86_400
DIES_IN_A_BATCH = """
import os, signal, sys
from pathlib import Path
from opssage.settings import DatabaseSettings
from store import archive, engine
bound = engine.create(DatabaseSettings(url=sys.argv[1]), Path())
bound = bound.execution_options(**{engine.BEGIN_OPTION: "IMMEDIATE"})
with bound.begin() as connection:
    archive.move(connection, 1, 2)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def count(database: DatabaseSettings, *names: str) -> dict[str, int]:
    """Return how many rows each table has."""
    with beside(database) as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(tables.metadata.tables[name]))
            for name in names
        }


def archive_all(store: Store, limit: int = 500) -> int:
    """Archive as the command does."""
    moved = 0
    while batch := store.archive_incidents(DAY, limit):
        moved += batch
    return moved


def test_what_is_over_moves_with_all_its_rows(store, database):
    """Documents, alerts and timeline are the same afterwards; only the version tells."""
    incident_id = over(store)
    before, alerts = store.get_incident(incident_id), store.list_alerts(incident_id)
    live = count(database, "alerts", "incident_events")

    assert (store.count_archivable(DAY), archive_all(store)) == (1, 1)

    after = store.get_incident(incident_id)
    assert count(database, "incidents", "alerts", "incident_events", "effects") == {
        "incidents": 0,
        "alerts": 0,
        "incident_events": 0,
        "effects": 0,
    }
    assert list(count(database, "alerts_archive", "incident_events_archive").values()) == list(
        live.values()
    )
    assert after.diagnostic_report == before.diagnostic_report
    assert after.archived_at is not None
    assert store.get_version(incident_id) == after.version == before.version + 1
    assert store.list_alerts(incident_id) == alerts


def test_only_what_is_over_moves(store, database):
    """Not what fires, runs, is young, is due again, or has somebody left to tell."""
    firing = alone(store, "Firing", starts_at=LONG_AGO)
    completed(store, firing)
    alone(store, "Running", starts_at=LONG_AGO)
    store.create_incident(
        group(alert("Running", starts_at=LONG_AGO, resolved_after=60), key="Running")
    )
    young, again, untold, done = (over(store, name) for name in ("Young", "Again", "Told", "Done"))
    with beside(database) as connection:
        incidents, effects = tables.incidents, tables.effects
        for incident_id, changed in (
            (young, {"resolved_at": database_now(-60)}),
            (again, {"next_attempt_at": database_now(300)}),
        ):
            mine = incidents.c.incident_id == incident_id
            connection.execute(update(incidents).where(mine).values(changed))
        told = {"incident_id": untold, "revision": 1, "event": "completed", "target": "chat"}
        now = database_now()
        connection.execute(insert(effects).values(created_at=now, next_attempt_at=now, **told))

    assert archive_all(store) == 1

    assert [each.incident_id for each in store.list_incidents(archived=True)] == [done]
    assert len(store.list_incidents()) == 5


def test_the_oldest_move_first(store):
    """A batch takes those that resolved first."""
    young = over(store, "B", starts_at=LONG_AGO.replace(year=2021))
    old = over(store, "A")

    store.archive_incidents(DAY, 1)

    assert [each.incident_id for each in store.list_incidents(archived=True)] == [old]
    assert [each.incident_id for each in store.list_incidents()] == [young]


def test_a_batch_that_dies_has_moved_nothing(store, database):
    """What a killed run leaves, the next one moves, once."""
    made = {over(store, f"A{number}") for number in range(3)}

    died = subprocess.run([sys.executable, "-c", DIES_IN_A_BATCH, database.url], check=False)

    assert died.returncode == -9
    assert (len(store.list_incidents()), store.list_incidents(archived=True)) == (3, [])
    assert archive_all(store, limit=2) == 3
    assert {each.incident_id for each in store.list_incidents(archived=True)} == made
    assert count(database, "alerts_archive", "incidents") == {"alerts_archive": 3, "incidents": 0}


def test_archiving_beside_ingest_loses_nothing(database):
    """Two archive runs, and alerts that arrive meanwhile: every incident is there once."""
    stores = [connect(database, Path()) for _ in range(3)]
    past = {over(stores[0], f"Old{number}") for number in range(20)}

    with ThreadPoolExecutor(3) as pool:
        moving = [pool.submit(archive_all, store, 3) for store in stores[:2]]
        arriving = pool.submit(lambda: {alone(stores[2], f"New{n}") for n in range(30)})
        moved = [each.result() for each in moving]

    assert sum(moved) == 20
    kept = stores[0].list_incidents(limit=100, archived=True)
    assert {each.incident_id for each in kept} == past
    live = stores[0].list_incidents(limit=100)
    assert {each.incident_id for each in live} == arriving.result()
    for store in stores:
        store.close()


@pytest.fixture
def postgres(new_postgres_url):
    """Settings of an empty PostgreSQL database: it knows locks of single rows."""
    return DatabaseSettings(url=new_postgres_url)


@pytest.fixture
def on_postgres(postgres):
    """A store on it."""
    opened_store = connect(postgres, Path())
    yield opened_store
    opened_store.close()


def test_ingest_does_not_wait_for_a_batch(on_postgres, postgres):
    """New alerts are committed while a batch is on its way."""
    over(on_postgres, "Old")

    with beside(postgres) as connection:
        assert archive.move(connection, DAY, 10) == 1
        incident_id = alone(on_postgres, "New")

    assert on_postgres.get_incident(incident_id) is not None


def test_an_incident_somebody_holds_is_left_for_the_next_run(on_postgres, postgres):
    """Archiving does not wait for ingest either."""
    held, free = over(on_postgres, "Held"), over(on_postgres, "Free")
    mine = tables.incidents.c.incident_id == held

    with beside(postgres) as connection:
        connection.execute(select(tables.incidents.c.status).where(mine).with_for_update())
        assert archive_all(on_postgres) == 1

    assert on_postgres.get_incident(free).archived_at is not None
    assert archive_all(on_postgres) == 1


def test_the_archive_is_listed_by_the_same_filters_and_pages(store):
    """Newest first, without gap or repeat."""
    made = [over(store, f"A{number}", severity="critical") for number in range(5)]
    over(store, "Other")
    alone(store, "Live", severity="critical")
    archive_all(store)
    chosen = IncidentFilter(severity=["critical"], status=["completed"])

    seen, after = [], None
    while page := store.list_incidents(chosen, limit=2, after=after, archived=True):
        seen += [each.incident_id for each in page]
        after = (page[-1].created_at, page[-1].incident_id)

    assert seen == made[::-1]


def test_an_archived_incident_can_be_deleted(store, database):
    """With its alerts and its timeline."""
    incident_id = over(store)
    archive_all(store)

    assert store.delete_incident(incident_id) is True

    assert store.get_incident(incident_id) is None
    assert store.delete_incident(incident_id) is False
    assert set(count(database, "alerts_archive", "incident_events_archive").values()) == {0}


def test_an_archived_incident_is_not_run_anew(store):
    """Its investigation is over for good."""
    incident_id = over(store)
    archive_all(store)

    assert store.restart_incident(incident_id) is None
    assert store.restart_incident(uuid4()) is None


def test_a_resolved_alert_sent_again_is_counted_in_the_archive(store, database):
    """Its sender repeats what is over: nothing opens, and no second row is made."""
    over(store)
    archive_all(store)

    again = alert(starts_at=LONG_AGO, resolved_after=60)
    receipt = store.create_incident(group(again, alert("New"), key="HighErrorRate"))

    assert (receipt.accepted, receipt.duplicates, len(receipt.incidents)) == (1, 1, 1)
    with beside(database) as connection:
        archived = tables.alerts_archive
        assert connection.scalars(select(archived.c.deliveries)).all() == [3]
    assert count(database, "alerts") == {"alerts": 1}


def test_an_alert_of_another_sender_is_another_alert(store, database):
    """The archive knows alerts by sender, fingerprint and start, as the live table does."""
    over(store)
    archive_all(store)

    ended = alert(starts_at=LONG_AGO, resolved_after=60)
    receipt = store.create_incident(group(ended, sender="other"))

    assert receipt.accepted == 1
    assert count(database, "alerts") == {"alerts": 1}


def test_an_archived_alert_that_fires_is_never_lost(store, database):
    """What fires wants a diagnosis of today, so it opens an incident, and is archived with it."""
    first = over(store)
    archive_all(store)

    second = over(store)

    assert second != first
    assert archive_all(store) == 1
    assert {each.incident_id for each in store.list_incidents(archived=True)} == {first, second}
    assert len(store.list_alerts(second)) == 1
    with beside(database) as connection:
        archived = tables.alerts_archive
        assert connection.scalars(select(archived.c.deliveries)).all() == [4]


def test_prune_deletes_what_was_archived_long_ago(store, database):
    """By its age; what is live stays whatever its age."""
    old = over(store, "Old")
    young = over(store, "Young")
    archive_all(store)
    live = over(store, "Live")
    kept = tables.incidents_archive
    with beside(database) as connection:
        aged = update(kept).where(kept.c.incident_id == old)
        connection.execute(aged.values(created_at=LONG_AGO))

    assert (store.count_prunable(DAY), store.prune_archive(DAY, 10)) == (1, 1)

    assert store.prune_archive(DAY, 10) == 0
    assert store.get_incident(old) is None
    assert {store.get_incident(each).incident_id for each in (young, live)} == {young, live}
    assert count(database, "alerts_archive") == {"alerts_archive": 1}
