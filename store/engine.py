"""From DATABASE_URL to an engine whose transactions mean the same on both databases."""

import sqlite3
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url

from opssage.errors import SettingsError
from opssage.settings import DatabaseSettings
from store.columns import dump

BEGIN_OPTION = "sqlite_begin"
"""Execution option: which BEGIN opens a transaction on SQLite."""

_BUSY_TIMEOUT_MS = 4000
_WAL_RETRY_SECONDS = 0.02
_POSTGRESQL_OPTIONS = (
    "-c statement_timeout=15000 -c lock_timeout=5000 "
    "-c idle_in_transaction_session_timeout=30000 -c synchronous_commit=on -c timezone=UTC"
)


def normalise(url: str | None, folder: Path) -> URL:
    """Return the URL with its driver named and its query kept; unset means SQLite.

    SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg 3 and does not know `postgres://`.
    A relative SQLite path is taken from `folder`. Raises SettingsError for SQLite in memory.
    """
    parsed = make_url(url or "sqlite:///./data/opssage.db")
    if parsed.get_backend_name() in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg2")
    if parsed.database in {None, "", ":memory:"}:
        raise SettingsError(
            ["database.url: SQLite in memory cannot be shared by processes; name a file"]
        )
    return parsed.set(database=str(folder / str(parsed.database)))


def create(settings: DatabaseSettings, folder: Path) -> Engine:
    """Create the engine. Nothing is connected yet, so this may be done before a fork."""
    url = normalise(settings.url, folder)
    options: dict[str, Any] = {
        "echo": settings.echo,
        "hide_parameters": True,  # they hold alerts, and alerts may hold secrets
        "json_serializer": dump,
        "json_deserializer": orjson.loads,
        "pool_size": settings.pool_size,
        "max_overflow": settings.max_overflow,
        "pool_timeout": 5,
    }
    if url.get_backend_name() == "postgresql":
        return create_engine(
            url,
            pool_pre_ping=True,
            pool_recycle=1800,
            connect_args={
                "connect_timeout": 3,
                "tcp_user_timeout": 10_000,
                "keepalives_idle": 10,
                "application_name": "opssage",
                "options": _POSTGRESQL_OPTIONS,
            },
            **options,
        )
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"check_same_thread": False}, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # the driver's own BEGIN comes too late to take the write lock first
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
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
    mode = connection.get_execution_options().get(BEGIN_OPTION, "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")
