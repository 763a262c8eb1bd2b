"""From DATABASE_URL to an engine whose transactions mean the same on both databases."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import orjson
from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from opssage.errors import SettingsError
from opssage.settings import DatabaseSettings
from store.columns import dump
from store.hosts import Hosts
from store.waiting import bound_waits

BEGIN_OPTION = "sqlite_begin"
"""Execution option: which BEGIN opens a transaction on SQLite."""

AT_ONCE_OPTION = "sqlite_at_once"
"""Execution option: a transaction that would have to wait for another on SQLite fails instead."""

_UNREADABLE = (
    "database.url: cannot be read as a URL; escape special characters in its password, and name "
    "several hosts in the query: postgresql://user:password@/opssage?host=a:5432&host=b:5432"
)
_BUSY_TIMEOUT_MS = 4000
_WAIT = f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}"
_WAL_RETRY_SECONDS = 0.02

ANSWER_SECONDS = 2.3
"""How long a process in haste waits for one answer of PostgreSQL, and for a new connection."""

VERB_SECONDS = 2 * ANSWER_SECONDS + 0.2
"""How long a verb may take when somebody waits: of a server that is frozen it meets the ping of a
pooled connection, and a new one."""

_LEFT = {  # SQLSTATEs that are no OperationalError, and yet the connection is of no more use
    "25006",  # read-only: a standby, a primary that was demoted, or a provider's full disk
    "25P03",  # the session was ended, for it sat idle in a transaction
    "25P04",  # the session was ended by a transaction_timeout
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Patience:
    """How long a process waits for the database, in seconds."""

    statement: float
    lock: float
    pool: float
    network: float  #: until sent bytes are acknowledged

    @property
    def options(self) -> str:
        """What each session of PostgreSQL is told."""
        return (
            f"-c statement_timeout={self.statement * 1000:.0f} "
            f"-c lock_timeout={self.lock * 1000:.0f} "
            "-c idle_in_transaction_session_timeout=30000 "
            "-c synchronous_commit=on -c timezone=UTC"
        )


_PATIENT = _Patience(statement=15, lock=5, pool=5, network=10)
_HASTY = _Patience(statement=2, lock=2, pool=2, network=3)


def normalise(url: str | None, folder: Path) -> URL:
    """Return the URL with its driver named and its query kept; unset means SQLite.

    SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg 3 and does not know `postgres://`.
    A relative SQLite path is taken from `folder`. Raises SettingsError for SQLite in memory, and
    for what is no URL.
    """
    try:
        parsed = make_url(url or "sqlite:///./data/opssage.db")
    except (ArgumentError, ValueError) as error:
        raise SettingsError([_UNREADABLE]) from error
    if parsed.get_backend_name() in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg2")
    if parsed.database in {None, "", ":memory:"}:
        raise SettingsError(
            ["database.url: SQLite in memory cannot be shared by processes; name a file"]
        )
    return parsed.set(database=str(folder / str(parsed.database)))


def create(settings: DatabaseSettings, folder: Path, *, hasty: bool = False) -> Engine:
    """Create the engine. Nothing is connected yet, so this may be done before a fork.

    `hasty` bounds every wait for PostgreSQL, in this whole process, to ANSWER_SECONDS.
    """
    patience = _HASTY if hasty else _PATIENT
    url = normalise(settings.url, folder)
    options: dict[str, Any] = {
        "echo": settings.echo,
        "hide_parameters": True,  # they hold alerts, and alerts may hold secrets
        "json_serializer": dump,
        "json_deserializer": orjson.loads,
        "pool_size": settings.pool_size,
        "max_overflow": settings.max_overflow,
        "pool_timeout": patience.pool,
    }
    if url.get_backend_name() == "postgresql":
        if hasty:
            bound_waits(ANSWER_SECONDS)
        return _create_postgresql(url, patience, options)
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"check_same_thread": False}, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _create_postgresql(url: URL, patience: _Patience, options: dict[str, Any]) -> Engine:
    engine = create_engine(
        url,
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={
            "connect_timeout": 3,
            "tcp_user_timeout": int(patience.network * 1000),
            "keepalives_idle": 10,
            "application_name": "opssage",
            "options": patience.options,
        },
        **options,
    )
    event.listen(engine, "handle_error", _leave)
    hosts = Hosts(engine.dialect.create_connect_args(url)[1], ANSWER_SECONDS)
    if len(hosts) > 1:
        event.listen(engine, "do_connect", hosts.connect)
    return engine


def _leave(context: ExceptionContext) -> None:
    """Give up the pool's connections when they lead to a server that cannot do our work."""
    if getattr(context.original_exception, "pgcode", None) in _LEFT:
        context.is_disconnect = True


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # the driver's own BEGIN comes too late to take the write lock first
    connection.isolation_level = None
    connection.execute(_WAIT)
    _use_wal(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch a new file to write-ahead logging; it stays so, and later calls change nothing.

    The switch does not heed the busy timeout, so processes that start together wait here.
    """
    deadline = monotonic() + _BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if monotonic() > deadline:
                raise
            sleep(_WAL_RETRY_SECONDS)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    begin = f"BEGIN {options.get(BEGIN_OPTION, 'DEFERRED')}"
    if not options.get(AT_ONCE_OPTION):
        connection.exec_driver_sql(begin)
        return
    connection.exec_driver_sql("PRAGMA busy_timeout=0")
    try:
        connection.exec_driver_sql(begin)
    finally:
        connection.exec_driver_sql(_WAIT)
