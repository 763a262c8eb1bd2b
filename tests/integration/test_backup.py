"""Backups that were restored: the database as it was, whatever the broker remembers."""

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from past import alone, over
from sqlalchemy import select
from steps import claimed, completed

from cli import backups, child
from cli.child import Command
from cli.exits import CommandError
from opssage.errors import LostClaimError
from opssage.incident import Stage, Status
from opssage.settings import DatabaseSettings, load
from store import connect, engine, tables
from tasks.pipeline import investigation
from worker.app import create
from worker.dispatch import dispatch, waiting

ROOT = Path(__file__).parents[2]


def settings_of(database: DatabaseSettings, **environ: str):
    """Return default settings on this database."""
    return load(environ={"DATABASE_URL": database.url, **environ})


def restored(database: DatabaseSettings, file: Path, folder: Path) -> DatabaseSettings:
    """Restore a backup beside the database that it was made of, as docs/operations.md says."""
    if file.suffix == ".db":
        shutil.copy(file, folder / "restored.db")
        return DatabaseSettings(url=f"sqlite:///{folder}/restored.db")
    server, _, _ = database.url.rpartition("/")
    name = f"restored_{uuid4().hex}"
    programs = backups.clients(15)
    subprocess.run([programs / "createdb", f"--maintenance-db={database.url}", name], check=True)
    subprocess.run(
        [programs / "pg_restore", "--exit-on-error", f"--dbname={server}/{name}", file], check=True
    )
    return DatabaseSettings(url=f"{server}/{name}")


def commits(database: DatabaseSettings) -> Counter[tuple[UUID, str]]:
    """Count how often each stage of each incident was committed."""
    bound = engine.create(database, Path())
    events = tables.incident_events
    kinds = [stage.reaches.value for stage in Stage]
    with bound.connect() as connection:
        rows = connection.execute(
            select(events.c.incident_id, events.c.kind).where(events.c.kind.in_(kinds))
        ).all()
    bound.dispose()
    return Counter((row.incident_id, row.kind) for row in rows)


def test_a_restored_database_is_as_it_was(store, database, tmp_path):
    """Live incidents, the archive and the schema; what came later is not there."""
    kept, archived = alone(store, "Kept"), over(store, "Archived")
    completed(store, kept)
    store.archive_incidents(1, 10)
    before = [store.get_incident(each) for each in (kept, archived)]
    made = backups.write(settings_of(database), tmp_path / "backups", 7)
    later = alone(store, "Later")

    again = connect(restored(database, made, tmp_path), Path())

    assert again.is_at_head()
    assert [again.get_incident(each) for each in (kept, archived)] == before
    assert again.list_alerts(archived) == store.list_alerts(archived)
    assert again.get_incident(later) is None
    again.close()


def test_messages_from_after_the_backup_do_nothing(store, database, tmp_path):
    """Neither for an incident nor for a stage that the restored database does not know."""
    incident_id = alone(store, "Kept")
    made = backups.write(settings_of(database), tmp_path / "backups", 7)
    later = alone(store, "Later")
    epoch = claimed(store, incident_id).epoch
    store.update_primary_context(incident_id, epoch, {"alert_seq": 1})
    ahead = claimed(store, incident_id, Stage.ENRICH).epoch
    again = connect(restored(database, made, tmp_path), Path())
    before = again.get_incident(incident_id)

    for stage in Stage:
        assert claimed(again, later, stage) is None
    for stage in (Stage.ENRICH, Stage.DIAGNOSE):
        assert claimed(again, incident_id, stage) is None
    with pytest.raises(LostClaimError):
        again.update_enhanced_context(incident_id, ahead, {})

    assert again.get_incident(incident_id) == before
    completed(again, incident_id)
    assert again.get_incident(incident_id).status is Status.COMPLETED
    again.close()


def test_a_backup_of_a_database_that_is_written_to_is_of_one_moment(store, database, tmp_path):
    """Each incident in it has its alerts, and no alert is without its incident."""
    stop = time.monotonic() + 1
    writer = subprocess.Popen([sys.executable, "-c", WRITES, database.url])
    files = []
    while time.monotonic() < stop or writer.poll() is None:
        files.append(backups.write(settings_of(database), tmp_path / "backups", 100))

    assert writer.returncode == 0
    again = connect(restored(database, files[0], tmp_path), Path())
    for incident in again.list_incidents(limit=200):
        assert len(again.list_alerts(incident.incident_id)) == 1
    again.close()


WRITES = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from past import alone
from opssage.settings import DatabaseSettings
from store import connect
store = connect(DatabaseSettings(url=sys.argv[1]), Path())
for number in range(100):
    alone(store, f"A{number}")
