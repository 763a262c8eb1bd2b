"""One webhook, one transaction: alerts find their incident, or open one."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import (
    Connection,
    Row,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from uuid_utils.compat import uuid7

from opssage.incident import (
    Alert,
    AlertGroup,
    AlertStatus,
    Status,
    lead_alert,
    severity_rank,
)
from opssage.wire import format_time, parse_time
from store.columns import database_now
from store.tables import alerts, incidents, ingest_rejects

_GROUP_KEY_CHARS = 200
_NAME_CHARS = 512  # an index entry holds 2,704 bytes on PostgreSQL
_WORD_CHARS = 64

AlertKey = tuple[str, datetime]
"""Fingerprint and start: with the sender, the identity of an alert."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Touched:
    """An incident that a request opened or belongs to."""

    incident_id: UUID
    status: Status
    severity: str
    opened: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What became of a request's alerts."""

    incidents: tuple[Touched, ...]
    accepted: int  #: alerts that were new or told something new
    duplicates: int  #: alerts that were known as they are


@dataclass(kw_only=True, slots=True)
class _Target:
    """An incident that alerts of this request belong to."""

    incident_id: UUID
    status: Status
    severity: str = ""
    starts_at: datetime | None = None  #: of the lead alert
    opened: bool = False
    joined: list[Alert] = field(default_factory=list)
    resolves: bool = False

    @property
    def lead(self) -> Alert | None:
        """The joined alert that takes the lead, if one does."""
        best = lead_alert(self.joined)
        if self.starts_at is None:
            return best
        takes = (severity_rank(best.severity), -best.starts_at.timestamp()) < (
            severity_rank(self.severity),
            -self.starts_at.timestamp(),
        )
        return best if takes else None


def record(connection: Connection, group: AlertGroup) -> Receipt:
    """Store a request's alerts under their incidents, all or nothing."""
    placement = _Placement(group)
    if group.alerts:
        _lock(connection, group)
        placement.read(connection)
        placement.place()
        placement.write(connection)
    if group.rejects:
        _write_rejects(connection, group)
    return placement.receipt()


