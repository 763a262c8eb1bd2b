"""What the database knows of a request's alerts, read under locks that keep it true."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, or_, select, text

from opssage.incident import Alert, AlertGroup, AlertStatus, Status
from opssage.settings import IngestSettings
from store.columns import age_seconds
from store.tables import alerts, incidents
from store.targets import Place, Target, place_of

_KEY_BYTES = 256  # an index entry holds 2,704 bytes on PostgreSQL
_LOCKS = 4096  # in all; PostgreSQL's table holds 6,400 by default, for all sessions together
_PLACES = 200  # alerts of an incident that are asked where they point

GroupId = tuple[str, str]
"""Receiver and group key as stored: with the sender, what tells a group from all others."""


@dataclass(kw_only=True, slots=True)
class Seen:
    """One row of `alerts`: as it is, and then as it will be."""

    fingerprint: str
    starts_at: datetime
    status: AlertStatus
    ends_at: datetime | None = None
    target: Target | None = None
    disposition: str | None = None
    end_reason: str | None = None
    closed_ago: float | None = None  #: seconds since its end became known

    @property
    def fires(self) -> bool:
        """Whether it has not ended."""
        return self.status is AlertStatus.FIRING


@dataclass(kw_only=True, slots=True)
class Known:
    """What the database knows of a request's alerts, and of the incidents they may belong to."""

    rows: dict[str, list[Seen]]  #: by fingerprint
    homes: dict[GroupId, Target]  #: the newest incident of each group that was asked for
    members: dict[UUID, dict[str, bool]]  #: of incidents that may grow: fingerprint → does it fire
    places: dict[UUID, set[Place]]  #: of the same: where their alerts point

    def row(self, alert: Alert) -> Seen | None:
        """Return the row with the alert's own start."""
        mine = self.rows.get(alert.fingerprint, ())
        return next((seen for seen in mine if seen.starts_at == alert.starts_at), None)

    def firing(self, alert: Alert) -> Seen | None:
        """Return the row under which the alert fires, whatever its start says."""
        return next((seen for seen in self.rows.get(alert.fingerprint, ()) if seen.fires), None)

    def add(self, seen: Seen) -> None:
        """Remember a row that this request makes."""
        self.rows.setdefault(seen.fingerprint, []).append(seen)


def stored_key(key: str) -> str:
    """Return a group key or receiver as stored: a long one, which no index takes, by its hash."""
    if len(key.encode()) <= _KEY_BYTES:
        return key
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def group_id(group: AlertGroup) -> GroupId:
    """Return what tells the group from the others of its sender."""
    return stored_key(group.receiver), stored_key(group.group_key)


def lock(connection: Connection, groups: Sequence[AlertGroup]) -> None:
    """Let one transaction at a time decide about these groups and their alerts."""
    sender = groups[0].sender
    names = {f"{group.receiver}\0{group.group_key}" for group in groups}
    names |= {alert.fingerprint for group in groups for alert in group.alerts}
    lock_names(connection, ((sender, name) for name in names))


def lock_names(connection: Connection, told: Iterable[tuple[str, str]]) -> None:
    """Let one transaction at a time decide about pairs of a sender and a fingerprint or group.

    Locks are taken in sorted order, so that two transactions cannot wait for each other. SQLite's
    BEGIN IMMEDIATE has done as much already.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"keys": sorted({_lock_key(*each) for each in told})})


def _lock_key(sender: str, name: str) -> int:
    digest = hashlib.blake2b(f"{sender}\0{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % _LOCKS


_LOCK = text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")


def look_up(
    connection: Connection, groups: Sequence[AlertGroup], settings: IngestSettings
) -> Known:
    """Return what is known of these alerts, and hold the incidents they may belong to."""
    delivered = [alert for group in groups for alert in group.alerts]
    found = connection.execute(
        _KNOWN_ALERTS,
        {
            "sender": groups[0].sender,
            "fingerprints": sorted({alert.fingerprint for alert in delivered}),
            "starts": sorted({alert.starts_at for alert in delivered}),
            "late_seconds": settings.late_seconds,
        },
    ).all()
    strangers = _Strangers.among(groups, found, timedelta(seconds=settings.drift_seconds))
    newest = {
        group_id(group): incident_id
        for group in strangers.groups
        if (incident_id := connection.scalar(_NEWEST_OF_GROUP, identity(group)))
    }
    ids = {row.incident_id for row in found if row.incident_id} | set(newest.values())
    targets = locked_targets(connection, sorted(ids), settings) if ids else {}
    may_grow = [targets[each] for each in (*newest.values(), *strangers.homes) if each in targets]
    return Known(
        rows=_by_fingerprint(found, targets),
        homes={key: targets[each] for key, each in newest.items() if each in targets},
        members=_members(connection, may_grow) if may_grow else {},
        places=_places(connection, may_grow) if may_grow else {},
    )


def identity(group: AlertGroup) -> dict[str, str]:
    """Return the columns that tell a sender's group from all others."""
    receiver, group_key = group_id(group)
    return {"sender": group.sender, "receiver": receiver, "group_key": group_key}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Strangers:
    """Firing alerts that no row fires for: they need an incident."""

    groups: list[AlertGroup]  #: that they come with
    homes: list[UUID]  #: open incidents that know them from an earlier start

    @classmethod
    def among(
        cls, groups: Sequence[AlertGroup], found: Sequence[Row[Any]], drift: timedelta
    ) -> "_Strangers":
        started = {
            row.fingerprint: row.starts_at
            for row in found
            if row.status == AlertStatus.FIRING and row.incident_id
        }
        strange = {
            alert.fingerprint
            for group in groups
            for alert in group.alerts
            if alert.status is AlertStatus.FIRING
            and begins_anew(alert, started.get(alert.fingerprint), drift)
        }
        return cls(
            groups=[
                group
                for group in groups
                if any(alert.fingerprint in strange for alert in group.alerts)
            ],
            homes=sorted(
                {row.incident_id for row in found if row.incident_id and row.fingerprint in strange}
            ),
        )


