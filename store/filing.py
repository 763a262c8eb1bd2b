"""Writes what was decided of a request's alerts: incidents, alerts, and what their ends mean."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, exists, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from opssage.incident import Alert, AlertGroup, AlertStatus, Status, lead_alert, severity_rank
from opssage.wire import format_time
from store.columns import database_now
from store.effects import announce
from store.known import Known, Target, identity
from store.placing import Placed
from store.rules import Rules
from store.tables import alerts, incidents
from store.timeline import tell

_NAME_CHARS = 512
_WORD_CHARS = 64


def write(
    connection: Connection,
    group: AlertGroup,
    known: Known,
    placed: Sequence[Placed],
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


def _row(sender: str, placed: Placed) -> dict[str, Any]:
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


def _opening(group: AlertGroup, target: Target, previous_id: UUID | None) -> dict[str, Any]:
    return {
        "incident_id": target.incident_id,
        "previous_id": previous_id,
        "truncated_alerts": group.truncated_alerts,
        **identity(group),
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


def _join(connection: Connection, group: AlertGroup, target: Target, rules: Rules) -> None:
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
