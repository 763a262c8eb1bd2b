"""T21, T22, T24, T25: the database dies, is restarted, is full, is locked, or freezes."""

import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from faults import checker
from faults.checker import Outcome
from faults.cluster import Layout
from faults.matrix import LOAD_SECONDS, STEADY, Run, fault
from faults.processes import Process

_FULL = LOAD_SECONDS >= 10  # `make faults`, not the hasty subset
_AWAY_SECONDS = 3.0
_LOCK_SECONDS = 20.0 if _FULL else 7.0
_WRITER_SECONDS = 7.0
_FROZEN_SECONDS = 12.0 if _FULL else 7.0
_FULL_SECONDS = 4.0
_TURNS = 5
_SHORT = replace(STEADY, seconds=min(STEADY.seconds, 6))
_OWN = Layout(own_postgres=True)
_ONE_CONNECTION = Layout(settings={"database": {"pool_size": 1, "max_overflow": 0}})
_DISK_MEGABYTES = 160
_BALLAST_BYTES = 2**16
_HEAVY_BYTES = 8000
_THREADS = 8  # that serve requests, by default: they are started when they are needed


@fault("T21", "PostgreSQL killed, back 3 s later", _OWN, databases=("postgresql",), quick=True)
def postgres_killed(run: Run) -> Iterator[None]:
    """Whoever sends is told to come again, and nothing else goes wrong."""
    yield from _without(run, _postgres(run).kill)


def _without(run: Run, leave: Callable[[], object]) -> Iterator[None]:
    leave()
    gone_at = time.time()
    time.sleep(_AWAY_SECONDS)
    back_at = time.time()
    _postgres(run).start()
    outcome: Outcome = yield
    asked = [each for each in run.alertmanager.record.attempts if gone_at < each.at]
    meanwhile = {each.status for each in asked if each.at + each.seconds < back_at}
    assert meanwhile == {503}
    _assert_only_refused(outcome)


@fault(
    "T22",
    "every session ended five times, then PostgreSQL shut down in order for 3 s",
    _OWN,
    databases=("postgresql",),
)
def sessions_ended(run: Run) -> Iterator[None]:
    """Whoever was in a transaction is told to come again."""
    ended = 0
    with checker.reading(run.cluster.database_url) as connection:
        for _ in range(_TURNS):
            time.sleep(0.3)
            ended += connection.exec_driver_sql(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).scalar_one()
    assert ended > _TURNS
    run.remark = f"{ended} sessions"
    yield from _without(run, _postgres(run).terminate)


@fault("T24", "disk full for 4 s", _OWN, load=None)
def disk_full(run: Run) -> Iterator[None]:
    """What cannot be written is refused, and taken when there is space again."""
    with _small_disk(run) as disk:
        sending = run.alertmanager.start(_SHORT)
        time.sleep(_SHORT.seconds / 2)
        ballast = disk / "ballast"
        _fill(ballast)
        heavy = [run.alertmanager.submit(_heavy(run.alertmanager.next_alert())) for _ in range(8)]
        time.sleep(_FULL_SECONDS)
        ballast.unlink()
        run.healed()
        for group in sending.result():
            group.result()
        assert {each.result() for each in heavy} == {202}
        told = run.cluster.web.said()
        outcome: Outcome = yield
        assert "No space left on device" in told or "database or disk is full" in told
        assert outcome.refused > 0
        _assert_only_refused(outcome)


def _heavy(alert: dict[str, Any]) -> dict[str, Any]:
    """Return an alert for which no page of the database has space left."""
    return {**alert, "annotations": {"description": secrets.token_hex(_HEAVY_BYTES)}}


