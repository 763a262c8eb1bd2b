"""The real parts: a broker, PostgreSQL and SQLite, started by the tests themselves."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest
from sqlalchemy import Engine
from steps import empty, let_pass, without_disk

from cli.embedded import broker, postgres
from opssage.settings import DatabaseSettings, IngestSettings
from store import Rules, Store, connect, engine


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


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file that others are copied from."""
    path = tmp_path_factory.mktemp("template") / "opssage.db"
    store = connect(DatabaseSettings(url=f"sqlite:///{path}"), Path())
    store.migrate()
    store.close()
    return path


@pytest.fixture
def new_sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated, empty database file of the test's own."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path)}"


@pytest.fixture(params=["sqlite", "postgres"], ids=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> DatabaseSettings:
    """Settings of a migrated, empty database, on both kinds."""
    return DatabaseSettings(url=request.getfixturevalue(f"new_{request.param}_url"))


@pytest.fixture
def store(database: DatabaseSettings) -> Iterator[Store]:
    """A store on that database."""
    opened = connect(database, Path())
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def lasting_sqlite_url(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database file that tests use one after the other."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path_factory.mktemp('lasting'))}"


@pytest.fixture(scope="session")
def lasting_postgres_url(postgres_url: str, postgres_template: str) -> str:
    """A PostgreSQL database that tests use one after the other."""
    del postgres_template  # has to be there
    return _create_database(postgres_url, "lasting", "opssage_template")


@pytest.fixture(scope="session", params=["sqlite", "postgres"], ids=["sqlite", "postgresql"])
def lasting(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """What is left when a test ends, of either kind: a database, and statements compiled."""
    url = request.getfixturevalue(f"lasting_{request.param}_url")
    bound = engine.create(DatabaseSettings(url=url), Path())
    without_disk(bound)
    yield bound
    bound.dispose()


@pytest.fixture
def emptied(lasting: Engine) -> Engine:
    """A migrated, empty database for a short test, which starts no process."""
    with lasting.begin() as connection:
        empty(connection)
    return lasting


@pytest.fixture
def store_with(emptied: Engine) -> Callable[..., Store]:
    """Make stores on that database which go by other settings: `store_with(flap_max=1)`.

    They owe every ending to one target, `chat`.
    """
    return lambda **ingest: Store(emptied, Rules(ingest=IngestSettings(**ingest), notify=("chat",)))


@pytest.fixture
def wait(emptied: Engine) -> Callable[[float], None]:
    """Let seconds pass on that database."""

    def wait(seconds: float) -> None:
        with emptied.begin() as connection:
            let_pass(connection, seconds)

    return wait
