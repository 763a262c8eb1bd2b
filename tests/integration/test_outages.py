"""PostgreSQL that hangs, is read-only or slow: callers are told in time, and find the next one."""

import socket
from pathlib import Path

import pytest
from factories import group
from psycopg2 import extensions
from sqlalchemy import create_engine, make_url, text

from opssage.errors import StoreUnavailableError
from opssage.settings import DatabaseSettings
from store import Store, connect, engine
from store.store import _ConflictError


@pytest.fixture
def postgres(new_postgres_url):
    """Settings of a PostgreSQL database; this process then waits for it as long as it likes."""
    yield DatabaseSettings(url=new_postgres_url)
    extensions.set_wait_callback(None)


@pytest.fixture
def silent_host():
    """A host that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def on_hosts(settings, *hosts):
    """Return the settings with several hosts, as the handbook spells them."""
    url = make_url(settings.url)
    asked = {"host": hosts, "target_session_attrs": "read-write"}
    several = url.set(host=None, port=None).update_query_dict(asked)
    return DatabaseSettings(url=several.render_as_string(hide_password=False))


def host_of(settings):
    """Return the host and the port of the settings."""
    url = make_url(settings.url)
    return f"{url.host}:{url.port}"


@pytest.mark.parametrize("hasty", [True, False])
def test_a_host_that_is_silent_is_passed_over(postgres, silent_host, hasty):
    """The primary hangs and the standby was promoted: the first request reaches it."""
    settings = on_hosts(postgres, silent_host, host_of(postgres))
    store = connect(settings, Path(), hasty=hasty)

    assert store.create_incident(group()).accepted == 1

    store.close()


def test_the_host_that_answered_last_is_tried_first(postgres, silent_host):
    """Only the first connection pays for a host that is silent."""
    bound = engine.create(on_hosts(postgres, silent_host, host_of(postgres)), Path(), hasty=True)
    bound.connect().close()
    bound.dispose()

    extensions.set_wait_callback(only_for(make_url(postgres.url).port))
    bound.connect().close()

    bound.dispose()


def only_for(port):
    """Return a wait that knows one server only."""

    def wait(connection):
        assert extensions.parse_dsn(connection.dsn)["port"] == str(port)
        while connection.poll() != extensions.POLL_OK:
            pass

    return wait


def test_when_no_host_answers_each_is_named(postgres, silent_host):
    """Who reads the log learns of every host why it was not taken."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"127.0.0.1:{listener.getsockname()[1]}"
    store = connect(on_hosts(postgres, silent_host, closed), Path(), hasty=True)

    with pytest.raises(StoreUnavailableError, match=f"{silent_host}: no answer.*; {closed}: .*ref"):
        store.ping()


def test_a_hasty_store_does_not_wait_for_a_frozen_server(postgres):
    """It keeps no time limit of its own, and the whole process is made to keep one."""
    store = connect(postgres, Path(), hasty=True)

    def freeze(connection):
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("SELECT pg_sleep(20)"))

    with pytest.raises(StoreUnavailableError, match="no answer in"):
        store._write(freeze)
    store.close()


def test_a_verb_of_many_slow_statements_ends_in_time(postgres):
    """Each of them keeps its limit, and together they would not."""
    bound = engine.create(postgres, Path(), hasty=True)
    bound.connect().close()
    store = Store(bound, seconds=0.5)

    def crawl(connection):
        for _ in range(100):
            connection.execute(text("SELECT pg_sleep(0.1)"))

    with pytest.raises(StoreUnavailableError, match="no answer in"):
        store._write(crawl)
    with pytest.raises(StoreUnavailableError, match="no answer in"):
        store._read(crawl)
    store.close()


@pytest.mark.parametrize(("seconds", "tries"), [(60, 3), (1, 1)])
def test_a_conflict_is_tried_again_only_with_time_left(postgres, seconds, tries):
    """Somebody waits for the answer, and the sender will come again."""
    store = Store(engine.create(postgres, Path()), seconds=seconds)
    begun = []

    def conflict(connection):
        begun.append(connection)
        connection.execute(text("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$"))

    with pytest.raises(_ConflictError):
        store._write(conflict)
    assert len(begun) == tries
    store.close()


def test_a_read_only_database_is_an_outage_and_its_connection_is_left(postgres):
    """A demoted primary takes no alert; after the switch the next connection finds the new one."""
    store = connect(postgres, Path())
    switch = create_engine(engine.normalise(postgres.url, Path()), isolation_level="AUTOCOMMIT")
    alter = f'ALTER DATABASE "{make_url(postgres.url).database}" SET default_transaction_read_only'
    with switch.connect() as administrator:
        administrator.execute(text(f"{alter} = on"))

        with pytest.raises(StoreUnavailableError, match="read-only transaction"):
            store.create_incident(group())

        administrator.execute(text(f"{alter} = off"))
    assert store.create_incident(group()).accepted == 1
    store.close()
    switch.dispose()


@pytest.mark.parametrize("code", ["25006", "25P03", "25P04", "53100", "53300", "58030", "08006"])
def test_what_may_pass_is_an_outage(postgres, code):
    """Full disks, failing ones, lost sessions: the sender shall come again."""
    store = connect(postgres, Path())

    with pytest.raises(StoreUnavailableError):
        store._write(raising, code)
    store.close()


def raising(connection, code):
    """Have the server raise that SQLSTATE."""
    connection.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$"))
