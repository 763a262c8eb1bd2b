"""Reading incidents: one by its id, and pages of them, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    bindparam,
    delete,
    select,
    tuple_,
)

from opssage.diagnosis import Verdict
from opssage.incident import Alert, Incident, Status
from opssage.knowledge import PastIncident
from store import rows
from store.tables import alerts, incidents


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
    """Return the incident with its documents."""
    row = connection.execute(_WHOLE, {"wanted": incident_id}).first()
    return rows.incident(row) if row else None


def get_version(connection: Connection, incident_id: UUID) -> int | None:
    """Return only the version, to answer a poll before any document is read."""
    version: int | None = connection.scalar(_VERSION, {"wanted": incident_id})
    return version


_is_wanted = incidents.c.incident_id == bindparam("wanted")
_WHOLE = select(*rows.WHOLE).where(_is_wanted)
_VERSION = select(incidents.c.version).where(_is_wanted)
_DELETE = delete(incidents).where(_is_wanted)


def alerts_of(connection: Connection, incident_id: UUID) -> tuple[Alert, ...]:
    """Return all alerts of an incident, in an order that stays."""
    return tuple(rows.alert(row) for row in connection.execute(_ALERTS_OF, {"wanted": incident_id}))


_ALERTS_OF = (
    select(alerts)
    .where(alerts.c.incident_id == bindparam("wanted"))
    .order_by(alerts.c.fingerprint, alerts.c.starts_at)
)


def page(
    connection: Connection, chosen: IncidentFilter, limit: int, after: Position | None
) -> list[Incident]:
    """Return up to `limit` incidents without documents, newest first, behind `after`."""
    # a field left empty asks for nothing
    told = {field.name: value for field in fields(chosen) if (value := getattr(chosen, field.name))}
    told |= {"after_at": after[0], "after_id": after[1]} if after else {}
    found = connection.execute(_page(frozenset(told)), {**told, "most": limit})
    return [rows.incident(row) for row in found]


_newest = (incidents.c.created_at, incidents.c.incident_id)
_after = (
    bindparam("after_at", type_=incidents.c.created_at.type),
    bindparam("after_id", type_=incidents.c.incident_id.type),
)
_LISTED: dict[str, ColumnElement[bool]] = {
    **{
        name: incidents.c[name].in_(bindparam(name, expanding=True))
        for name in ("status", "severity", "namespace", "service", "alert_name")
    },
    "created_after": incidents.c.created_at >= bindparam("created_after"),
    "created_before": incidents.c.created_at < bindparam("created_before"),
    "after_at": tuple_(*_newest) < tuple_(*_after),
}
"""What each filter, and the position of a page, asks of an incident."""


@cache
def _page(told: frozenset[str]) -> Select[Any]:
    """Return the query that uses these filters; building it costs more than running it."""
    return (
        select(*rows.SUMMARY)
        .where(*(condition for name, condition in _LISTED.items() if name in told))
        .order_by(*(column.desc() for column in _newest))
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
    return connection.execute(_DELETE, {"wanted": incident_id}).rowcount == 1
