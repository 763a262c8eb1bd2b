"""One webhook, one transaction: alerts find their incident, or open one."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Connection,
    Integer,
    Row,
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

from opssage.incident import Alert, AlertGroup, AlertStatus, Status, lead_alert, severity_rank
from opssage.wire import format_time, parse_time
from store import archive, rejects
from store.archive import AlertKey
from store.columns import database_now
from store.effects import announce
from store.rules import Rules
from store.tables import RUNNING, alerts, incidents
from store.timeline import tell

_KEY_BYTES = 256  # an index entry holds 2,704 bytes on PostgreSQL
_NAME_CHARS = 512
_WORD_CHARS = 64
_ALERT_LOCKS = 4096  # PostgreSQL's lock table holds 6,400 by default, for all sessions together

AlertRow = Row[*tuple[Any, ...]]


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

    incidents: tuple[Touched, ...] = ()
    accepted: int = 0  #: alerts that were new or told something new
    duplicates: int = 0  #: alerts that were known as they are
    refused: int = 0  #: alerts not stored: the backlog is too long for them to open an incident


def record(connection: Connection, group: AlertGroup, rules: Rules) -> Receipt:
    """Store a request's alerts under their incidents, all or nothing.

    Unless the backlog is full: then what would open an incident is left out, and counted.
    """
    if group.rejects:
        rejects.write(connection, group)
    if not group.alerts:
        return Receipt()
    _lock(connection, group)
    known = _known(connection, group)
    placed = _not_archived(connection, group.sender, _place_all(group, known))
    refused = 0
    if any(each.opens for each in placed) and _is_full(connection, rules.backlog_max):
        refused = sum(each.opens for each in placed)
        placed = [each for each in placed if not each.opens]
    if placed:
        _write(connection, group, known, placed, rules)
    return _receipt(group, placed, refused)


def record_reject(
    connection: Connection, reject_id: int, group: AlertGroup, rules: Rules
) -> Receipt | None:
    """Store what was made of a reject and mark it; None when it is not there to be taken.

    It stays to be taken when the backlog is full.
    """
    if not rejects.hold(connection, reject_id):
        return None
    receipt = record(connection, group, rules)
    if not receipt.refused:
        taken_as = receipt.incidents[0].incident_id if receipt.incidents else None
        rejects.settle(connection, reject_id, taken_as)
    return receipt


def _is_full(connection: Connection, backlog_max: int) -> bool:
    return connection.scalar(_BEYOND, {"bound": backlog_max - 1}) is not None


_BEYOND = (
    select(incidents.c.incident_id)
    .where(incidents.c.status.in_(RUNNING))
    .offset(bindparam("bound", type_=Integer))
    .limit(1)
)


@dataclass(kw_only=True, slots=True)
class _Target:
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
class _Known:
    """What the database knows of a request's alerts, and of the incidents they may belong to."""

    rows: dict[AlertKey, AlertRow]
    firing: dict[str, AlertRow]  #: by fingerprint: the rows that fire in an open incident
    targets: dict[UUID, _Target]
    home: _Target | None  #: the open incident of the group
    previous_id: UUID | None  #: the resolved one before it

    def row_of(self, alert: Alert) -> AlertRow | None:
        """Return the row that is this alert.

        `startsAt` may move while an alert fires, so one that fires in an open incident is found by
        its fingerprint alone.
        """
        return self.firing.get(alert.fingerprint) or self.rows.get(
            (alert.fingerprint, alert.starts_at)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Placed:
    """What becomes of one alert."""

    alert: Alert
    starts_at: datetime  #: of its row
    status: str
    ends_at: datetime | None
    target: _Target | None  #: None: it is over, and nobody knew of it
    is_news: bool

    @property
    def opens(self) -> bool:
        """True when it belongs to an incident that is not there yet."""
        return self.target is not None and self.target.is_new

    @property
    def is_stray(self) -> bool:
        """True when it is the end of an alert that nobody knew of."""
        return self.target is None and self.is_news


def _not_archived(
    connection: Connection, sender: str, placed: Sequence[_Placed]
) -> Sequence[_Placed]:
    """Count the ends that the archive knows there; returns what is left to write.

    Asked only for an end that no live row knows, so that no other request pays for the archive.
    """
    strays = {(each.alert.fingerprint, each.starts_at) for each in placed if each.is_stray}
    if not strays:
        return placed
    archived = archive.deliver(connection, sender, strays)
    return [each for each in placed if (each.alert.fingerprint, each.starts_at) not in archived]


def _place_all(group: AlertGroup, known: _Known) -> list[_Placed]:
    """Decide for each alert; the order in which the sender lists them changes nothing."""
    delivered = {(alert.fingerprint, alert.starts_at): alert for alert in group.alerts}
    return [_place(delivered[key], known) for key in sorted(delivered)]


def _place(alert: Alert, known: _Known) -> _Placed:
    row = known.row_of(alert)
    fires = alert.status is AlertStatus.FIRING
    if row is not None and (row.incident_id is not None or not fires):
        return _place_known(alert, row, known)
    target = None
    if fires:
        if known.home is None:
            known.home = _Target(incident_id=uuid7(), is_new=True)
        target = known.home
        target.joining.append(alert)
    return _Placed(
        alert=alert,
        starts_at=alert.starts_at,
        status=alert.status.value,
        ends_at=alert.ends_at,
        target=target,
        is_news=True,
    )


def _place_known(alert: Alert, row: AlertRow, known: _Known) -> _Placed:
    """Take an alert again: a repeat, its end, or its return."""
    target = known.targets[row.incident_id] if row.incident_id else None
    is_news = target is not None and row.status != alert.status
    if target and is_news and alert.status is AlertStatus.FIRING:
        target.joining.append(alert)
    return _Placed(
        alert=alert,
        starts_at=row.starts_at,
        status=alert.status.value if is_news else row.status,
        ends_at=alert.ends_at if is_news else row.ends_at,
        target=target,
        is_news=is_news,
    )


def _receipt(group: AlertGroup, placed: Sequence[_Placed], refused: int) -> Receipt:
    touched = {each.target.incident_id: each.target for each in placed if each.target}
    news = sum(each.is_news for each in placed)
    return Receipt(
        incidents=tuple(
            Touched(
                incident_id=target.incident_id,
                status=target.status,
                severity=target.severity or lead_alert(target.joining).severity,
                opened=target.is_new,
            )
            for target in touched.values()
        ),
        accepted=news,
        duplicates=len(group.alerts) - news - refused,
        refused=refused,
    )


def stored_key(key: str) -> str:
    """Return a group key or receiver as stored: a long one, which no index takes, by its hash."""
    if len(key.encode()) <= _KEY_BYTES:
        return key
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def _lock(connection: Connection, group: AlertGroup) -> None:
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


def _known(connection: Connection, group: AlertGroup) -> _Known:
    delivered = {
        "sender": group.sender,
        "fingerprints": sorted({alert.fingerprint for alert in group.alerts}),
        "starts": sorted({alert.starts_at for alert in group.alerts}),
    }
    rows = connection.execute(_KNOWN_ALERTS, delivered).all()
    newest = connection.execute(_NEWEST_OF_GROUP, _identity(group)).scalar()
    ids = {row.incident_id for row in rows if row.incident_id} | ({newest} if newest else set())
    targets = _locked_targets(connection, sorted(ids)) if ids else {}
    of_group = targets.get(newest) if newest else None
    is_home = of_group is not None and of_group.is_open
    known = [  # an incident may have been deleted meanwhile, and its alerts with it
        row for row in rows if row.incident_id is None or row.incident_id in targets
    ]
    return _Known(
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


def _identity(group: AlertGroup) -> dict[str, str]:
    return {
        "sender": group.sender,
        "receiver": stored_key(group.receiver),
        "group_key": stored_key(group.group_key),
    }


def _locked_targets(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, _Target]:
    """Read incidents that this request may change, and keep others from changing them.

    Requests without a common alert or group may still meet in one incident.
    """
    return {
        row.incident_id: _Target(
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


def _write(
    connection: Connection,
    group: AlertGroup,
    known: _Known,
    placed: Sequence[_Placed],
    rules: Rules,
) -> None:
    """Write incidents first, then all alerts, then what their ends mean."""
    targets = {each.target.incident_id: each.target for each in placed if each.target}
    for target in targets.values():
        if target.is_new:
            connection.execute(_INSERT_INCIDENT, _opening(group, target, known.previous_id))
        elif target.joining:
            _join(connection, group, target, rules)
    # `startsAt` may move within a request too: then the later one tells what the row holds
    rows = {(each.alert.fingerprint, each.starts_at): _row(group.sender, each) for each in placed}
    connection.execute(_UPSERT_ALERTS[connection.dialect.name], list(rows.values()))
    ended = {
        each.target.incident_id
        for each in placed
        if each.target and each.is_news and each.status == AlertStatus.RESOLVED
    }
    if ended:
        connection.execute(_RESOLVE, {"ids": sorted(ended)})


def _row(sender: str, placed: _Placed) -> dict[str, Any]:
    alert = placed.alert
    return {
        "fingerprint": alert.fingerprint,
        "starts_at": placed.starts_at,
        "sender": sender,
        "incident_id": placed.target.incident_id if placed.target else None,
        "disposition": None if placed.target else "resolved_only",
        "status": placed.status,
        "ends_at": placed.ends_at,
        "labels": alert.labels,
        "annotations": alert.annotations,
        "generator_url": alert.generator_url,
        "firing_condition": alert.firing_condition,
    }


_INSERT_INCIDENT = insert(incidents).values(
    status=Status.PENDING.value,
    created_at=database_now(),
    updated_at=database_now(),
    next_attempt_at=database_now(),
)


def _opening(group: AlertGroup, target: _Target, previous_id: UUID | None) -> dict[str, Any]:
    return {
        "incident_id": target.incident_id,
        "previous_id": previous_id,
        "truncated_alerts": group.truncated_alerts,
        **_identity(group),
        **_shown_by(group, lead_alert(target.joining)),
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


def _join(connection: Connection, group: AlertGroup, target: _Target, rules: Rules) -> None:
    """Add alerts to an incident; status, epoch and lease are the worker's business.

    One that is diagnosed already is due again: after the cooldown, or at once for worse alerts.
    """
    lead = target.new_lead
    is_worse = lead is not None and severity_rank(lead.severity) < severity_rank(target.severity)
    again = {}
    if target.status.is_terminal:
        due = database_now(0 if is_worse else rules.cooldown_seconds)
        again = {
            "next_attempt_at": due if is_worse else func.coalesce(incidents.c.next_attempt_at, due)
        }
    connection.execute(
        update(incidents)
        .where(incidents.c.incident_id == target.incident_id)
        .values(
            alert_seq=incidents.c.alert_seq + 1,
            version=incidents.c.version + 1,
            updated_at=database_now(),
            resolved_at=None,
            **again,
            **(_shown_by(group, lead) if lead else {}),
        )
    )
    if not target.is_open:
        tell(connection, target.incident_id, "reopened", {"alerts": len(target.joining)})
        announce(connection, [target.incident_id], "reopened", rules.notify)


def _upsert_alerts(insert_into: Any) -> Any:
    statement = insert_into(alerts).values(
        first_seen_at=database_now(), last_seen_at=database_now()
    )
    changed = ("incident_id", "disposition", "status", "ends_at", "last_seen_at")
    return statement.on_conflict_do_update(
        index_elements=[alerts.c.fingerprint, alerts.c.starts_at, alerts.c.sender],
        set_={
            **{name: statement.excluded[name] for name in changed},
            "deliveries": alerts.c.deliveries + 1,
        },
        # returning anything makes SQLAlchemy send many rows in one statement
    ).returning(alerts.c.fingerprint)


# both databases spell ON CONFLICT alike, but the two inserts have no common type
_UPSERT_ALERTS = {
    "postgresql": _upsert_alerts(postgresql.insert),
    "sqlite": _upsert_alerts(sqlite.insert),
}

_of_incident = alerts.c.incident_id == incidents.c.incident_id
_ended_at = (
    select(func.max(alerts.c.ends_at)).where(_of_incident).correlate(incidents).scalar_subquery()
)
# closes the incidents whose last firing alert has resolved
_RESOLVE = (
    update(incidents)
    .where(
        incidents.c.incident_id.in_(bindparam("ids", expanding=True)),
        ~exists().where(_of_incident, alerts.c.status == AlertStatus.FIRING.value),
    )
    .values(
        resolved_at=func.coalesce(_ended_at, database_now()),
        version=incidents.c.version + 1,
        updated_at=database_now(),
    )
)
