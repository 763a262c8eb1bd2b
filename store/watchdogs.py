"""A Watchdog alert always fires, so its silence is an alert: then nothing may reach us."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from opssage.fingerprint import fingerprint
from opssage.incident import Alert, AlertGroup, AlertStatus, Disposition
from store import ingest
from store.columns import age_seconds
from store.rules import Rules
from store.tables import alerts

NAME = "WatchdogMissing"
_RECEIVER = "opssage"
_SUMMARY = (
    "the Watchdog alert of this sender has stopped: its Prometheus, its Alertmanager or the way "
    "from there is down, and other alerts may not arrive"
)


def check(connection: Connection, rules: Rules) -> int:
    """Open an incident for every silent Watchdog and end it on its return; returns how many fire.

    One that has been silent for longer than `ingest.stale_seconds` beyond that is taken as gone.
    """
    seconds = rules.ingest.watchdog_seconds
    if seconds is None:
        return 0
    missing = 0
    # of several starts of one, the latest counts
    newest = {(row.sender, row.fingerprint): row for row in connection.execute(_WATCHDOGS)}
    for row in newest.values():
        is_silent = row.status != AlertStatus.FIRING or row.age > seconds
        if is_silent and row.age <= seconds + rules.ingest.stale_seconds:
            _record(connection, _missing(row), row.sender, rules)
            missing += 1
        elif not is_silent and (told := _told(connection, row)):
            back = _missing(row, since=told, until=row.last_seen_at)
            _record(connection, back, row.sender, rules)
    return missing


def _record(connection: Connection, alert: Alert, sender: str, rules: Rules) -> None:
    group = AlertGroup(
        alerts=(alert,),
        sender=sender,
        receiver=_RECEIVER,
        group_key=f"{NAME}:{alert.fingerprint}",
    )
    ingest.record(connection, [group], rules)


def _labels(watchdog: Mapping[str, str]) -> dict[str, str]:
    return {**watchdog, "alertname": NAME, "severity": "critical"}


def _missing(
    row: Row[*tuple[Any, ...]], since: datetime | None = None, until: datetime | None = None
) -> Alert:
    """Return our alert about a Watchdog: it began when that was last heard of."""
    labels = _labels(row.labels)
    return Alert(
        labels=labels,
        annotations={"summary": _SUMMARY},
        starts_at=since or row.last_seen_at,
        ends_at=until,
        status=AlertStatus.RESOLVED if until else AlertStatus.FIRING,
        fingerprint=fingerprint(labels),
    )


def _told(connection: Connection, row: Row[*tuple[Any, ...]]) -> datetime | None:
    """Return the start of our alert while it fires."""
    return connection.scalar(
        select(alerts.c.starts_at).where(
            alerts.c.sender == row.sender,
            alerts.c.fingerprint == fingerprint(_labels(row.labels)),
            alerts.c.status == AlertStatus.FIRING.value,
        )
    )


_WATCHDOGS = (
    select(
        alerts.c.sender,
        alerts.c.fingerprint,
        alerts.c.labels,
        alerts.c.status,
        alerts.c.last_seen_at,
        age_seconds(alerts.c.last_seen_at).label("age"),
    )
    .where(alerts.c.incident_id.is_(None), alerts.c.disposition == Disposition.WATCHDOG.value)
    .order_by(alerts.c.sender, alerts.c.fingerprint, alerts.c.starts_at)
)
