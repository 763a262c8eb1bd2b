"""T23: the database fails over to its standby."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
from faults import checker, losses
from faults.checker import Outcome
from faults.cluster import Layout
from faults.matrix import STEADY, Run, fault
from faults.processes import Process
from running_stack import until

from cli import child, ports
from cli.child import Command
from cli.embedded import postgres

_SHORT = replace(STEADY, seconds=min(STEADY.seconds, 6))
_OWN = Layout(own_postgres=True)
_LAG_SECONDS = 1.0
_NOTICE_SECONDS = 2.0  # until somebody notices and promotes the standby


@fault(
    "T23",
    "PostgreSQL killed, its synchronous standby promoted",
    _OWN,
    databases=("postgresql",),
    load=None,
    variant="synchronous",
)
def synchronous_failover(run: Run) -> Iterator[None]:
    """The service finds the standby by its URL, which names both, and nothing is lost."""
    with _standby(run) as (standby, url):
        _tell(run.cluster.database_url, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        _tell(run.cluster.database_url, "SELECT pg_reload_conf()")
        until(lambda: _replication(run.cluster.database_url, "sync_state") == "sync", 20)
        sending = run.alertmanager.start(_SHORT)
        time.sleep(_SHORT.seconds / 2)
        _kill_primary(run)
        _promote(run, url)
        for group in sending.result():
            group.result()
        outcome: Outcome = yield
        assert outcome.refused > 0
        assert set(outcome.statuses) <= {202, 503}, outcome.statuses
        assert standby.is_alive


@fault(
    "T23",
    "PostgreSQL killed, a standby promoted that is a second late",
    _OWN,
    databases=("postgresql",),
    load=None,
    variant="asynchronous",
)
def asynchronous_failover(run: Run) -> Iterator[None]:
    """What was acknowledged in that second is lost: it is counted, and not part of the promise."""
    record = run.alertmanager.record
    with _standby(run) as (standby, url):
        sending = run.alertmanager.start(_SHORT)
        time.sleep(_SHORT.seconds / 2)
        sender = int(_replication(run.cluster.database_url, "pid"))
        os.kill(sender, signal.SIGSTOP)
        time.sleep(_LAG_SECONDS)
        _kill_primary(run)
        acked, ended = set(record.acked), set(record.ended)
        _promote(run, url)
        for group in sending.result():
            group.result()
        lost = losses.forget(record, url, acked=acked, ended=ended)
        run.remark = f"{lost} accepted alerts or ends of alerts were lost, and are not counted"
        outcome: Outcome = yield
        assert outcome.refused > 0
        assert standby.is_alive


def _kill_primary(run: Run) -> None:
    assert run.cluster.postgres is not None
    run.cluster.postgres.kill()
    time.sleep(_NOTICE_SECONDS)


def _promote(run: Run, url: str) -> None:
    _tell(url, "SELECT pg_promote()")
    run.cluster.database_url = url
    run.healed()


@contextmanager
def _standby(run: Run) -> Iterator[tuple[Process, str]]:
    """Run a standby, and the service with a URL that names both; yields it and its own URL."""
    primary = run.cluster.postgres
    assert primary is not None
    assert primary.command.folder is not None
    folder, port = primary.command.folder / "standby", ports.free()  # removed with the primary's
    _copy(run.cluster.database_url, primary, folder)
    url = postgres.url(folder, port)
    standby = Process(
        name="standby",
        command=postgres.command(folder, port),
        ready=lambda _: postgres.answers(url),
        log=run.cluster.folder / "standby.log",
    )
    standby.start()
    try:
        _point_at(run, run.cluster.database_url, url)
        yield standby, url
    finally:
        standby.end()


def _copy(url: str, primary: Process, folder: Path) -> None:
    """Copy the running primary into `folder`, to be followed from there."""
    assert primary.command.folder is not None
    folder.mkdir(mode=0o700)
    shutil.copy(primary.command.folder / "password", folder)
    argv = (
        *(str(postgres.find() / "pg_basebackup"), "--pgdata", str(folder / "cluster")),
        *("--dbname", url, "--wal-method", "stream", "--checkpoint", "fast"),
        "--write-recovery-conf",
    )
    account = primary.command.account
    if account is not None:
        for path in (folder, folder / "password"):
            shutil.chown(path, account)
    copying = Command(argv=argv, folder=folder, account=account)
    subprocess.run(argv, **child.options(copying), check=True)


def _point_at(run: Run, *urls: str) -> None:
    """Let the service go where it may write, as docs/operations.md tells."""
    first, *_ = parts = [urlsplit(url) for url in urls]
    hosts = "".join(f"host={part.hostname}:{part.port}&" for part in parts)
    url = (
        f"postgresql://{first.username}:{first.password}@{first.path}"
        f"?{hosts}target_session_attrs=read-write"
    )
    for process in run.cluster.processes:
        process.terminate()
        env = {**process.command.env, "DATABASE_URL": url}
        process.command = replace(process.command, env=env)
        process.start()


def _tell(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def _replication(url: str, column: str) -> str:
    with checker.reading(url) as connection:
        told = connection.exec_driver_sql(f"SELECT {column} FROM pg_stat_replication").scalar()
    return str(told or "")
