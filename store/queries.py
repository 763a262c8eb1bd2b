"""One incident by its id, what it is like, and its end."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Integer, Row, Select, bindparam, delete, select

from opssage.diagnosis import Verdict
from opssage.incident import Alert, Incident, Status
from opssage.knowledge import PastIncident
from store import feedback, revisions, rows, words
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


def past(
    connection: Connection,
    *,
    than: UUID,
    alert_name: str,
    service: str | None,
    limit: int,
) -> list[PastIncident]:
    """Return the faults among the newest completed incidents with this alert or of this service."""
    found: dict[UUID, PastIncident] = {}
    for column, value in (("alert_name", alert_name), ("service", service)):
        if value:
            told = {"value": value, "than": than, "most": limit}
            for row in connection.execute(_PAST[column], told):
                found.setdefault(row.incident_id, _past(row))
    return sorted(found.values(), key=lambda item: (item.created_at, item.incident_id))[-limit:]


def _past_by(column: str) -> Select[Any]:
    """Return the search by one column; how much it reads does not grow with the history."""
    newest = (
        select(
            incidents.c.incident_id,
            incidents.c.alert_name,
            incidents.c.service,
            incidents.c.namespace,
            incidents.c.created_at,
            incidents.c.root_cause,
            incidents.c.confidence_score,
            incidents.c.diagnostic_report,
        )
        .where(
            incidents.c[column] == bindparam("value"),
            incidents.c.status == Status.COMPLETED.value,
            incidents.c.incident_id != bindparam("than"),
        )
        .order_by(incidents.c.created_at.desc(), incidents.c.incident_id.desc())
        .limit(bindparam("most", type_=Integer))
        .subquery()
    )
    report = newest.c.diagnostic_report
    actions = report["recommended_remediation", "short_term_actions"]
    # only these parts of a report leave the database: a report may be large
    return select(
        *(column for column in newest.c if column is not report),
        report["category"].label("category"),
        actions.label("actions"),
    ).where(report["verdict"].as_string() == Verdict.FAULT.value)


_PAST = {column: _past_by(column) for column in ("alert_name", "service")}


def _past(row: Row[*tuple[Any, ...]]) -> PastIncident:
    return PastIncident(
        incident_id=str(row.incident_id),
        alert_name=row.alert_name,
        service=row.service,
        namespace=row.namespace,
        created_at=row.created_at,
        root_cause=row.root_cause,
        category=row.category or "",
        confidence_score=row.confidence_score or 0.0,
        actions=tuple(action["action"] for action in row.actions or ()),
    )


def remove(connection: Connection, incident_id: UUID) -> bool:
    """Delete an incident and all its rows; False when there was none."""
    is_removed = any(
        connection.execute(statement, {"wanted": incident_id}).rowcount for statement in _DELETE
    )
    if is_removed:
        # after the incident, as everybody locks: whoever holds it may be writing these
        for kept_beside in (words, feedback):
            kept_beside.forget(connection, [incident_id])
    return is_removed
