"""What OpsSage has in its database, looked at from outside."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Row, select

from opssage.access import Actor, Scope
from opssage.settings import DatabaseSettings
from store import Store, connect, engine, tables


def token(database_url: str, name: str, *scopes: Scope) -> str:
    """Make a token as an operator does; returns its text."""
    with _store(database_url) as store:
        return store.create_token(name, scopes, by=Actor(name="lab")).text


def alerts(database_url: str) -> list[Row]:
    """Return all rows of alerts, oldest first."""
    bound = engine.create(DatabaseSettings(url=database_url), Path())
    with bound.connect() as connection:
        found = connection.execute(select(tables.alerts).order_by(tables.alerts.c.first_seen_at))
        rows = list(found)
    bound.dispose()
    return rows


def names(rows: Iterable[Row]) -> set[str]:
    """Return the alert names of rows."""
    return {row.labels["alertname"] for row in rows}


@contextmanager
def _store(database_url: str) -> Iterator[Store]:
    opened = connect(DatabaseSettings(url=database_url), Path())
    try:
        yield opened
    finally:
        opened.close()
