"""Alerts, groups and documents with defaults, so that a test shows only what matters to it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from opssage.fingerprint import fingerprint
from opssage.incident import Alert, AlertGroup, AlertStatus

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

REPORT: dict[str, Any] = {
    "verdict": "fault",
    "root_cause": "Configuration value DATABASE_URL is invalid",
    "confidence_score": 0.8,
    "category": "configuration",
    "recommended_remediation": {
        "short_term_actions": [{"action": "Correct the value"}],
        "long_term_actions": [],
    },
}


def at(seconds: float) -> datetime:
    """Return the time so long after noon."""
    return NOON + timedelta(seconds=seconds)


def alert(
    name: str = "HighErrorRate",
    *,
    starts_at: datetime = NOON,
    resolved_after: float | None = None,
    **labels: str,
) -> Alert:
    """Return a firing alert, or one resolved some seconds after its start."""
    chosen = {"alertname": name, "severity": "warning", "namespace": "shop", **labels}
    ended = None if resolved_after is None else starts_at + timedelta(seconds=resolved_after)
    return Alert(
        labels=chosen,
        annotations={"summary": f"{name} fires"},
        starts_at=starts_at,
        ends_at=ended,
        status=AlertStatus.FIRING if ended is None else AlertStatus.RESOLVED,
        fingerprint=fingerprint(chosen),
    )


def group(
    *alerts: Alert, key: str = '{}:{alertname="HighErrorRate"}', **envelope: Any
) -> AlertGroup:
    """Return a group of these alerts, or of one."""
    return AlertGroup(
        alerts=alerts or (alert(),), **{"receiver": "opssage", "group_key": key, **envelope}
    )