class _Placement:
    """Where each alert of a request goes: two reads, whatever the number of alerts."""

    def __init__(self, group: AlertGroup) -> None:
        self._group = group
        self._group_key = stored_group_key(group.group_key)
        self._known: dict[AlertKey, Row[Any]] = {}
        self._firing: dict[str, Row[Any]] = {}
        self._targets: dict[UUID, _Target] = {}
        self._of_group: _Target | None = None
        self._previous_id: UUID | None = None
        self._rows: dict[AlertKey, dict[str, Any]] = {}
        self._accepted = 0

    def read(self, connection: Connection) -> None:
        """Read what is known of these alerts, and the incidents they may belong to."""
        group = self._group
        told = {
            "sender": group.sender,
            "fingerprints": sorted({alert.fingerprint for alert in group.alerts}),
            "starts": sorted({alert.starts_at for alert in group.alerts}),
        }
        for row in connection.execute(_KNOWN_ALERTS, told):
            self._known[row.fingerprint, row.starts_at] = row
            if row.is_open and row.status == AlertStatus.FIRING:
                self._firing[row.fingerprint] = row
        self._read_targets(connection)

    def _read_targets(self, connection: Connection) -> None:
        known = sorted({row.incident_id for row in self._known.values() if row.incident_id})
        if known:
            for row in connection.execute(_OF_ALERTS, {"known": known}):
                self._targets[row.incident_id] = _target(row)
        newest = connection.execute(
            _NEWEST_OF_GROUP,
            {
                "sender": self._group.sender,
                "receiver": self._group.receiver,
                "group_key": self._group_key,
            },
        ).first()
        if newest and newest.resolved_at is None:
            self._of_group = self._targets.setdefault(newest.incident_id, _target(newest))
        elif newest:
            self._previous_id = newest.incident_id

    def place(self) -> None:
        """Decide for each alert, in an order that does not depend on the sender's."""
        delivered = {(alert.fingerprint, alert.starts_at): alert for alert in self._group.alerts}
        for _, alert in sorted(delivered.items()):
            same = self._firing.get(alert.fingerprint) or self._known.get(
                (alert.fingerprint, alert.starts_at)
            )
            if same is not None:
                self._repeat(alert, same)
            elif alert.status is AlertStatus.RESOLVED:
                self._keep(alert, alert.starts_at, None, disposition="resolved_only")
            else:
                target = self._of_group or self._open()
                target.joined.append(alert)
                self._keep(alert, alert.starts_at, target.incident_id)

    def _repeat(self, alert: Alert, same: Row[Any]) -> None:
        """Take an alert that is known: a repeat, its end, or its return."""
        told = same.status != alert.status and same.incident_id is not None
        if told:
            target = self._targets[same.incident_id]
            target.resolves |= alert.status is AlertStatus.RESOLVED
            if alert.status is AlertStatus.FIRING:
                target.joined.append(alert)
        self._keep(alert, same.starts_at, same.incident_id, as_known=None if told else same)

    def _open(self) -> _Target:
        target = _Target(incident_id=uuid7(), status=Status.PENDING, opened=True)
        self._targets[target.incident_id] = target
        self._of_group = target
        return target

    def _keep(
        self,
        alert: Alert,
        starts_at: datetime,
        incident_id: UUID | None,
        *,
        as_known: Row[Any] | None = None,
        disposition: str | None = None,
    ) -> None:
        self._accepted += as_known is None
        state = as_known or alert
        self._rows[alert.fingerprint, starts_at] = {
            "fingerprint": alert.fingerprint,
            "starts_at": starts_at,
            "sender": self._group.sender,
            "incident_id": incident_id,
            "disposition": disposition,
            "status": str(state.status),
            "ends_at": state.ends_at,
            "labels": alert.labels,
            "annotations": alert.annotations,
            "generator_url": alert.generator_url,
            "firing_condition": alert.firing_condition,
        }

    def write(self, connection: Connection) -> None:
        """Write incidents first, then all alerts in one statement."""
        for target in self._targets.values():
            if target.opened:
                opening = _opening(self._group, self._group_key, target, self._previous_id)
                connection.execute(_INSERT_INCIDENT, opening)
            elif target.joined:
                _join(connection, self._group, target)
        connection.execute(_UPSERT_ALERTS[connection.dialect.name], list(self._rows.values()))
        resolving = [t.incident_id for t in self._targets.values() if t.resolves]
        if resolving:
            connection.execute(_resolve(resolving))

    def receipt(self) -> Receipt:
        """Tell what became of the request."""
        used = {row["incident_id"] for row in self._rows.values()}
        return Receipt(
            incidents=tuple(
                Touched(
                    incident_id=target.incident_id,
                    status=target.status,
                    severity=target.severity or lead_alert(target.joined).severity,
                    opened=target.opened,
                )
                for target in self._targets.values()
                if target.incident_id in used
            ),
            accepted=self._accepted,
            duplicates=len(self._group.alerts) - self._accepted,
        )


def _target(row: Row[*tuple[Any, ...]]) -> _Target:
    return _Target(
        incident_id=row.incident_id,
        status=Status(row.status),
        severity=row.severity,
        starts_at=parse_time(row.alert_input["timestamp"]),
    )


def stored_group_key(group_key: str) -> str:
    """Return the key as stored: a long one, which may hold all labels, by its hash."""
    if len(group_key) <= _GROUP_KEY_CHARS:
        return group_key
    return "sha256:" + hashlib.sha256(group_key.encode()).hexdigest()


def _lock(connection: Connection, group: AlertGroup) -> None:
    """Let one transaction at a time decide about these alerts.

    SQLite's BEGIN IMMEDIATE has done so already. The keys are taken in sorted order, so that two
    requests with the same alerts cannot wait for each other.
    """
    if connection.dialect.name != "postgresql":
        return
    names = {f"group\0{group.receiver}\0{group.group_key}"}
    names |= {f"alert\0{alert.fingerprint}" for alert in group.alerts}
    connection.execute(_LOCK, {"keys": sorted(_lock_key(group.sender, name) for name in names)})


