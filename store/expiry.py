"""Alerts whose end never comes: they are over once they have not been sent for too long."""

from typing import Any

from sqlalchemy import Connection, Integer, Row, bindparam, case, func, select, tuple_, update

from opssage.incident import AlertStatus
from store.columns import database_now
from store.filing import close
from store.known import lock_names, locked_targets
from store.placing import ANNOUNCED, EXPIRED
from store.rules import Rules
from store.tables import alerts


def end_stale(connection: Connection, limit: int, rules: Rules) -> int:
    """End up to `limit` firing alerts that are overdue, the longest first; returns how many.

    They ended as their sender announced; if it did not, when they were last heard of, as far as
    anybody knows.
    """
    overdue = connection.execute(_FIND, {"most": limit}).all()
    if not overdue:
        return 0
    lock_names(connection, [(row.sender, row.fingerprint) for row in overdue])
    ids = sorted({row.incident_id for row in overdue if row.incident_id})
    targets = locked_targets(connection, ids, rules.ingest) if ids else {}
    # what has been sent again meanwhile is not overdue any more
    ended = connection.execute(_END, {"keys": [_key(row) for row in overdue]}).all()
    touched = {row.incident_id for row in ended if row.incident_id}
    if touched:
        mine = [target for key, target in targets.items() if key in touched]
        close(connection, mine, {"reason": EXPIRED})
    return len(ended)


def _key(row: Row[*tuple[Any, ...]]) -> tuple[Any, ...]:
    return row.fingerprint, row.starts_at, row.sender


_is_overdue = (
    alerts.c.status == AlertStatus.FIRING.value,
    alerts.c.stale_at <= database_now(),
)
_FIND = (
    select(alerts.c.fingerprint, alerts.c.starts_at, alerts.c.sender, alerts.c.incident_id)
    .where(*_is_overdue)
    .order_by(alerts.c.stale_at)
    .limit(bindparam("most", type_=Integer))
)
_END = (
    update(alerts)
    .where(
        tuple_(alerts.c.fingerprint, alerts.c.starts_at, alerts.c.sender).in_(
            bindparam("keys", expanding=True)
        ),
        *_is_overdue,
    )
    .values(
        status=AlertStatus.RESOLVED.value,
        ends_at=case(
            (alerts.c.end_reason == ANNOUNCED, alerts.c.stale_at), else_=alerts.c.last_seen_at
        ),
        end_reason=func.coalesce(alerts.c.end_reason, EXPIRED),
        closed_at=database_now(),
        stale_at=None,
    )
    .returning(alerts.c.fingerprint, alerts.c.incident_id)
)
