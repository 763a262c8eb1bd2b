"""The servers a benchmark needs, started by itself on loopback and stopped at its end."""

import http.client
import importlib.util
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from load import Address

from cli import child, ports
from cli.child import Command
from opssage.settings import DatabaseSettings
from store import Store, connect

_HERE = Path(__file__).parent
_LOOPBACK = "127.0.0.1"
_TABLES = (
    *("alerts", "incident_events", "incident_words", "incidents", "ingest_rejects"),
    "precedents",
)


def database(server_url: str, name: str) -> str:
    """Make a database with our tables and indexes on a server; returns its URL."""
    with _connected(server_url) as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
    return _migrated(server_url.rsplit("/", 1)[0] + "/" + name)


def sqlite_database(folder: Path, name: str) -> str:
    """Make an SQLite file with our tables and indexes; returns its URL."""
    return _migrated(f"sqlite:///{folder / name}.db")


def _migrated(url: str) -> str:
    opened = store(url)
    opened.migrate()
    opened.close()
    return url


def store(database_url: str) -> Store:
    """Return our store on a database."""
    return connect(DatabaseSettings(url=database_url), Path())


def empty(database_url: str) -> None:
    """Delete all incidents and all that came with them."""
    with _connected(database_url) as cursor:
        if _is_sqlite(database_url):
            for table in _TABLES:
                cursor.execute(f"DELETE FROM {table}")
        else:
            cursor.execute(f"TRUNCATE {', '.join(_TABLES)} CASCADE")


def ask(database_url: str, question: str) -> tuple[Any, ...]:
    """Return the first row of a query's answer; it must have one."""
    with _connected(database_url) as cursor:
        cursor.execute(question)
        return cursor.fetchone() or ()


def server_version(server_url: str) -> str:
    """Return PostgreSQL's version."""
    return str(ask(server_url, "SHOW server_version")[0])


@contextmanager
def web(application: str, folder: Path, env: Mapping[str, str]) -> Iterator[Address]:
    """Run an application under gunicorn with our settings for it; yields its address."""
    spec = importlib.util.find_spec("webapi")
    if spec is None or spec.origin is None:
        raise child.ChildError("the package webapi is not installed")
    configuration = str(Path(spec.origin).with_name("gunicorn_conf.py"))
    with serving(("gunicorn", "-c", configuration, application), folder, env) as address:
        yield address


@contextmanager
def serving(
    module: tuple[str, ...], folder: Path, env: Mapping[str, str], *, port: int | None = None
) -> Iterator[Address]:
    """Run a Python module that serves HTTP; it finds its port in OPSSAGE_PORT."""
    address = _LOOPBACK, port or ports.free()
    metrics = folder / f"metrics-{address[1]}"
    metrics.mkdir()
    command = python(
        *module,
        folder=folder,
        env={**env, "OPSSAGE_PORT": str(address[1]), "PROMETHEUS_MULTIPROC_DIR": str(metrics)},
    )
    with child.running(command, lambda: _answers(address)):
        yield address


def python(*module: str, folder: Path, env: Mapping[str, str]) -> Command:
    """Return the command that runs a Python module; it also finds the modules beside this one.

    It runs in `folder`, so that it reads the settings there instead of those of a checkout.
    """
    paths = [str(_HERE), *filter(None, [env.get("PYTHONPATH"), os.environ.get("PYTHONPATH")])]
    return Command(
        argv=(sys.executable, "-m", *module),
        folder=folder,
        env={**env, "PYTHONPATH": os.pathsep.join(paths)},
    )


@contextmanager
def _connected(url: str) -> Iterator[Any]:
    """Yield a cursor of the database's driver; each statement is committed."""
    if _is_sqlite(url):
        path = url.removeprefix("sqlite:///")
        connection: Any = sqlite3.connect(path, timeout=30, isolation_level=None)
    else:
        connection = psycopg2.connect(url)
        connection.autocommit = True
    try:
        yield connection.cursor()
    finally:
        connection.close()


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite:")


def _answers(address: Address) -> bool:
    """Say whether a request is answered at all, whatever the status."""
    connection = http.client.HTTPConnection(*address, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
