"""Pages of alerts: those of an incident, and those that belong to none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, Table, select, tuple_

from opssage.incident import Alert
from store import rows
from store.facets import MOST, Count, tally
from store.tables import alerts, alerts_archive

AlertKey = tuple[str, datetime, str]
"""Fingerprint, start and sender: what identifies an alert."""

StrayPosition = tuple[datetime, str, datetime, str]
"""Where a page of alerts without an incident ends: when it was first seen, and its key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptAlert:
    """An alert and what became of it."""

    alert: Alert
    sender: str
    disposition: str | None  #: why it belongs to no incident
    deliveries: int
    first_seen_at: datetime
    last_seen_at: datetime
    end_reason: str | None  #: how its end came to be known; None while it fires


@dataclass(frozen=True, kw_only=True, slots=True)
class StrayFilter:
    """Which alerts without an incident to list. Several values of one field mean any of them."""

    disposition: Sequence[str] = ()
    sender: Sequence[str] = ()


def _key(table: Table) -> tuple[Any, ...]:
    return table.c.fingerprint, table.c.starts_at, table.c.sender


def of_incident(
    connection: Connection,
    incident_id: UUID,
    status: Sequence[str],
    limit: int,
    after: AlertKey | None,
) -> list[KeptAlert]:
    """Return up to `limit` alerts of an incident, in an order that stays, behind `after`."""
    for table in (alerts, alerts_archive):
        query = (
            select(table)
            .where(table.c.incident_id == incident_id)
            .order_by(*_key(table))
            .limit(limit)
        )
        if status:
            query = query.where(table.c.status.in_(status))
        if after is not None:
            query = query.where(tuple_(*_key(table)) > after)
        if found := connection.execute(query).all():
            return [_kept(row) for row in found]
    return []


def strays(
    connection: Connection, chosen: StrayFilter, limit: int, after: StrayPosition | None
) -> list[KeptAlert]:
    """Return up to `limit` alerts that belong to no incident, newest first, behind `after`."""
    query = _strays(chosen, *alerts.c).limit(limit)
    if after is not None:
        query = query.where(tuple_(*_STRAY_PLACE) < after)
    return [_kept(row) for row in connection.execute(query)]


def count_strays(connection: Connection, chosen: StrayFilter) -> tuple[Sequence[Count], bool]:
    """Count the newest such alerts by disposition, all of them; returns whether there are more."""
    query = _strays(StrayFilter(sender=chosen.sender), alerts.c.disposition).limit(MOST + 1)
    found = connection.scalars(query).all()
    return tally(found[:MOST]), len(found) > MOST


_STRAY_PLACE = (alerts.c.first_seen_at, *_key(alerts))


def _strays(chosen: StrayFilter, *columns: Any) -> Select[Any]:
    query = (
        select(*columns)
        .where(alerts.c.incident_id.is_(None))
        .order_by(*(column.desc() for column in _STRAY_PLACE))
    )
    for name in ("disposition", "sender"):
        if values := getattr(chosen, name):
            query = query.where(alerts.c[name].in_(values))
    return query


def _kept(row: Row[*tuple[Any, ...]]) -> KeptAlert:
    return KeptAlert(
        alert=rows.alert(row),
        sender=row.sender,
        disposition=row.disposition,
        deliveries=row.deliveries,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        end_reason=row.end_reason,
    )
