"""What an incident goes through, one call a step."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from factories import NOON, REPORT, group
from sqlalchemy import Connection, Engine, Table, case, delete, event, select, update

from opssage.incident import Stage
from opssage.settings import DatabaseSettings
from store import Claim, Store, engine, tables
from store.columns import database_now

LEASE = {"owner": "w1", "task_id": "t1", "lease_seconds": 20, "max_attempts": 5}


def opened(store: Store, *alerts, **envelope) -> UUID:
    """Store a group and return the one incident it belongs to."""
    (touched,) = store.create_incident(group(*alerts, **envelope)).incidents
    return touched.incident_id


def rows(store: Store, incident_id: UUID) -> list[str]:
    """Return the alerts of an incident in seconds from noon: `0 firing`, `0-60 sender`."""
    return sorted(
        f"{_second(kept.alert.starts_at)}-{_second(kept.alert.ends_at)} {kept.end_reason}"
        if kept.end_reason
        else f"{_second(kept.alert.starts_at)} {kept.alert.status}"
        for kept in store.page_alerts(incident_id)
    )


def _second(time: datetime | None) -> int | None:
    return time and round((time - NOON).total_seconds())


_WORK = {"restarted", *(stage.reaches for stage in Stage)}


def timeline(store: Store, incident_id: UUID) -> list[tuple[str, Mapping[str, Any]]]:
    """Return what an incident's timeline tells, without the work on it."""
    events = store.list_events(incident_id, limit=200)
    return [(event.kind, event.data) for event in events if event.kind not in _WORK]


def claimed(
    store: Store, incident_id: UUID, stage: Stage = Stage.COLLECT, **options
) -> Claim | None:
    """Claim a stage as some worker would."""
    return store.claim(incident_id, stage, **{**LEASE, **options})


@contextmanager
def beside(database: DatabaseSettings) -> Iterator[Connection]:
    """Open a transaction of the test's own."""
    bound = engine.create(database, Path())
    with bound.begin() as connection:
        yield connection
    bound.dispose()


def age(
    database: DatabaseSettings, incident_id: UUID, *, enqueued_ago: float, enqueue_count: int
) -> None:
    """Make the incident's last message older than it is."""
    enqueued_at = database_now(-enqueued_ago)
    _set(database, incident_id, enqueued_at=enqueued_at, enqueue_count=enqueue_count)


def hasten(database: DatabaseSettings, incident_id: UUID, *, by: float = 1) -> None:
    """Let what the incident waits for have come to pass some seconds ago."""
    due = case((tables.incidents.c.next_attempt_at.is_not(None), database_now(-by)))
    _set(database, incident_id, next_attempt_at=due)


def age_by(database: DatabaseSettings, incident_id: UUID, seconds: float) -> None:
    """Let the incident have been opened earlier."""
    _set(database, incident_id, created_at=database_now(-seconds))


def _set(database: DatabaseSettings, incident_id: UUID, **values: Any) -> None:
    mine = tables.incidents.c.incident_id == incident_id
    with beside(database) as connection:
        connection.execute(update(tables.incidents).where(mine).values(values))


_DATED = {
    tables.incidents: ("created_at", "closed_at", "next_attempt_at", "lease_until"),
    tables.alerts: ("first_seen_at", "last_seen_at", "stale_at", "closed_at"),
}


def let_pass(
    connection: Connection, seconds: float, dated: Mapping[Table, Sequence[str]] = _DATED
) -> None:
    """Let time pass: what the database's clock has dated, by table and column, is older then."""
    for table, names in dated.items():
        key = tuple(table.primary_key)
        for row in connection.execute(select(*key, *(table.c[name] for name in names))).all():
            moved = {
                name: getattr(row, name) and getattr(row, name) - timedelta(seconds=seconds)
                for name in names
            }
            mine = (column == getattr(row, column.name) for column in key)
            connection.execute(update(table).where(*mine).values(moved))


def empty(connection: Connection) -> None:
    """Delete everything but the broker's marker, of which there is always one."""
    for table in reversed(tables.metadata.sorted_tables):
        if table is not tables.broker_epoch:
            connection.execute(delete(table))


_HASTE = {"sqlite": "PRAGMA synchronous=OFF", "postgresql": "SET synchronous_commit=off"}


def without_disk(bound: Engine) -> None:
    """Have an engine wait for no disk: no machine is switched off in these tests."""

    @event.listens_for(bound, "connect")
    def hurry(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(_HASTE[bound.dialect.name])
        cursor.close()


def waits(database: DatabaseSettings, incident_id: UUID) -> float:
    """Return how many seconds after its last change the incident is due."""
    columns = tables.incidents.c
    with beside(database) as connection:
        row = connection.execute(
            select(columns.next_attempt_at, columns.updated_at).where(
                columns.incident_id == incident_id
            )
        ).one()
    return (row.next_attempt_at - row.updated_at).total_seconds()


def completed(
    store: Store, incident_id: UUID, alert_seq: int = 1, report: Mapping[str, Any] = REPORT
) -> None:
    """Run all three stages."""
    for stage, verb, document in (
        (Stage.COLLECT, store.update_primary_context, {"alert_seq": alert_seq}),
        (Stage.ENRICH, store.update_enhanced_context, {}),
        (Stage.DIAGNOSE, store.update_diagnostic_report, report),
    ):
        verb(incident_id, claimed(store, incident_id, stage).epoch, document)
