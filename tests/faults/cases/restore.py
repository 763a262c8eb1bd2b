"""T32: the database is restored from a backup, and the broker is ahead of it."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
from faults import buffer, checker, losses
from faults.checker import Outcome
from faults.matrix import Run, fault
from running_stack import OPSSAGE, until
from sqlalchemy import select

from cli.embedded import postgres
from opssage.incident import Stage, Status
from store.tables import incidents
from tasks.pipeline import task_name

_LATER = 3  # alerts after the backup
_STAGES = {task_name(stage): stage for stage in Stage}


@fault("T32", "database restored from a backup, the broker ahead of it")
def restored(run: Run) -> Iterator[None]:
    """Stale messages change nothing; what was unfinished in the backup is finished."""
    cluster, record = run.cluster, run.alertmanager.record
    run.failpoints.arm("enrich.work", "sleep", seconds=2, once=False)
    until(lambda: _in(Stage.ENRICH.expects, cluster.database_url) > 1)
    acked, ended = set(record.acked), set(record.ended)
    backup = _backup(run)
    run.failpoints.arm("diagnose.work", "sleep", seconds=60, once=False)
    run.failpoints.disarm("enrich.work")
    run.failpoints.await_fired("diagnose.work")
    for _ in range(_LATER):
        run.alertmanager.send(run.alertmanager.next_alert())
    for process in cluster.processes:
        process.kill()
    time.sleep(0.5)  # answers on their way
    later = {"acked": record.acked - acked, "ended": record.ended - ended}
    _restore(run, backup)
    gone = losses.forget(record, cluster.database_url, **later)
    assert gone >= _LATER
    run.remark = f"{gone} accepted after the backup are not in it, and are not counted"
    _assert_broker_is_ahead(run)
    run.failpoints.disarm("diagnose.work")
    run.healed()
    for process in cluster.processes:
        process.start()
    outcome: Outcome = yield
    assert outcome.incidents == outcome.completed


def _in(status: Status, url: str) -> int:
    with checker.reading(url) as connection:
        found = connection.execute(
            select(incidents.c.incident_id).where(incidents.c.status == status)
        )
        return len(found.all())


def _backup(run: Run) -> Path:
    """Back up as people do; returns the file."""
    folder = run.cluster.folder / "backups"
    env = {
        "OPSSAGE_CONFIG": str(run.cluster.folder / "config.yaml"),
        "DATABASE_URL": run.cluster.database_url,
    }
    argv = (OPSSAGE, "backup", "--to", str(folder))
    subprocess.run(argv, env={**os.environ, **env}, check=True)
    (file,) = folder.iterdir()
    return file


def _restore(run: Run, backup: Path) -> None:
    """Put the backup in place of the database, as docs/operations.md tells."""
    if run.cluster.database == "sqlite":
        for beside in run.cluster.folder.glob("opssage.db-*"):
            beside.unlink()
        shutil.copy(backup, run.cluster.folder / "opssage.db")
        return
    url = run.cluster.database_url
    server, name = url.rsplit("/", 1)
    connection = psycopg2.connect(f"{server}/postgres")
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            cursor.execute(f'CREATE DATABASE "{name}"')
    finally:
        connection.close()
    restore = str(postgres.find() / "pg_restore")
    subprocess.run((restore, "--exit-on-error", "--dbname", url, str(backup)), check=True)


def _assert_broker_is_ahead(run: Run) -> None:
    """It holds messages for incidents that are gone, and for stages that are not reached."""
    with checker.reading(run.cluster.database_url) as connection:
        rows = connection.execute(select(incidents.c.incident_id, incidents.c.status))
        status = {str(row.incident_id): row.status for row in rows}
    messages = _messages(run)
    assert any(incident_id not in status for _, incident_id in messages)
    assert any(status.get(each, stage.expects) != stage.expects for stage, each in messages)


def _messages(run: Run) -> list[tuple[Stage, str]]:
    """Return what waits for a worker, or for a worker's word that it is done."""
    with buffer.opened(run.cluster.broker_url) as client:
        raw = [json.loads(each) for queue in buffer.QUEUES for each in client.lrange(queue, 0, -1)]
        raw += [json.loads(each)[0] for each in client.hvals(f"{buffer.PREFIX}unacked")]
    named = [each for each in raw if each["headers"]["task"] in _STAGES]
    return [
        (_STAGES[each["headers"]["task"]], json.loads(base64.b64decode(each["body"]))[0][0])
        for each in named
    ]
