"""The floor of the web: Flask handlers that do the one thing which cannot be left out.

They insert the same rows into the same tables, with the same indexes, as ours; nothing is
checked, no alert is looked up, nothing is published and no line is logged.
"""

import os
import threading
from typing import Any
from uuid import uuid4

import floor_sqlite
import orjson
import psycopg2
from flask import Flask, Response, request
from psycopg2.extras import execute_values

_INCIDENT = """
    INSERT INTO incidents (incident_id, status, created_at, updated_at, next_attempt_at,
                           alert_input, alert_name, severity, namespace, service,
                           sender, receiver, group_key, priority)
    VALUES (%s, 'pending', now(), now(), now(), %s, %s, %s, %s, %s, 'default', %s, %s, 0)
"""
_ALERTS = """
    INSERT INTO alerts (fingerprint, starts_at, sender, incident_id, status, labels, annotations,
                        generator_url, firing_condition, first_seen_at, last_seen_at)
    VALUES %s
"""
_ALERT_ROW = "(%s, %s, 'default', %s, %s, %s, %s, %s, '', now(), now())"

app = Flask(__name__, static_folder=None)
_of_thread = threading.local()


@app.post("/single")
def store_incident() -> Response:
    """Insert one incident."""
    body = orjson.loads(request.get_data())
    connection = _connection()
    with connection, connection.cursor() as cursor:
        incident_id = _insert_incident(cursor, body)
    return _stored(incident_id)


@app.post("/group")
def store_group() -> Response:
    """Insert one incident, and its alerts in one statement."""
    body = orjson.loads(request.get_data())
    connection = _connection()
    with connection, connection.cursor() as cursor:
        incident_id = _insert_incident(cursor, body)
        rows = [
            (
                alert["fingerprint"],
                alert["startsAt"],
                incident_id,
                alert["status"],
                orjson.dumps(alert["labels"]).decode(),
                orjson.dumps(alert["annotations"]).decode(),
                alert["generatorURL"],
            )
            for alert in body["alerts"]
        ]
        execute_values(cursor, _ALERTS, rows, template=_ALERT_ROW)
    return _stored(incident_id)


@app.post("/group-sqlite")
def store_group_in_sqlite() -> Response:
    """Insert one incident, and its alerts in one statement, into SQLite."""
    body = orjson.loads(request.get_data())
    return _stored(floor_sqlite.insert_group(body, os.environ["DATABASE_URL"]))


@app.get("/empty")
def answer_nothing() -> Response:
    """Answer without doing anything."""
    return Response(status=304)


def _connection() -> Any:
    if not hasattr(_of_thread, "connection"):
        _of_thread.connection = psycopg2.connect(os.environ["DATABASE_URL"])
    return _of_thread.connection


def _insert_incident(cursor: Any, body: dict[str, Any]) -> str:
    first, incident_id = body["alerts"][0], str(uuid4())
    labels = first["labels"]
    document = orjson.dumps(first).decode()
    shown = (labels["alertname"], labels["severity"], labels["namespace"], labels["service"])
    cursor.execute(_INCIDENT, (incident_id, document, *shown, body["receiver"], body["groupKey"]))
    return incident_id


def _stored(incident_id: str) -> Response:
    return Response(orjson.dumps({"incident_id": incident_id}), 202, mimetype="application/json")
