"""History out of the way: what is over moves to the archive, in batches; prune ends it there.

An incident is over when it is terminal and resolved, no revision of it is due and nobody is left to
be told. It moves with its alerts and its timeline; whom it was told to is forgotten.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Float,
    Integer,
    Select,
    Table,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from store import feedback, links, precedents, words
from store.columns import database_now
from store.tables import (
    RUNNING,
    alerts,
    alerts_archive,
    effects,
    incident_events,
    incident_events_archive,
    incidents,
    incidents_archive,
)

AlertKey = tuple[str, datetime]
"""Fingerprint and start: with the sender, the identity of an alert."""

# asked for once, so that an index can be searched for it: PostgreSQL's clock may tick in between
_before = select(database_now(-bindparam("age_seconds", type_=Float))).scalar_subquery()
_of_batch: BindParameter[UUID] = bindparam("batch", expanding=True)
_is_over: tuple[ColumnElement[bool], ...] = (
    incidents.c.resolved_at < _before,
    incidents.c.status.not_in(RUNNING),
    incidents.c.next_attempt_at.is_(None),
    ~exists().where(
        effects.c.incident_id == incidents.c.incident_id, effects.c.next_attempt_at.is_not(None)
    ),
)
_is_forgettable: tuple[ColumnElement[bool], ...] = (
    incidents_archive.c.created_at < _before,
    incidents_archive.c.resolved_at < _before,
)


def _oldest(table: Table, column: str, conditions: tuple[ColumnElement[bool], ...]) -> Select[Any]:
    """Return the search for a batch; what somebody else holds is left for another time."""
    return (
        select(table.c.incident_id)
        .where(*conditions)
        .order_by(table.c[column])
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
    )


_FIND_OVER = _oldest(incidents, "resolved_at", _is_over)
_FIND_FORGETTABLE = _oldest(incidents_archive, "created_at", _is_forgettable)
_COUNT_OVER = select(func.count()).select_from(incidents).where(*_is_over)
_COUNT_FORGETTABLE = select(func.count()).select_from(incidents_archive).where(*_is_forgettable)


def count_over(connection: Connection, age_seconds: float) -> int:
    """Return how many incidents `move` would move, batch by batch."""
    return connection.scalar(_COUNT_OVER, {"age_seconds": age_seconds}) or 0


def count_forgettable(connection: Connection, age_seconds: float) -> int:
    """Return how many incidents `forget` would delete, batch by batch."""
    return connection.scalar(_COUNT_FORGETTABLE, {"age_seconds": age_seconds}) or 0


def move(connection: Connection, age_seconds: float, limit: int) -> int:
    """Move up to `limit` incidents that have been over for so long, the oldest first.

    Returns how many; 0 when none is left that nobody else is busy with.
    """
    batch = _batch(connection, _FIND_OVER, age_seconds, limit)
    if batch:
        for statement in (_COPY_INCIDENTS, _COPY_ALERTS[connection.dialect.name], _COPY_EVENTS):
            connection.execute(statement, {"batch": batch})
        connection.execute(_DELETE_MOVED, {"batch": batch})
    return len(batch)


def forget(connection: Connection, age_seconds: float, limit: int) -> int:
    """Delete up to `limit` archived incidents that opened and ended so long ago; returns how many.

    Their alerts and timelines go with them, and what was said of them.
    """
    batch = _batch(connection, _FIND_FORGETTABLE, age_seconds, limit)
    if batch:
        connection.execute(_DELETE_FORGOTTEN, {"batch": batch})
        for kept_beside in (words, feedback, links, precedents):
            kept_beside.forget(connection, batch)
    return len(batch)


def count_forgettable_strays(connection: Connection, age_seconds: float) -> int:
    """Return how many alerts `forget_strays` would delete, batch by batch."""
    return connection.scalar(_COUNT_STRAYS, {"age_seconds": age_seconds}) or 0


def forget_strays(connection: Connection, age_seconds: float, limit: int) -> int:
    """Delete up to `limit` alerts without an incident that were last sent so long ago."""
    return connection.execute(_DELETE_STRAYS, {"age_seconds": age_seconds, "most": limit}).rowcount


_is_stray = (alerts.c.incident_id.is_(None), alerts.c.last_seen_at < _before)
_COUNT_STRAYS = select(func.count()).select_from(alerts).where(*_is_stray)
_stray_key = (alerts.c.fingerprint, alerts.c.starts_at, alerts.c.sender)
_DELETE_STRAYS = delete(alerts).where(
    tuple_(*_stray_key).in_(
        select(*_stray_key)
        .where(*_is_stray)
        .order_by(alerts.c.first_seen_at)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
    )
)


def _batch(
    connection: Connection, statement: Select[Any], age_seconds: float, limit: int
) -> list[UUID]:
    return list(connection.scalars(statement, {"age_seconds": age_seconds, "most": limit}))


def _copied(table: Table, names: list[str], **changed: ColumnElement[Any]) -> Select[Any]:
    columns = [changed[name] if name in changed else table.c[name] for name in names]
    return select(*columns).where(table.c.incident_id.in_(_of_batch))


_incident_names = [column.name for column in incidents_archive.columns]
_COPY_INCIDENTS = insert(incidents_archive).from_select(
    _incident_names,
    # readers see that it is archived, so it is another version
    _copied(
        incidents, _incident_names, archived_at=database_now(), version=incidents.c.version + 1
    ),
)

_event_names = [each.name for each in incident_events_archive.columns if not each.primary_key]
# numbered anew in their order: SQLite gives the numbers of deleted rows away again
_COPY_EVENTS = insert(incident_events_archive).from_select(
    _event_names, _copied(incident_events, _event_names).order_by(incident_events.c.event_id)
)

_alert_key = [column.name for column in alerts_archive.primary_key]
_alert_names = [column.name for column in alerts_archive.columns]


def _copy_alerts(insert_into: Any) -> Any:
    """Return the copy; an alert that fired anew after it was archived goes to its last incident."""
    statement = insert_into(alerts_archive).from_select(_alert_names, _copied(alerts, _alert_names))
    kept = {*_alert_key, "first_seen_at"}
    return statement.on_conflict_do_update(
        index_elements=_alert_key,
        set_={
            **{name: statement.excluded[name] for name in _alert_names if name not in kept},
            "deliveries": alerts_archive.c.deliveries + statement.excluded.deliveries,
        },
    )


# both databases spell ON CONFLICT alike, but the two inserts have no common type
_COPY_ALERTS = {
    "postgresql": _copy_alerts(postgresql.insert),
    "sqlite": _copy_alerts(sqlite.insert),
}
_DELETE_MOVED = delete(incidents).where(incidents.c.incident_id.in_(_of_batch))
_DELETE_FORGOTTEN = delete(incidents_archive).where(incidents_archive.c.incident_id.in_(_of_batch))


def deliver(connection: Connection, sender: str, keys: Collection[AlertKey]) -> set[AlertKey]:
    """Count another delivery of those of these alerts that are archived; returns which they are."""
    counted = connection.execute(_DELIVER, {"from_sender": sender, "keys": sorted(keys)})
    return {(row.fingerprint, row.starts_at) for row in counted}


_key = (alerts_archive.c.fingerprint, alerts_archive.c.starts_at)
_DELIVER = (
    update(alerts_archive)
    .where(
        alerts_archive.c.sender == bindparam("from_sender"),
        tuple_(*_key).in_(bindparam("keys", expanding=True)),
    )
    .values(deliveries=alerts_archive.c.deliveries + 1, last_seen_at=database_now())
    .returning(*_key)
)