def _lock_key(sender: str, name: str) -> int:
    digest = hashlib.blake2b(f"{sender}\0{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


_LOCK = text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")


_is_open = and_(incidents.c.incident_id.is_not(None), incidents.c.resolved_at.is_(None))
_KNOWN_ALERTS = (
    select(
        alerts.c.fingerprint,
        alerts.c.starts_at,
        alerts.c.status,
        alerts.c.ends_at,
        alerts.c.incident_id,
        _is_open.label("is_open"),
    )
    .join_from(alerts, incidents, isouter=True)
    .where(
        alerts.c.sender == bindparam("sender"),
        alerts.c.fingerprint.in_(bindparam("fingerprints", expanding=True)),
        or_(_is_open, alerts.c.starts_at.in_(bindparam("starts", expanding=True))),
    )
)

_TARGETS = select(
    incidents.c.incident_id,
    incidents.c.status,
    incidents.c.severity,
    incidents.c.alert_input,
    incidents.c.resolved_at,
)
_OF_ALERTS = _TARGETS.where(incidents.c.incident_id.in_(bindparam("known", expanding=True)))
_NEWEST_OF_GROUP = (
    _TARGETS.where(
        incidents.c.group_key == bindparam("group_key"),
        incidents.c.receiver == bindparam("receiver"),
        incidents.c.sender == bindparam("sender"),
    )
    .order_by(incidents.c.created_at.desc())
    .limit(1)
)
_INSERT_INCIDENT = insert(incidents).values(
    status=Status.PENDING.value,
    created_at=database_now(),
    updated_at=database_now(),
    next_attempt_at=database_now(),
)


def _opening(
    group: AlertGroup, group_key: str, target: _Target, previous_id: UUID | None
) -> dict[str, Any]:
    return {
        "incident_id": target.incident_id,
        "previous_id": previous_id,
        "sender": group.sender,
        "receiver": group.receiver,
        "group_key": group_key,
        "truncated_alerts": group.truncated_alerts,
        **_shown_by(group, lead_alert(target.joined)),
    }


def _shown_by(group: AlertGroup, lead: Alert) -> dict[str, Any]:
    """Return the columns that show an incident's lead alert."""
    return {
        "alert_name": lead.name[:_NAME_CHARS],
        "severity": lead.severity[:_WORD_CHARS],
        "namespace": lead.namespace and lead.namespace[:_NAME_CHARS],
        "service": lead.service and lead.service[:_NAME_CHARS],
        "priority": severity_rank(lead.severity),
        "alert_input": {
            "alert_name": lead.name,
            "severity": lead.severity,
            "message": lead.message,
            "labels": lead.labels,
            "annotations": lead.annotations,
            "firing_condition": lead.firing_condition,
            "timestamp": format_time(lead.starts_at),
            "receiver": group.receiver,
            "group_key": group.group_key,
            "group_labels": group.group_labels,
            "common_labels": group.common_labels,
            "common_annotations": group.common_annotations,
            "external_url": group.external_url,
            "truncated_alerts": group.truncated_alerts,
        },
    }


def _join(connection: Connection, group: AlertGroup, target: _Target) -> None:
    """Add alerts to an incident; status, epoch and lease are the worker's business."""
    connection.execute(
        update(incidents)
        .where(incidents.c.incident_id == target.incident_id)
        .values(
            alert_seq=incidents.c.alert_seq + 1,
            version=incidents.c.version + 1,
            updated_at=database_now(),
            resolved_at=None,
            **(_shown_by(group, target.lead) if target.lead else {}),
        )
    )


def _upsert_alerts(insert_into: Any) -> Any:
    statement = insert_into(alerts).values(
        first_seen_at=database_now(), last_seen_at=database_now()
    )
    return statement.on_conflict_do_update(
        index_elements=[alerts.c.fingerprint, alerts.c.starts_at, alerts.c.sender],
        set_={
            "status": statement.excluded.status,
            "ends_at": statement.excluded.ends_at,
            "last_seen_at": statement.excluded.last_seen_at,
            "deliveries": alerts.c.deliveries + 1,
        },
        # returning anything makes SQLAlchemy send all rows in one statement
    ).returning(alerts.c.fingerprint)


# both databases spell ON CONFLICT alike, but the two inserts have no common type
_UPSERT_ALERTS = {
    "postgresql": _upsert_alerts(postgresql.insert),
    "sqlite": _upsert_alerts(sqlite.insert),
}


def _resolve(ids: Sequence[UUID]) -> Any:
    """Close the incidents whose last firing alert has resolved."""
    of_incident = alerts.c.incident_id == incidents.c.incident_id
    ended_at = (
        select(func.max(alerts.c.ends_at)).where(of_incident).correlate(incidents).scalar_subquery()
    )
    return (
        update(incidents)
        .where(
            incidents.c.incident_id.in_(ids),
            ~exists().where(of_incident, alerts.c.status == AlertStatus.FIRING.value),
        )
        .values(
            resolved_at=func.coalesce(ended_at, database_now()),
            version=incidents.c.version + 1,
            updated_at=database_now(),
        )
    )


def _write_rejects(connection: Connection, group: AlertGroup) -> None:
    connection.execute(
        insert(ingest_rejects).values(received_at=database_now()),
        [
            {
                "sender": group.sender,
                "reason": reject.reason,
                "raw": orjson.dumps(reject.raw, default=str).decode(),
            }
            for reject in group.rejects
        ],
    )
