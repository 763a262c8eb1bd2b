"""A store of the test's own: real SQL on a copy of an empty, migrated SQLite file."""

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from opssage.settings import DatabaseSettings
from store import Store, connect

# an app is a cycle of many objects, and hundreds of tests make one: looking for them all the time
# takes a third of the time
gc.set_threshold(50_000, 20, 100)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated database file, made once."""
    file = tmp_path_factory.mktemp("database") / "opssage.db"
    store = connect(DatabaseSettings(url=f"sqlite:///{file}"), Path())
    store.migrate()
    store.close()
    return file


@pytest.fixture
def store(migrated: Path, tmp_path: Path) -> Iterator[Store]:
    """A store on a fresh copy."""
    file = shutil.copy(migrated, tmp_path / "opssage.db")
    opened = connect(DatabaseSettings(url=f"sqlite:///{file}"), Path())
    yield opened
    opened.close()
