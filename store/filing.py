"""Writes what was decided of a request's alerts: incidents, alerts, and what their ends mean."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, exists, func, insert, null, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from opssage.incident import Alert, AlertGroup, AlertStatus, Status, lead_alert, severity_rank
from opssage.wire import format_time
from store import words
from store.columns import database_now
from store.effects import announce
from store.known import group_id, identity
from store.placing import ANNOUNCED, Placed
from store.rules import Rules
from store.tables import alerts, incidents
from store.targets import Target
from store.timeline import tell

_NAME_CHARS = 512
_WORD_CHARS = 64


def write(
    connection: Connection, groups: Sequence[AlertGroup], placed: Sequence[Placed], rules: Rules
) -> None:
    """Write incidents first, then all alerts, then what their ends mean."""
    targets = {each.target.incident_id: each.target for each in placed if each.target}
    for _, target in sorted(targets.items()):
        if target.opened_by is not None:
            connection.execute(_INSERT_INCIDENT, _opening(target, target.opened_by))
            words.keep(connection, target.incident_id, lead_alert(target.joining))
        elif target.joining:
            _join(connection, groups, target, rules)
    _write_alerts(connection, groups[0].sender, placed, rules)
    superseded = [each.supersedes for each in placed if each.supersedes]
    ended = [
        row.target
        for row in (*superseded, *(each.row for each in placed if each.is_news))
        if row.target and not row.fires
    ]
    if ended:
        close(connection, ended, {})
    _note_truncation(connection, groups, targets.values())


def _write_alerts(
    connection: Connection, sender: str, placed: Sequence[Placed], rules: Rules
) -> None:
    statements = _UPSERT_ALERTS[connection.dialect.name]
    # several alerts of a request may be one row: the last tells what it holds
    last = {(each.row.fingerprint, each.row.starts_at): each for each in placed}
    rows = [_row(sender, each, rules) for each in last.values()]
    for status, statement in statements.items():
        if mine := [row for row in rows if row["status"] == status]:
            connection.execute(statement, mine)
    if superseded := [each.supersedes for each in placed if each.supersedes]:
        connection.execute(
            _SUPERSEDE,
            [
                {
                    "of_sender": sender,
                    "of_fingerprint": row.fingerprint,
                    "of_start": row.starts_at,
                    "new_status": row.status.value,
                    "new_end": row.ends_at,
                    "new_reason": row.end_reason,
                }
                for row in superseded
            ],
        )


def _row(sender: str, placed: Placed, rules: Rules) -> dict[str, Any]:
    alert, row = placed.alert, placed.row
    to_come = ANNOUNCED if alert.expires_at else None
    return {
        "fingerprint": row.fingerprint,
        "starts_at": row.starts_at,
        "sender": sender,
        "incident_id": row.target.incident_id if row.target else None,
        "disposition": row.disposition,
        "status": row.status.value,
        "ends_at": row.ends_at,
        "end_reason": to_come if row.fires else row.end_reason,
        "stale_at": _stale_at(alert, rules) if row.fires else None,
        "labels": alert.labels,
        "annotations": alert.annotations,
        "generator_url": alert.generator_url,
        "firing_condition": alert.firing_condition,
        "extra": alert.extra or None,
    }


def _stale_at(alert: Alert, rules: Rules) -> datetime:
    # no lease: hours matter here, and not whose clock they are read from
    return alert.expires_at or datetime.now(UTC) + timedelta(seconds=rules.ingest.stale_seconds)


_INSERT_INCIDENT = insert(incidents).values(
    status=Status.PENDING.value,
    created_at=database_now(),
    updated_at=database_now(),
    next_attempt_at=database_now(),
)


def _opening(target: Target, group: AlertGroup) -> dict[str, Any]:
    return {
        "incident_id": target.incident_id,
        "previous_id": target.previous_id,
        "truncated_alerts": group.truncated_alerts,
        **identity(group),
        **_shown_by(lead_alert(target.joining), _envelope(group)),
    }


def _envelope(group: AlertGroup) -> dict[str, Any]:
    return {
        "receiver": group.receiver,
        "group_key": group.group_key,
        "group_labels": group.group_labels,
        "common_labels": group.common_labels,
        "common_annotations": group.common_annotations,
        "external_url": group.external_url,
        "truncated_alerts": group.truncated_alerts,
        "extra": group.extra,
    }


_ENVELOPE = tuple(_envelope(AlertGroup(alerts=())))


def _shown_by(lead: Alert, envelope: Mapping[str, Any]) -> dict[str, Any]:
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
            "alert_class": lead.alert_class.value,
            **envelope,
        },
    }


def _join(
    connection: Connection, groups: Sequence[AlertGroup], target: Target, rules: Rules
) -> None:
    """Add alerts to an incident; status, epoch and lease are the worker's business.

    One that is diagnosed already is due again for alerts that it did not have: after the cooldown,
    or at once for worse alerts and for those of another place. Once it flaps it is due no more.
    """
    lead = target.new_lead
    flaps = target.reopens and target.comes_back
    is_flapping = target.flap_count + flaps >= rules.ingest.flap_max
    changed: dict[str, Any] = {}
    if target.newcomers:
        changed |= _asking_again(target, rules, lead)
    if target.reopens:
        changed |= {"resolved_at": None, "closed_at": None}
    if flaps:
        changed |= {"flap_count": incidents.c.flap_count + 1, "flapping": is_flapping}
    if is_flapping and target.status.is_terminal:
        changed["next_attempt_at"] = None
    if lead:
        changed |= _shown_by(lead, _envelope_of(target, groups))
    connection.execute(
        update(incidents)
        .where(incidents.c.incident_id == target.incident_id)
        .values(version=incidents.c.version + 1, updated_at=database_now(), **changed)
    )
    if lead:
        words.change_alert(connection, target.incident_id, lead)
    _tell_joined(connection, target, rules, is_flapping=is_flapping)


def _asking_again(target: Target, rules: Rules, lead: Alert | None) -> dict[str, Any]:
    """Return the columns by which alerts that an incident did not have are looked at."""
    is_worse = lead is not None and severity_rank(lead.severity) < severity_rank(target.severity)
    is_urgent = is_worse or target.spreads
    changed: dict[str, Any] = {"alert_seq": incidents.c.alert_seq + 1}
    if is_urgent:
        changed["urgent_seq"] = incidents.c.alert_seq + 1
    if target.status.is_terminal:
        due = database_now(0 if is_urgent else rules.cooldown_seconds)
        changed["next_attempt_at"] = (
            due if is_urgent else func.coalesce(incidents.c.next_attempt_at, due)
        )
    return changed


def _envelope_of(target: Target, groups: Sequence[AlertGroup]) -> dict[str, Any]:
    """Return the envelope of an incident: as its own group delivers it, or as it was."""
    for group in groups:
        if group_id(group) == target.group_id:
            return _envelope(group)
    return {name: target.alert_input[name] for name in _ENVELOPE if name in target.alert_input}


def _tell_joined(
    connection: Connection, target: Target, rules: Rules, *, is_flapping: bool
) -> None:
    if target.newcomers:
        tell(connection, target.incident_id, "joined", {"alerts": len(target.newcomers)})
    if not target.reopens:
        return
    tell(connection, target.incident_id, "reopened", {"alerts": len(target.firing)})
    if not is_flapping:
        announce(connection, [target.incident_id], "reopened", rules.notify)
    elif target.flap_count + 1 == rules.ingest.flap_max:
        tell(connection, target.incident_id, "flapping", {"flap_count": target.flap_count + 1})


def _note_truncation(
    connection: Connection, groups: Sequence[AlertGroup], targets: Iterable[Target]
) -> None:
    """Note on incidents how much of their group a message left out: their view is partial."""
    left_out = {group_id(group): group.truncated_alerts for group in groups}
    for target in targets:
        number = left_out.get(target.group_id, 0)
        if not target.is_new and number > target.truncated_alerts:
            connection.execute(_TRUNCATE, {"truncated": target.incident_id, "number": number})
            tell(connection, target.incident_id, "truncated", {"alerts": number})


_TRUNCATE = (
    update(incidents)
    .where(incidents.c.incident_id == bindparam("truncated"))
    .values(
        truncated_alerts=bindparam("number"),
        version=incidents.c.version + 1,
        updated_at=database_now(),
    )
)


def _upsert_alerts(insert_into: Any, status: AlertStatus) -> Any:
    """Return the insert of alerts with this status; of those known it changes what may change."""
    is_over = status is AlertStatus.RESOLVED
    statement = insert_into(alerts).values(
        first_seen_at=database_now(),
        last_seen_at=database_now(),
        closed_at=database_now() if is_over else null(),
    )
    known = statement.excluded.closed_at
    changed = (
        *("incident_id", "disposition", "status", "ends_at", "end_reason", "stale_at"),
        "last_seen_at",
    )
    return statement.on_conflict_do_update(
        index_elements=[alerts.c.fingerprint, alerts.c.starts_at, alerts.c.sender],
        set_={
            **{name: statement.excluded[name] for name in changed},
            "deliveries": alerts.c.deliveries + 1,
            # no parameter may stand here: each alert would be sent in a statement of its own
            "closed_at": func.coalesce(alerts.c.closed_at, known) if is_over else known,
        },
        # returning anything makes SQLAlchemy send many rows in one statement
    ).returning(alerts.c.fingerprint)


# both databases spell ON CONFLICT alike, but the two inserts have no common type
_UPSERT_ALERTS = {
    name: {status.value: _upsert_alerts(insert_into, status) for status in AlertStatus}
    for name, insert_into in (("postgresql", postgresql.insert), ("sqlite", sqlite.insert))
}
_SUPERSEDE = (
    update(alerts)
    .where(
        alerts.c.sender == bindparam("of_sender"),
        alerts.c.fingerprint == bindparam("of_fingerprint"),
        alerts.c.starts_at == bindparam("of_start"),
    )
    .values(
        status=bindparam("new_status"),
        ends_at=bindparam("new_end"),
        end_reason=bindparam("new_reason"),
        stale_at=None,
        closed_at=database_now(),
    )
)


def close(connection: Connection, targets: Iterable[Target], told: Mapping[str, Any]) -> None:
    """End the incidents, of these, in which no alert fires any more; `told` goes to the timeline.

    One that had ended already has another end when a better one of an alert has become known.
    """
    by_id = {target.incident_id: target for target in targets}
    for incident_id in connection.scalars(_CLOSE, {"ids": sorted(by_id)}).all():
        target = by_id[incident_id]
        if target.resolved_at is None or target.reopens:
            target.closes = True
            tell(connection, incident_id, "resolved", told)


_of_incident = alerts.c.incident_id == incidents.c.incident_id
_ended_at = (
    # an end without a time was when it became known
    select(func.max(func.coalesce(alerts.c.ends_at, alerts.c.closed_at)))
    .where(_of_incident)
    .correlate(incidents)
    .scalar_subquery()
)
_CLOSE = (
    update(incidents)
    .where(
        incidents.c.incident_id.in_(bindparam("ids", expanding=True)),
        ~exists().where(_of_incident, alerts.c.status == AlertStatus.FIRING.value),
        or_(incidents.c.resolved_at.is_(None), incidents.c.resolved_at != _ended_at),
    )
    .values(
        resolved_at=func.coalesce(_ended_at, database_now()),
        closed_at=func.coalesce(incidents.c.closed_at, database_now()),
        version=incidents.c.version + 1,
        updated_at=database_now(),
    )
    .returning(incidents.c.incident_id)
)
