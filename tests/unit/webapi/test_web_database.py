"""What the web does at its start with a database that is not there yet."""

import pytest

from opssage.errors import StoreUnavailableError
from opssage.settings import DatabaseSettings, Settings
from store import connect
from webapi import database


class Away:
    """A database that answers from some attempt on, and the time that passes meanwhile."""

    def __init__(self, attempts):
        self.left = attempts
        self.now = 0.0

    def ping(self):
        self.left -= 1
        if self.left >= 0:
            raise StoreUnavailableError("connection refused")

    def pause(self, seconds):
        self.now += seconds

    def wait(self, patience_seconds):
        database.wait_for(self, patience_seconds, self.pause, lambda: self.now)


def test_a_database_that_comes_late_is_waited_for():
    """Containers start in any order."""
    away = Away(attempts=3)

    away.wait(60)

    assert away.now == 9


def test_a_database_that_stays_away_is_an_error():
    """After the patience, with what it said."""
    away = Away(attempts=1000)

    with pytest.raises(StoreUnavailableError, match="connection refused"):
        away.wait(60)

    assert away.now == 60


def test_a_database_that_is_there_gets_its_tables(tmp_path):
    """Before the first request."""
    settings = Settings(folder=tmp_path, database=DatabaseSettings(url="sqlite:///new.db"))

    database.prepare(settings)

    memory = connect(settings.database, settings.folder)
    assert memory.is_at_head()
    memory.close()
