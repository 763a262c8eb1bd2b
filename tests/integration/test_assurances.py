"""What a real database says of the settings that the promise rests on."""

from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import make_url

from opssage.settings import DatabaseSettings
from store import connect


@pytest.fixture
def assurances(new_postgres_url):
    """Return what a new connection to the test's own database finds, by URL or by its default."""

    def ask(url=new_postgres_url):
        store = connect(DatabaseSettings(url=url), Path())
        found = store.assurances()
        store.close()
        return found

    return ask


def execute(url, statement):
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def test_sqlite_is_asked_through_a_connection_like_all_others(tmp_path):
    """The journal mode is of the file, the rest of each connection."""
    store = connect(DatabaseSettings(url=f"sqlite:///{tmp_path}/opssage.db"), Path())

    found = store.assurances()
    store.close()

    assert (found.kind, found.settings) == (
        "sqlite",
        {"journal_mode": "wal", "synchronous": "full"},
    )


def test_postgresql_tells_what_is_in_force_for_us(assurances, new_postgres_url):
    """A database that commits without waiting does wait for our sessions."""
    name = make_url(new_postgres_url).database
    execute(new_postgres_url, f'ALTER DATABASE "{name}" SET synchronous_commit = off')

    found = assurances()

    assert found.kind == "postgresql"
    assert found.settings == {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "synchronous_standby_names": "",
    }
    assert found.replicas == 0


def test_the_connection_is_told_as_libpq_made_it(assurances, monkeypatch):
    """The environment may have chosen the mode; what is not named has libpq's default."""
    assert assurances().connection == {"host": "127.0.0.1", "hostaddr": "", "sslmode": "prefer"}

    monkeypatch.setenv("PGSSLMODE", "disable")

    assert assurances().connection["sslmode"] == "disable"


def test_a_superuser_is_told_from_a_plain_role(assurances, new_postgres_url):
    """The embedded server's role is one."""
    execute(new_postgres_url, "CREATE ROLE plain LOGIN PASSWORD 'x'")
    url = make_url(new_postgres_url).set(username="plain", password="x")

    plain = assurances(url.render_as_string(hide_password=False))

    assert (assurances().is_superuser, plain.is_superuser) == (True, False)
