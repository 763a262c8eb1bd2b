"""DATABASE_URL becomes an engine that means the same on both databases."""

from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from opssage.errors import SettingsError
from opssage.settings import DatabaseSettings
from store.columns import UTCDateTime, database_now
from store.engine import create, normalise
from store.known import stored_key

FOLDER = Path("/srv/opssage")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "sqlite:////srv/opssage/data/opssage.db"),
        ("sqlite:///./data/opssage.db", "sqlite:////srv/opssage/data/opssage.db"),
        ("sqlite:////var/lib/x.db", "sqlite:////var/lib/x.db"),
        ("postgresql://u:p@h:5432/d", "postgresql+psycopg2://u:p@h:5432/d"),
        ("postgres://u:p@h/d", "postgresql+psycopg2://u:p@h/d"),
        (
            "postgresql://u:p@h/d?sslmode=require",
            "postgresql+psycopg2://u:p@h/d?sslmode=require",
        ),
        ("postgresql+psycopg2://h/d", "postgresql+psycopg2://h/d"),
    ],
)
def test_urls_are_normalised(given, expected):
    """Every documented spelling reaches the right driver, and its query part is kept."""
    assert normalise(given, FOLDER).render_as_string(hide_password=False) == expected


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_sqlite_in_memory_is_refused(url):
    """Each process would have a database of its own."""
    with pytest.raises(SettingsError, match="name a file"):
        normalise(url, FOLDER)


def test_the_pool_is_as_configured():
    """Pool settings reach the engine without connecting it."""
    engine = create(DatabaseSettings(url="postgresql://h/d", pool_size=3, max_overflow=4), FOLDER)

    assert engine.pool.size() == 3
    assert engine.pool._max_overflow == 4
    assert engine.pool._pre_ping is True


@pytest.mark.parametrize("echo", [True, False])
def test_echo_is_as_configured(echo):
    """SQL is logged on request, and never its parameters."""
    engine = create(DatabaseSettings(url="postgresql://h/d", echo=echo), FOLDER)

    assert engine.echo is echo
    assert engine.hide_parameters is True


def test_a_naive_time_is_refused():
    """It could mean any zone."""
    from datetime import datetime

    naive = datetime(2026, 11, 23)  # noqa: DTZ001 - the point

    with pytest.raises(ValueError, match="no time zone"):
        UTCDateTime().process_bind_param(naive, sqlite.dialect())


@pytest.mark.parametrize(
    ("dialect", "function"),
    [(postgresql.dialect(), "clock_timestamp()"), (sqlite.dialect(), "strftime(")],
)
def test_the_clock_is_the_database_s(dialect, function):
    """All processes share one clock, whatever theirs say."""
    assert function in str(database_now(5).compile(dialect=dialect))


def test_a_long_group_key_is_stored_as_its_hash():
    """With `group_by: ['...']` the key holds every label."""
    assert stored_key("short") == "short"
    assert len(stored_key("x" * 5000)) == len("sha256:") + 64
    assert stored_key("x" * 5000) != stored_key("x" * 5001)


@pytest.mark.parametrize("url", ["postgresql://u:p@a:1,b:2/db", "postgresql://u:p@h:port/db"])
def test_what_cannot_be_read_as_a_url_is_told_with_its_fix(url):
    """Several hosts, as libpq's own URLs list them, go into the query."""
    with pytest.raises(SettingsError, match="several hosts in the query") as told:
        normalise(url, Path())

    assert url not in str(told.value)
