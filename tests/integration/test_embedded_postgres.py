import os
import signal
import subprocess
from pathlib import Path

import psycopg2
import pytest

from cli import child, ports
from cli.child import ChildError, Command
from cli.embedded import postgres


@pytest.fixture
def folder():
    """A folder not yet made, where an unprivileged account can reach it; removed at the end."""
    with postgres.temporary_folder() as path:
        yield path


@pytest.fixture(scope="module")
def prepared():
    """A folder with a cluster that the tests of this file share."""
    with postgres.temporary_folder() as path:
        postgres.prepare(path)
        yield path


def ask(url, statement):
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone() if cursor.description else None
    finally:
        connection.close()


def test_postgres_listens_on_loopback_only(prepared):
    """UTF-8, TCP on 127.0.0.1, no socket file, a database and role named opssage."""
    with postgres.running(prepared) as url:
        found = ask(
            url,
            "SELECT current_database(), current_user, current_setting('server_encoding'),"
            " current_setting('listen_addresses'), current_setting('unix_socket_directories')",
        )

    assert found == ("opssage", "opssage", "UTF8", "127.0.0.1", "")


def test_postgres_asks_for_its_password(prepared):
    """Another user of the machine cannot connect without it."""
    with postgres.running(prepared) as url:
        password = url.split(":")[2].split("@")[0]

        assert not postgres.answers(url.replace(password, "guess"))


def test_postgres_keeps_its_data_after_a_kill(prepared):
    """The second run finds what the first committed, even when that was killed."""
    port = ports.free()
    url = postgres.url(prepared, port)
    with child.running(postgres.command(prepared, port), lambda: postgres.answers(url)) as server:
        ask(url, "CREATE TABLE kept AS SELECT 1 AS one")
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()

    with postgres.running(prepared) as again:
        assert ask(again, "SELECT one FROM kept") == (1,)


def test_postgres_starts_anew_after_a_half_finished_first_start(folder):
    """An initdb that was killed leaves nothing in the way."""
    postgres.prepare(folder)
    (folder / "cluster").rename(folder / "cluster.new")

    postgres.prepare(folder)

    assert (folder / "cluster" / "PG_VERSION").exists()
    assert not (folder / "cluster.new").exists()


def test_postgres_refuses_the_data_of_another_version(prepared):
    """The message names both versions and what to do."""
    version = prepared / "cluster" / "PG_VERSION"
    made_by = version.read_text()
    version.write_text("9\n")

    with pytest.raises(ChildError, match=r"made by PostgreSQL 9, but .* --data"):
        postgres.prepare(prepared)

    version.write_text(made_by)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the account")
def test_postgres_names_the_folder_that_shuts_its_account_out(tmp_path):
    """As root the server runs under another account; what it cannot enter is named."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)

    with pytest.raises(ChildError, match=r"cannot be reached by the account .* shuts it out"):
        postgres.prepare(private / "data")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the account")
def test_postgres_leaves_the_folders_of_others_alone(folder):
    """A folder that exists already keeps its owner and mode."""
    folder.mkdir(mode=0o755)

    with pytest.raises(ChildError, match=r"belongs to root"):
        postgres.prepare(folder)

    assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (0, 0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the account")
def test_command_runs_as_the_account_it_names():
    """A child may be somebody else."""
    command = Command(argv=("/usr/bin/id", "-un"), account="nobody", folder=Path("/"))

    said = subprocess.run(
        command.argv, **child.options(command), stdout=subprocess.PIPE, check=True
    ).stdout

    assert said == b"nobody\n"
