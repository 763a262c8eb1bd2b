"""What the database knows of a request's alerts, read under locks that keep it true."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, or_, select, text

from opssage.incident import Alert, AlertGroup, AlertStatus, Status, lead_alert, severity_rank
from opssage.wire import parse_time
from store.archive import AlertKey
from store.tables import alerts, incidents

_KEY_BYTES = 256  # an index entry holds 2,704 bytes on PostgreSQL
_ALERT_LOCKS = 4096  # PostgreSQL's lock table holds 6,400 by default, for all sessions together

AlertRow = Row[*tuple[Any, ...]]


@dataclass(kw_only=True, slots=True)
class Target:
    """An incident that alerts of this request belong to."""

    incident_id: UUID
    status: Status = Status.PENDING
    severity: str = ""
    lead_starts_at: datetime | None = None
    is_open: bool = True
    is_new: bool = False
    joining: list[Alert] = field(default_factory=list)

    @property
    def new_lead(self) -> Alert | None:
        """The joining alert that takes the lead, if one does."""
        best = lead_alert(self.joining)
        if self.lead_starts_at is None:
            return best
        here = (severity_rank(self.severity), -self.lead_starts_at.timestamp())
        there = (severity_rank(best.severity), -best.starts_at.timestamp())
        return best if there < here else None


@dataclass(kw_only=True, slots=True)
class Known:
    """What the database knows of a request's alerts, and of the incidents they may belong to."""

    rows: dict[AlertKey, AlertRow]
    firing: dict[str, AlertRow]  #: by fingerprint: the rows that fire in an open incident
    targets: dict[UUID, Target]
    home: Target | None  #: the open incident of the group
    previous_id: UUID | None  #: the resolved one before it

    def row_of(self, alert: Alert) -> AlertRow | None:
        """Return the row that is this alert.

        `startsAt` may move while an alert fires, so one that fires in an open incident is found by
        its fingerprint alone.
        """
        return self.firing.get(alert.fingerprint) or self.rows.get(
            (alert.fingerprint, alert.starts_at)
        )


def stored_key(key: str) -> str:
    """Return a group key or receiver as stored: a long one, which no index takes, by its hash."""
    if len(key.encode()) <= _KEY_BYTES:
        return key
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def lock(connection: Connection, group: AlertGroup) -> None:
    """Let one transaction at a time decide about these alerts.

    SQLite's BEGIN IMMEDIATE has done so already. The keys are taken in sorted order, so that two
    requests with the same alerts cannot wait for each other.
    """
    if connection.dialect.name != "postgresql":
        return
    keys = {_lock_key(group.sender, f"{group.receiver}\0{group.group_key}")}
    keys |= {_lock_key(group.sender, alert.fingerprint) % _ALERT_LOCKS for alert in group.alerts}
    connection.execute(_LOCK, {"keys": sorted(keys)})


def _lock_key(sender: str, name: str) -> int:
    digest = hashlib.blake2b(f"{sender}\0{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


_LOCK = text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")


def look_up(connection: Connection, group: AlertGroup) -> Known:
    """Return what is known of these alerts, and hold the incidents they may belong to."""
    delivered = {
        "sender": group.sender,
        "fingerprints": sorted({alert.fingerprint for alert in group.alerts}),
        "starts": sorted({alert.starts_at for alert in group.alerts}),
    }
    rows = connection.execute(_KNOWN_ALERTS, delivered).all()
    newest = connection.execute(_NEWEST_OF_GROUP, identity(group)).scalar()
    ids = {row.incident_id for row in rows if row.incident_id} | ({newest} if newest else set())
    targets = _locked_targets(connection, sorted(ids)) if ids else {}
    of_group = targets.get(newest) if newest else None
    is_home = of_group is not None and of_group.is_open
    known = [  # an incident may have been deleted meanwhile, and its alerts with it
        row for row in rows if row.incident_id is None or row.incident_id in targets
    ]
    return Known(
        rows={(row.fingerprint, row.starts_at): row for row in known},
        firing={
            row.fingerprint: row
            for row in known
            if row.status == AlertStatus.FIRING
            and row.incident_id is not None
            and targets[row.incident_id].is_open
        },
        targets=targets,
        home=of_group if is_home else None,
        previous_id=of_group.incident_id if of_group and not is_home else None,
    )


def identity(group: AlertGroup) -> dict[str, str]:
    """Return the columns that tell a sender's group from all others."""
    return {
        "sender": group.sender,
        "receiver": stored_key(group.receiver),
        "group_key": stored_key(group.group_key),
    }


def _locked_targets(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Target]:
    """Read incidents that this request may change, and keep others from changing them.

    Requests without a common alert or group may still meet in one incident.
    """
    return {
        row.incident_id: Target(
            incident_id=row.incident_id,
            status=Status(row.status),
            severity=row.severity,
            lead_starts_at=parse_time(row.alert_input["timestamp"]),
            is_open=row.resolved_at is None,
        )
        for row in connection.execute(_LOCKED_TARGETS, {"ids": ids})
    }


_KNOWN_ALERTS = (
    select(
        alerts.c.fingerprint,
        alerts.c.starts_at,
        alerts.c.status,
        alerts.c.ends_at,
        alerts.c.incident_id,
    )
    .join_from(alerts, incidents, isouter=True)
    .where(
        alerts.c.sender == bindparam("sender"),
        alerts.c.fingerprint.in_(bindparam("fingerprints", expanding=True)),
        or_(
            incidents.c.resolved_at.is_(None),
            alerts.c.starts_at.in_(bindparam("starts", expanding=True)),
        ),
    )
)
_NEWEST_OF_GROUP = (
    select(incidents.c.incident_id)
    .where(
        incidents.c.group_key == bindparam("group_key"),
        incidents.c.receiver == bindparam("receiver"),
        incidents.c.sender == bindparam("sender"),
    )
    # SQLite's times have milliseconds; ids are in order within one
    .order_by(incidents.c.created_at.desc(), incidents.c.incident_id.desc())
    .limit(1)
)
_LOCKED_TARGETS = (
    select(
        incidents.c.incident_id,
        incidents.c.status,
        incidents.c.severity,
        incidents.c.alert_input,
        incidents.c.resolved_at,
    )
    .where(incidents.c.incident_id.in_(bindparam("ids", expanding=True)))
    .order_by(incidents.c.incident_id)
    .with_for_update(key_share=True)
)
