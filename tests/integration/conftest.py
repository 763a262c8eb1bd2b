"""The real parts: a broker, PostgreSQL and SQLite, started by the tests themselves."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest

from cli.embedded import broker, postgres
from opssage.settings import DatabaseSettings
from store import Store, connect


@pytest.fixture(scope="session")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker for the whole session."""
    with broker.running(tmp_path_factory.mktemp("broker")) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL cluster for the whole session."""
    with postgres.running() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    """A migrated database that others are copied from."""
    url = _create_database(postgres_url, "opssage_template")
    store = connect(DatabaseSettings(url=url), Path())
    store.migrate()
    store.close()
    return url


def _create_database(server_url: str, name: str, template: str = "template1") -> str:
    connection = psycopg2.connect(server_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    connection.close()
    return server_url.rsplit("/", 1)[0] + "/" + name


@pytest.fixture
def blank_postgres_url(postgres_url: str) -> str:
    """A PostgreSQL database without any table."""
    return _create_database(postgres_url, f"blank_{uuid4().hex}")


@pytest.fixture
def new_postgres_url(postgres_url: str, postgres_template: str) -> str:
    """A migrated, empty PostgreSQL database of the test's own."""
    return _create_database(postgres_url, f"test_{uuid4().hex}", "opssage_template")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseSettings:
    """Settings of a migrated, empty database, on both kinds."""
    if request.param == "postgresql":
        return DatabaseSettings(url=request.getfixturevalue("new_postgres_url"))
    settings = DatabaseSettings(url=f"sqlite:///{tmp_path}/opssage.db")
    store = connect(settings, tmp_path)
    store.migrate()
    store.close()
    return settings


@pytest.fixture
def store(database: DatabaseSettings) -> Iterator[Store]:
    """A store on that database."""
    opened = connect(database, Path())
    yield opened
    opened.close()