@contextmanager
def _small_disk(run: Run) -> Iterator[Path]:
    """Move the database to a small disk of its own for the length of the block."""
    cluster = run.cluster
    moved = cluster.folder / "opssage.db"
    stopped = list(cluster.processes)
    if cluster.postgres:
        assert cluster.postgres.command.folder is not None
        moved = cluster.postgres.command.folder / "cluster"
        stopped.append(cluster.postgres)
    for process in stopped:
        process.terminate()
    disk = moved.with_name("disk")
    disk.mkdir()
    if not _done("mount", "-t", "tmpfs", "-o", f"size={_DISK_MEGABYTES}m", "tmpfs", str(disk)):
        pytest.skip("mounting a small disk takes root")
    try:
        assert _done("cp", "-a", str(moved), str(disk))
        shutil.rmtree(moved) if moved.is_dir() else moved.unlink()
        moved.symlink_to(disk / moved.name)
        for process in reversed(stopped):
            process.start()
        yield disk
    finally:
        _done("umount", "--lazy", str(disk))


def _done(*argv: str) -> bool:
    return subprocess.run(argv, check=False).returncode == 0  # our own argument list, no shell


def _fill(ballast: Path) -> None:
    """Leave no space on the disk of a file."""
    with ballast.open("wb", buffering=0) as file:
        for size in (_BALLAST_BYTES, 1):
            while True:
                try:
                    file.write(b"\0" * size)
                except OSError:
                    break


@fault("T25", "tables locked for 20 s", databases=("postgresql",))
def tables_locked(run: Run) -> Iterator[None]:
    """Requests are refused in time, and leave no thread behind."""
    yield from _stalled(run, _lock(run), _LOCK_SECONDS)


@fault(
    "T25",
    "somebody writes for 7 s",
    databases=("sqlite",),
    load=_SHORT,
    variant="one writer at a time",
)
def writer_stays(run: Run) -> Iterator[None]:
    """The same with SQLite, where whoever writes locks everything."""
    yield from _stalled(run, _lock(run), _WRITER_SECONDS)


@fault(
    "T25",
    "tables locked, one connection for all threads",
    _ONE_CONNECTION,
    databases=("postgresql",),
    load=_SHORT,
    variant="pool exhausted",
)
def pool_exhausted(run: Run) -> Iterator[None]:
    """The same for those who do not even get a connection."""
    yield from _stalled(run, _lock(run), _WRITER_SECONDS)
    assert "QueuePool limit" in run.cluster.web.said()


@fault(
    "T25",
    "PostgreSQL frozen for 12 s",
    _OWN,
    databases=("postgresql",),
    load=_SHORT,
    variant="SIGSTOP",
)
def postgres_frozen(run: Run) -> Iterator[None]:
    """The same with a server that takes connections and keeps no time limit."""
    postgres = _postgres(run)
    postgres.stop()
    yield from _stalled(run, postgres.resume, _FROZEN_SECONDS)


_LOCKING = {
    "postgresql": "LOCK TABLE incidents, alerts IN ACCESS EXCLUSIVE MODE",
    "sqlite": "BEGIN IMMEDIATE",
}


def _lock(run: Run) -> Callable[[], None]:
    """Lock what ingest writes to; returns what unlocks it."""
    held = ExitStack()
    connection = held.enter_context(checker.reading(run.cluster.database_url))
    connection.exec_driver_sql(_LOCKING[run.cluster.database])
    return held.close


def _stalled(run: Run, release: Callable[[], object], seconds: float) -> Iterator[None]:
    before = _threads(run.cluster.web)
    stalled_at = time.time()
    time.sleep(seconds)
    back_at = time.time()
    release()
    outcome: Outcome = yield
    asked = [each for each in run.alertmanager.record.attempts if stalled_at < each.at]
    refused = [each for each in asked if each.at + each.seconds < back_at]
    assert {each.status for each in refused} == {503}
    _assert_only_refused(outcome)
    run.remark = f"refused after {max(each.seconds for each in refused):.1f} s at the latest"
    assert _threads(run.cluster.web) <= before + _THREADS


def _threads(process: Process) -> int:
    status = [Path(f"/proc/{pid}/status").read_text() for pid in process.tree]
    return sum(int(re.findall(r"^Threads:\s+(\d+)$", told, re.MULTILINE)[0]) for told in status)


def _postgres(run: Run) -> Process:
    assert run.cluster.postgres is not None
    return run.cluster.postgres


def _assert_only_refused(outcome: Outcome) -> None:
    """Nobody got another answer than yes or not now, and nobody got none."""
    assert set(outcome.statuses) <= {202, 503}, outcome.statuses
