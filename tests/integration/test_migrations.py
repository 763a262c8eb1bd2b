"""The schema: migrations on both databases, started by many at once, and what users run on it."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from factories import alert, group
from pytest_alembic import MigrationContext, tests
from pytest_alembic.config import Config

from cli.embedded import postgres
from opssage.settings import DatabaseSettings
from store import Store, connect, engine

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseSettings:
    """Settings of a database without any table."""
    if request.param == "postgresql":
        return DatabaseSettings(url=request.getfixturevalue("blank_postgres_url"))
    return DatabaseSettings(url=f"sqlite:///{tmp_path}/empty.db")


@pytest.fixture
def alembic_config() -> Config:
    """Tell pytest-alembic where the migrations are."""
    return Config(config_options={"script_location": str(ROOT / "store" / "migrations")})


@pytest.fixture
def alembic_engine(empty: DatabaseSettings):
    """Give pytest-alembic a database of each kind."""
    made = engine.create(empty, Path())
    yield made
    made.dispose()


def test_there_is_one_head(alembic_runner: MigrationContext):
    """Two heads would leave it open which schema is meant."""
    tests.test_single_head_revision(alembic_runner)


def test_migrations_lead_up_and_down(alembic_runner: MigrationContext):
    """Every migration applies, and can be taken back."""
    tests.test_up_down_consistency(alembic_runner)


def test_migrations_make_the_tables_of_the_code(alembic_runner: MigrationContext):
    """What autogenerate would add to the migrations is nothing."""
    tests.test_model_definitions_match_ddl(alembic_runner)


def test_processes_that_start_together_migrate_once(empty):
    """Whoever comes second finds the work done."""
    stores = [connect(empty, Path()) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Store.migrate, stores))

    assert all(store.is_at_head() for store in stores)
    for store in stores:
        store.close()


def test_alembic_upgrades_from_the_root(empty, tmp_path):
    """`alembic upgrade head` works as operators type it."""
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": empty.url},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    store = connect(empty, Path())
    assert store.is_at_head()
    store.close()


def test_sqlite_folders_are_made(tmp_path):
    """An unset DATABASE_URL makes data/opssage.db beside the configuration."""
    store = connect(DatabaseSettings(), tmp_path)

    store.migrate()

    assert (tmp_path / "data" / "opssage.db").exists()
    store.close()


DOCUMENTED = {
    "newest": "SELECT incident_id, alert_name, status, created_at FROM incidents "
    "ORDER BY created_at DESC LIMIT 10;",
    "count": "SELECT COUNT(*) as total_incidents FROM incidents;",
    "by status": "SELECT status, COUNT(*) FROM incidents GROUP BY status;",
    "by severity": "SELECT severity, COUNT(*)\nFROM incidents\nGROUP BY severity;",
    "average": "SELECT AVG(confidence_score) as avg_confidence\nFROM incidents\n"
    "WHERE status = 'completed';",
    "one": "SELECT incident_id, alert_name, root_cause, confidence_score FROM incidents "
    "WHERE incident_id = '{incident_id}';",
    "json": "SELECT * FROM incidents WHERE alert_input->>'severity' = 'warning';",
    "tables": "\\dt",
    "describe": "\\d incidents",
}


def psql(url: str, *arguments: str, text: str = "") -> str:
    """Run psql as the documentation does."""
    return run("psql", url, *arguments, text=text)


def run(program: str, *arguments: str, text: str = "") -> str:
    """Run one of PostgreSQL's own programs and return what it prints."""
    done = subprocess.run(
        [postgres.find() / program, *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def used_url(new_postgres_url: str) -> str:
    """A PostgreSQL database with one incident."""
    store = connect(DatabaseSettings(url=new_postgres_url), Path())
    store.create_incident(group(alert("DiskFull")))
    store.close()
    return new_postgres_url


@pytest.mark.parametrize("statement", DOCUMENTED.values(), ids=DOCUMENTED.keys())
def test_documented_queries_work_verbatim(used_url, statement):
    """What the documentation tells people to type answers."""
    incident_id = psql(used_url, "-t", "-A", "-c", "SELECT incident_id FROM incidents").strip()

    answer = psql(used_url, "-c", statement.replace("{incident_id}", incident_id))

    assert "(0 rows)" not in answer


def test_incidents_export_as_json(used_url):
    """`row_to_json` gives one JSON object a line."""
    lines = psql(
        used_url, "-t", "-A", "-F", ",", "-c", "SELECT row_to_json(incidents) FROM incidents;"
    )

    assert json.loads(lines)["alert_input"]["alert_name"] == "DiskFull"


def test_a_dump_restores(used_url, blank_postgres_url):
    """`pg_dump` into a file and back into an empty database loses nothing."""
    dump = run("pg_dump", used_url)

    psql(blank_postgres_url, "-v", "ON_ERROR_STOP=1", text=dump)

    store = connect(DatabaseSettings(url=blank_postgres_url), Path())
    assert [incident.alert_name for incident in store.list_incidents()] == ["DiskFull"]
    assert store.is_at_head()
    store.close()