"""


@pytest.fixture
def postgres(new_postgres_url) -> DatabaseSettings:
    """Settings of an empty PostgreSQL database."""
    return DatabaseSettings(url=new_postgres_url)


def test_the_password_is_on_no_command_line(postgres, tmp_path, monkeypatch):
    """Whoever lists the processes of the machine does not see it; pg_dump does."""
    for name in ("pg_dump", "pg_restore"):
        program = tmp_path / name
        program.write_text(
            '#!/bin/sh\n[ "$1" = --version ] && echo "PostgreSQL 99" && exit\n'
            f'echo "$@" >> {tmp_path}/words; printf %s "$PGPASSWORD" >> {tmp_path}/secret\n'
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    backups.write(settings_of(postgres), tmp_path / "backups", 7)

    password = urlsplit(postgres.url).password
    assert (tmp_path / "secret").read_text() == password
    assert "--format=custom" in (tmp_path / "words").read_text()
    assert password not in (tmp_path / "words").read_text()


def test_a_backup_asks_every_host_of_the_url(postgres, tmp_path):
    """As the service does: the first that answers, though another one is dead."""
    parts = urlsplit(postgres.url)
    user = parts.netloc.rpartition("@")[0]
    hosts = f"host=127.0.0.1:{parts.port}&host=127.0.0.1:1"
    several = DatabaseSettings(url=f"postgresql://{user}@{parts.path}?{hosts}")

    made = backups.write(settings_of(several), tmp_path / "backups", 7)

    assert connect(restored(postgres, made, tmp_path), Path()).is_at_head()


def test_a_backup_refuses_what_pg_dump_takes_on_its_command_line_alone(postgres, tmp_path):
    """The passphrase of a key; the person is told what to do instead."""
    secret = DatabaseSettings(url=f"{postgres.url}?sslpassword=hunter2")

    with pytest.raises(CommandError, match="a key without a passphrase") as refused:
        backups.write(settings_of(secret), tmp_path / "backups", 7)

    assert "hunter2" not in str(refused.value)


def test_work_goes_on_after_a_restore_with_the_broker_ahead(postgres, broker_url, tmp_path):
    """Real messages of a time that did not happen: all that was unfinished completes, once."""
    config = tmp_path / "config.yaml"
    config.write_text("worker: {resend_seconds: 1, dispatch_seconds: 0.5}\n")
    environ = {"DATABASE_URL": postgres.url, "OPSSAGE_BROKER_URL": broker_url}
    settings = load(config, environ)
    store, app = connect(postgres, Path()), create(settings)
    finished = alone(store, "Finished")
    completed(store, finished)
    # one whose message is lost, one whose message waits, one whose stage is running
    lost, waits, runs = (alone(store, name) for name in ("Lost", "Waits", "Runs"))
    store.take_due(1, 1)
    claimed(store, runs, lease_seconds=2)
    made = backups.write(settings, tmp_path / "backups", 7)
    later = alone(store, "Later")
    with app.producer_or_acquire() as producer:
        before = waiting(producer.channel)
        dispatch(app, store, settings.worker)
        assert waiting(producer.channel) == before + 2
    for stages in ([Stage.ENRICH, Stage.DIAGNOSE], [Stage.DIAGNOSE]):
        investigation(waits, stages, app).apply_async()
        investigation(runs, stages, app).apply_async()
    store.close()

    database = restored(postgres, made, tmp_path)
    again = connect(database, Path())
    unfinished = {lost, waits, runs}
    environ |= {"DATABASE_URL": database.url, "OPSSAGE_CONFIG": str(config)}
    with ExitStack() as processes:
        for words in (
            ("celery", "-A", "worker", "worker", "--pool", "solo"),
            ("python", "-m", "worker.dispatcher"),
        ):
            program = str(Path(sys.executable).with_name(words[0]))
            command = Command(argv=(program, *words[1:]), env=environ, folder=ROOT)
            processes.enter_context(child.running(command, lambda: True))
        deadline = time.monotonic() + 60
        while not all(again.get_incident(each).status.is_terminal for each in unfinished):
            assert time.monotonic() < deadline, again.list_incidents()
            time.sleep(0.2)
        with app.producer_or_acquire() as producer:
            while waiting(producer.channel):
                assert time.monotonic() < deadline
                time.sleep(0.2)

    kept = {each.incident_id: each.status for each in again.list_incidents()}
    assert kept == dict.fromkeys({finished, *unfinished}, Status.COMPLETED)
    assert later not in kept
    assert set(commits(database).values()) == {1}
    again.close()
    app.close()