def begins_anew(alert: Alert, started: datetime | None, drift: timedelta) -> bool:
    """Tell whether a firing alert is another episode than the one that started then, if any did.

    Its start may be told a little later, or earlier, and it may be told not at all.
    """
    return started is None or (alert.has_start and alert.starts_at > started + drift)


def _by_fingerprint(
    found: Sequence[Row[Any]], targets: dict[UUID, Target]
) -> dict[str, list[Seen]]:
    rows: defaultdict[str, list[Seen]] = defaultdict(list)
    for row in found:
        # an incident may have been deleted meanwhile, and its alerts with it
        if row.incident_id is None or row.incident_id in targets:
            rows[row.fingerprint].append(
                Seen(
                    fingerprint=row.fingerprint,
                    starts_at=row.starts_at,
                    status=AlertStatus(row.status),
                    ends_at=row.ends_at,
                    target=targets.get(row.incident_id),
                    disposition=row.disposition,
                    end_reason=row.end_reason,
                    closed_ago=row.closed_ago,
                )
            )
    return rows


def locked_targets(
    connection: Connection, ids: Sequence[UUID], settings: IngestSettings
) -> dict[UUID, Target]:
    """Read incidents that this transaction may change, and keep others from changing them.

    Requests without a common alert or group may still meet in one incident.
    """
    return {
        row.incident_id: Target(
            incident_id=row.incident_id,
            status=Status(row.status),
            severity=row.severity,
            alert_input=row.alert_input,
            group_id=(row.receiver, row.group_key),
            resolved_at=row.resolved_at,
            closed_ago=row.closed_ago,
            is_cut=row.age > settings.episode_max_seconds,
            truncated_alerts=row.truncated_alerts,
            flap_count=row.flap_count,
        )
        for row in connection.execute(_LOCKED_TARGETS, {"ids": ids})
    }


def _members(connection: Connection, targets: Sequence[Target]) -> dict[UUID, dict[str, bool]]:
    members: dict[UUID, dict[str, bool]] = {target.incident_id: {} for target in targets}
    for row in connection.execute(_MEMBERS, {"ids": sorted(members)}):
        mine = members[row.incident_id]
        fires = row.status == AlertStatus.FIRING
        mine[row.fingerprint] = mine.get(row.fingerprint, False) or fires
    return members


def _places(connection: Connection, targets: Sequence[Target]) -> dict[UUID, set[Place]]:
    return {
        target.incident_id: {
            place_of(labels)
            for labels in connection.scalars(_LABELS, {"wanted": target.incident_id})
        }
        for target in targets
    }


_KNOWN_ALERTS = (
    select(
        alerts.c.fingerprint,
        alerts.c.starts_at,
        alerts.c.status,
        alerts.c.ends_at,
        alerts.c.disposition,
        alerts.c.end_reason,
        alerts.c.incident_id,
        age_seconds(alerts.c.closed_at).label("closed_ago"),
    )
    .join_from(alerts, incidents, isouter=True)
    .where(
        alerts.c.sender == bindparam("sender"),
        alerts.c.fingerprint.in_(bindparam("fingerprints", expanding=True)),
        or_(
            alerts.c.status == AlertStatus.FIRING.value,
            incidents.c.resolved_at.is_(None) & alerts.c.incident_id.is_not(None),
            alerts.c.starts_at.in_(bindparam("starts", expanding=True)),
            age_seconds(alerts.c.closed_at) < bindparam("late_seconds"),
        ),
    )
    .order_by(alerts.c.fingerprint, alerts.c.starts_at.desc())
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
        incidents.c.receiver,
        incidents.c.group_key,
        incidents.c.resolved_at,
        incidents.c.truncated_alerts,
        incidents.c.flap_count,
        age_seconds(incidents.c.closed_at).label("closed_ago"),
        age_seconds(incidents.c.created_at).label("age"),
    )
    .where(incidents.c.incident_id.in_(bindparam("ids", expanding=True)))
    .order_by(incidents.c.incident_id)
    .with_for_update(key_share=True)
)
_MEMBERS = select(alerts.c.incident_id, alerts.c.fingerprint, alerts.c.status).where(
    alerts.c.incident_id.in_(bindparam("ids", expanding=True))
)
_LABELS = select(alerts.c.labels).where(alerts.c.incident_id == bindparam("wanted")).limit(_PLACES)
