"""The floor on SQLite: the rows of a group in one transaction that is synced to disk."""

import sqlite3
import threading
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson

_INCIDENT = """
    INSERT INTO incidents (incident_id, status, created_at, updated_at, next_attempt_at,
                           alert_input, alert_name, severity, namespace, service,
                           sender, receiver, group_key, priority)
    VALUES (?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, 'default', ?, ?, 0)
"""
_ALERT = """
    INSERT INTO alerts (fingerprint, starts_at, sender, incident_id, status, labels, annotations,
                        generator_url, firing_condition, first_seen_at, last_seen_at)
    VALUES (?, ?, 'default', ?, ?, ?, ?, ?, '', ?, ?)
"""
_of_thread = threading.local()


def insert_group(body: dict[str, Any], database_url: str) -> str:
    """Insert one incident and its alerts; returns its id."""
    connection = _connection(database_url)
    incident_id, now = str(uuid4()), _spelled(datetime.now(UTC))
    first = body["alerts"][0]
    labels = first["labels"]
    shown = (labels["alertname"], labels["severity"], labels["namespace"], labels["service"])
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        connection.execute(
            _INCIDENT,
            (incident_id, now, now, now, _text(first), *shown, body["receiver"], body["groupKey"]),
        )
        connection.executemany(
            _ALERT,
            (
                (
                    alert["fingerprint"],
                    _spelled(datetime.fromisoformat(alert["startsAt"])),
                    incident_id,
                    alert["status"],
                    _text(alert["labels"]),
                    _text(alert["annotations"]),
                    alert["generatorURL"],
                    now,
                    now,
                )
                for alert in body["alerts"]
            ),
        )
    return incident_id


def _connection(database_url: str) -> sqlite3.Connection:
    if not hasattr(_of_thread, "connection"):
        path = database_url.removeprefix("sqlite:///")
        _of_thread.connection = sqlite3.connect(path, timeout=4, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            _of_thread.connection.execute(f"PRAGMA {pragma}")
    connection: sqlite3.Connection = _of_thread.connection
    return connection


def _spelled(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def _text(document: Any) -> str:
    return orjson.dumps(document).decode()
