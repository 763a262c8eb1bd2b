"""The floor of the pipeline: a bare Celery chain of three tasks with one UPDATE each.

Celery's options are ours, but for the names of tasks and queues.
"""

import os
from functools import cache
from typing import Any

import psycopg2
from celery import Celery, Signature, chain
from kombu import Queue

from opssage.incident import Stage
from opssage.settings import load
from worker.options import options

DOCUMENT_BYTES = "FLOOR_DOCUMENT_BYTES"
"""Environment variable: the sizes of the three documents, with commas between."""

_NAMES = {stage: f"floor.{stage.value}" for stage in Stage}

app = Celery("floor")
app.conf.update(
    options(load()),
    task_queues=[Queue(name, routing_key=name) for name in _NAMES.values()],
    task_routes={name: {"queue": name} for name in _NAMES.values()},
    task_default_queue=_NAMES[Stage.COLLECT],
)


@app.task(name=_NAMES[Stage.COLLECT])
def collect(incident_id: str) -> None:
    """Write the first document."""
    _write(Stage.COLLECT, incident_id)


@app.task(name=_NAMES[Stage.ENRICH])
def enrich(incident_id: str) -> None:
    """Write the second document."""
    _write(Stage.ENRICH, incident_id)


@app.task(name=_NAMES[Stage.DIAGNOSE])
def diagnose(incident_id: str) -> None:
    """Write the third document."""
    _write(Stage.DIAGNOSE, incident_id)


def three_steps(incident_id: str) -> Signature:
    """Return the chain for one incident."""
    return chain(collect.si(incident_id), enrich.si(incident_id), diagnose.si(incident_id))


def _write(stage: Stage, incident_id: str) -> None:
    connection = _connection()
    with connection, connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE incidents SET {stage.document} = %s, status = %s,"
            " updated_at = clock_timestamp() WHERE incident_id = %s",
            (_document(stage), stage.reaches.value, incident_id),
        )


@cache
def _connection() -> Any:
    """Return this process' connection: tasks run after the fork."""
    return psycopg2.connect(os.environ["DATABASE_URL"])


@cache
def _document(stage: Stage) -> str:
    size = int(os.environ[DOCUMENT_BYTES].split(",")[list(Stage).index(stage)])
    items = ", ".join(f'"item {number}": "{number**7:x}"' for number in range(size))
    return "{" + items[: max(size - 20, 0)].rpartition(", ")[0] + "}"
