"""One incident by its id, what it is like, and its end."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Integer, Row, Select, bindparam, delete, select

from opssage.incident import Alert, Incident
from store import feedback, links, precedents, revisions, rows, words
from store.listing import shown
from store.tables import alerts, alerts_archive, incidents, incidents_archive


def get(connection: Connection, incident_id: UUID) -> Incident | None:
    """Return the incident with its documents; while a revision runs, with the answer before."""
    row = _first(connection, _WHOLE, incident_id)
    if row is None:
        return None
    found = rows.incident(row)
    if found.revision == 1 or found.status.is_terminal:
        return found
    return replace(found, previous=revisions.previous(connection, incident_id))


def get_version(connection: Connection, incident_id: UUID) -> int | None:
    """Return only the version, to answer a poll before any document is read."""
    row = _first(connection, _VERSION, incident_id)
    return row.version if row else None


def _first(
    connection: Connection, statements: Sequence[Select[Any]], incident_id: UUID
) -> Row[Any] | None:
    """Return the first row that any of the statements finds; the archive is asked last.

    Incidents move there and never back, so none slips through between the two.
    """
    for statement in statements:
        if row := connection.execute(statement, {"wanted": incident_id}).first():
            return row
    return None


_TABLES = (incidents, incidents_archive)
_WHOLE, _VERSION = (
    [
        select(*shown(table, columns)).where(table.c.incident_id == bindparam("wanted"))
        for table in _TABLES
    ]
    for columns in (rows.WHOLE, [incidents.c.version])
)
_DELETE = [delete(table).where(table.c.incident_id == bindparam("wanted")) for table in _TABLES]


def alerts_of(connection: Connection, incident_id: UUID) -> tuple[Alert, ...]:
    """Return all alerts of an incident, in an order that stays."""
    for statement in _ALERTS_OF:
        if found := connection.execute(statement, {"wanted": incident_id}).all():
            return tuple(map(rows.alert, found))
    return ()


_ALERTS_OF = [
    select(table)
    .where(table.c.incident_id == bindparam("wanted"))
    .order_by(table.c.fingerprint, table.c.starts_at)
    for table in (alerts, alerts_archive)
]


def topologies(connection: Connection, limit: int) -> list[Mapping[str, Sequence[str]]]:
    """Return the topologies of those of the newest incidents that enrich has run for."""
    found = connection.scalars(_TOPOLOGIES, {"most": limit})
    return [topology for topology in found if topology]


_NEWEST = (
    select(incidents.c.created_at, incidents.c.incident_id, incidents.c.enhanced_context)
    .order_by(incidents.c.created_at.desc(), incidents.c.incident_id.desc())
    .limit(bindparam("most", type_=Integer))
    .subquery()
)
_TOPOLOGIES = select(_NEWEST.c.enhanced_context["topology"]).order_by(
    _NEWEST.c.created_at.desc(), _NEWEST.c.incident_id.desc()
)


def remove(connection: Connection, incident_id: UUID) -> bool:
    """Delete an incident and all its rows; False when there was none."""
    is_removed = any(
        connection.execute(statement, {"wanted": incident_id}).rowcount for statement in _DELETE
    )
    if is_removed:
        # after the incident, as everybody locks: whoever holds it may be writing these
        for kept_beside in (words, feedback, links, precedents):
            kept_beside.forget(connection, [incident_id])
    return is_removed
