"""Rows to values: the only place where a database row becomes one of our words."""

from typing import Any

from sqlalchemy import Row

from opssage.incident import Alert, AlertStatus, Incident, Status
from store.tables import incidents

DOCUMENTS = ("alert_input", "primary_context", "enhanced_context", "diagnostic_report")

SUMMARY = [
    incidents.c[name]
    for name in (
        "incident_id",
        "status",
        "created_at",
        "updated_at",
        "alert_name",
        "severity",
        "namespace",
        "service",
        "sender",
        "receiver",
        "resolved_at",
        "previous_id",
        "revision",
        "alert_seq",
        "version",
        "truncated_alerts",
        "flap_count",
        "flapping",
        "acked_at",
        "acked_by",
        "root_cause",
        "confidence_score",
        "last_error",
    )
]
"""What a list shows: everything but the documents, which may be large."""

WHOLE = [*SUMMARY, *(incidents.c[name] for name in DOCUMENTS)]


def incident(row: Row[Any]) -> Incident:
    """Make an incident of a row that holds `SUMMARY` and any of the documents."""
    return incident_of(row._asdict())


def incident_of(values: dict[str, Any]) -> Incident:
    """Make an incident of the columns of its row."""
    return Incident(**{**values, "status": Status(values["status"])})


def alert(row: Row[Any]) -> Alert:
    """Make an alert of a row of `alerts`."""
    return Alert(
        labels=row.labels,
        annotations=row.annotations,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        fingerprint=row.fingerprint,
        status=AlertStatus(row.status),
        generator_url=row.generator_url,
        firing_condition=row.firing_condition,
        expires_at=row.stale_at,
        extra=row.extra or {},
    )
