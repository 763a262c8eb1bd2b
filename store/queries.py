"""Reading incidents: one by its id, and pages of them, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Table,
    bindparam,
    delete,
    select,
    tuple_,
)

from opssage.diagnosis import Verdict
from opssage.incident import Alert, Incident, Status
from opssage.knowledge import PastIncident
from store import revisions, rows
from store.tables import alerts, alerts_archive, incidents, incidents_archive


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentFilter:
    """Which incidents to list. Several values of one field mean any of them."""

    status: Sequence[str] = ()
    severity: Sequence[str] = ()
    namespace: Sequence[str] = ()
    service: Sequence[str] = ()
    alert_name: Sequence[str] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None


Position = tuple[datetime, UUID]
"""Where a page ends: creation time and id of its last incident."""


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


def _shown(table: Table, columns: Sequence[Column[Any]]) -> list[Column[Any]]:
    """Return these columns of `incidents` as `table` has them, and when they were archived."""
    names = [column.name for column in columns]
    return [table.c[name] for name in (*names, "archived_at") if name in table.c]


_TABLES = (incidents, incidents_archive)
_WHOLE, _VERSION = (
    [
        select(*_shown(table, columns)).where(table.c.incident_id == bindparam("wanted"))
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


def page(
    connection: Connection,
    chosen: IncidentFilter,
    limit: int,
    after: Position | None,
    *,
    archived: bool,
) -> list[Incident]:
    """Return up to `limit` incidents without documents, newest first, behind `after`."""
    # a field left empty asks for nothing
    told = {field.name: value for field in fields(chosen) if (value := getattr(chosen, field.name))}
    told |= {"after_at": after[0], "after_id": after[1]} if after else {}
    statement = _page(incidents_archive if archived else incidents, frozenset(told))
    found = connection.execute(statement, {**told, "most": limit})
    return [rows.incident(row) for row in found]


_after = (
    bindparam("after_at", type_=incidents.c.created_at.type),
    bindparam("after_id", type_=incidents.c.incident_id.type),
)


def _conditions(table: Table) -> dict[str, ColumnElement[bool]]:
    """Return what each filter, and the position of a page, asks of an incident."""
    return {
        **{
            name: table.c[name].in_(bindparam(name, expanding=True))
            for name in ("status", "severity", "namespace", "service", "alert_name")
        },
        "created_after": table.c.created_at >= bindparam("created_after"),
        "created_before": table.c.created_at < bindparam("created_before"),
        "after_at": tuple_(table.c.created_at, table.c.incident_id) < tuple_(*_after),
    }


@cache
def _page(table: Table, told: frozenset[str]) -> Select[Any]:
    """Return the query that uses these filters; building it costs more than running it."""
    return (
        select(*_shown(table, rows.SUMMARY))
        .where(*(condition for name, condition in _conditions(table).items() if name in told))
        .order_by(table.c.created_at.desc(), table.c.incident_id.desc())
        .limit(bindparam("most", type_=Integer))
    )


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
    return any(
        connection.execute(statement, {"wanted": incident_id}).rowcount for statement in _DELETE
    )
