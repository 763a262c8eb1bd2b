"""How a worker ends: real processes, a real broker, and children that hang."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from factories import group
from running_stack import children, is_running, until
from sqlalchemy import select

from cli.embedded import broker
from opssage import beats
from opssage.incident import Status
from opssage.settings import Settings, load
from store import Store, connect, engine, tables
from worker import app as worker_app
from worker.dispatch import dispatch
from worker.rounds import Rounds

CONFIG = """
collect: {deadline_seconds: 50}
worker: {concurrency: 1, lease_seconds: 60, stage_seconds: 60}
"""
IMPATIENT = """
collect: {deadline_seconds: 4}
worker: {concurrency: 1, stage_seconds: 5, silence_seconds: 6, canary_seconds: 5}
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of a migrated database and a broker of the test's own, for our children too."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    with broker.running(tmp_path / "broker") as url:
        monkeypatch.setenv("OPSSAGE_CONFIG", str(tmp_path / "config.yaml"))
        monkeypatch.setenv("OPSSAGE_BROKER_URL", url)
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/opssage.db")
        monkeypatch.setenv("REMAP_SIGTERM", "SIGQUIT")
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
        yield load()


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """A store on that database."""
    opened = connect(settings.database, settings.folder)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def published(settings: Settings, store: Store) -> Iterator[None]:
    """An incident whose message waits at the broker."""
    store.create_incident(group())
    app = worker_app.create(settings)
    dispatch(app, store, settings.worker)
    yield
    app.close()


@contextmanager
def worker(slow_seconds: float, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker for the length of the block, entered once it has a child."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "slow_worker", "worker", "--without-mingle"],
            env={**os.environ, "SLOW_SECONDS": str(slow_seconds)},
            stdout=output,
            stderr=output,
        )
    try:
        until(lambda: children(process.pid))
        yield process
    finally:
        process.kill()
        process.wait()


def held(settings: Settings) -> tuple[str | None, int]:
    """Return who holds the one incident, and how often it was tried."""
    bound = engine.create(settings.database, settings.folder)
    columns = tables.incidents.c
    with bound.connect() as connection:
        row = connection.execute(select(columns.lease_owner, columns.attempts)).one()
    bound.dispose()
    return row.lease_owner, row.attempts


def test_an_interrupted_stage_is_given_back_uncounted(settings, store, published, tmp_path):
    """A stage that outlasts the shutdown is free as soon as its worker has ended."""
    with worker(60, tmp_path / "log") as process:
        owner, attempts = until(lambda: (now := held(settings))[0] and now)
        assert attempts == 1
        assert owner.endswith(f"/{process.pid}")

        process.terminate()
        process.wait(30)

    assert held(settings) == (None, 0)
    assert [i.status for i in store.list_incidents()] == [Status.PENDING]


def test_a_stage_that_ends_in_time_is_committed(settings, store, published, tmp_path):
    """A worker that is stopped waits a little for what it works on."""
    with worker(1, tmp_path / "log") as process:
        until(lambda: held(settings)[0])

        process.terminate()
        process.wait(30)

    (incident,) = store.list_incidents()
    assert incident.status is not Status.PENDING
    assert held(settings) == (None, 0)


def test_canaries_come_through_every_queue(settings, store, tmp_path):
    """A worker that takes messages from all queues leaves a sign of life for each."""
    app = worker_app.create(settings)
    Rounds(app, store, settings.worker).round()

    with worker(0, tmp_path / "log"):
        until(lambda: set(store.beats()) == set(beats.KNOWN))
    app.close()


def test_a_worker_whose_children_hang_ends_with_a_fault(settings, store, tmp_path):
    """It kills them and leaves, so that its supervisor starts it anew."""
    (tmp_path / "config.yaml").write_text(IMPATIENT)
    app = worker_app.create(settings)
    with worker(0, tmp_path / "log") as process:
        Rounds(app, store, settings.worker).round()
        # all canaries are through: a child that is stopped while it writes would hold the database
        until(lambda: set(store.beats()) == set(beats.KNOWN))
        hanging = children(process.pid)
        for child in hanging:
            os.kill(child, signal.SIGSTOP)
        Rounds(app, store, settings.worker).round()

        assert process.wait(60) == 1
    app.close()

    assert b"worker_silent" in (tmp_path / "log").read_bytes()
    until(lambda: not any(map(is_running, hanging)))  # a signal takes a moment to be obeyed
