"""What happened to an incident, told in the transaction in which it happens, and read in order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Table, case, insert, select

from store.columns import database_now
from store.tables import incident_events, incident_events_archive

_TABLES = (incident_events, incident_events_archive)
_INSERT = {table: insert(table).values(at=database_now()) for table in _TABLES}
_SUPERSEDED = "restarted"
_OF_SUPERSEDED = ("stage", "revision", "root_cause", "confidence_score")
"""What is read of the answer that a revision replaced; its documents may be large."""

EventPosition = tuple[datetime, int]
"""Where a page of events ends: the time of its last one, and how many of that time were shown.

Not its id: that is another one in the archive.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened to an incident."""

    event_id: int
    at: datetime
    kind: str
    data: Mapping[str, Any]


def tell(
    connection: Connection,
    incident_id: UUID,
    kind: str,
    data: Mapping[str, Any],
    *,
    archived: bool = False,
) -> None:
    """Add an event to an incident's timeline."""
    statement = _INSERT[incident_events_archive if archived else incident_events]
    connection.execute(statement, {"incident_id": incident_id, "kind": kind, "data": data})


def tell_each(
    connection: Connection, kind: str, told: Iterable[tuple[UUID, Mapping[str, Any]]]
) -> None:
    """Add an event of one kind to each of several timelines, in one statement."""
    rows = [{"incident_id": incident_id, "kind": kind, "data": data} for incident_id, data in told]
    if rows:
        connection.execute(_INSERT[incident_events], rows)


def page(
    connection: Connection, incident_id: UUID, limit: int, after: EventPosition | None
) -> list[Event]:
    """Return up to `limit` events of an incident, oldest first, behind the position `after`."""
    at, number = after or (None, 0)
    for table in _TABLES:
        query = (
            select(*_columns(table))
            .where(table.c.incident_id == incident_id)
            .order_by(table.c.at, table.c.event_id)
            .limit(limit + number)
        )
        if at is not None:
            query = query.where(table.c.at >= at)
        if found := connection.execute(query).all():
            return [_event(row) for row in found[number:]]
    return []


def position(events: Sequence[Event], after: EventPosition | None) -> EventPosition:
    """Return where the page of these events ends, which came behind `after`."""
    at = events[-1].at
    before = after[1] if after and after[0] == at else 0
    return at, before + sum(event.at == at for event in events)


def _columns(table: Table) -> list[Any]:
    is_superseded = table.c.kind == _SUPERSEDED
    return [
        table.c.event_id,
        table.c.at,
        table.c.kind,
        case((is_superseded, None), else_=table.c.data).label("data"),
        *(
            case((is_superseded, table.c.data[name]), else_=None).label(name)
            for name in _OF_SUPERSEDED
        ),
    ]


def _event(row: Row[*tuple[Any, ...]]) -> Event:
    values = row._asdict()
    told = {name: value for name in _OF_SUPERSEDED if (value := values.pop(name)) is not None}
    return Event(**{**values, "data": told if row.kind == _SUPERSEDED else row.data})
