"""`opssage archive`, `prune` and `backup`, on a real database."""

import json
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from factories import alert, group
from past import LONG_AGO, alone, over

from cli import backups, history
from cli.exits import CommandError
from opssage.changes import ChangeKind, ReportedChange
from opssage.errors import StoreUnavailableError

WHAT = ("due", "deleted")


@pytest.fixture
def database(store, opssage, tmp_path):
    """Run `opssage` on the database of `store`."""
    env = {"DATABASE_URL": f"sqlite:///{tmp_path}/opssage.db"}
    return lambda *words, **more: opssage(*words, env=env, **more)


def test_archive_moves_what_is_over(database, store):
    """It says how many, and what fires stays."""
    made = [over(store, f"A{number}") for number in range(3)]
    alone(store, "Firing")

    result = database("archive", "--older-than", "90d", "--batch", "2")

    assert (result.exit_code, result.output) == (0, "archived 3 incidents\n")
    assert {each.incident_id for each in store.list_incidents(archived=True)} == set(made)


def test_archive_can_say_what_it_would_do(database, store):
    """--dry-run moves nothing."""
    over(store)

    result = database("archive", "--older-than", "90d", "--dry-run")
    document = database("archive", "--older-than", "90d", "--dry-run", "--json")

    assert result.stdout == "1 incident would be archived\n"
    assert json.loads(document.stdout) == {"due": 1, "archived": 0}
    assert len(store.list_incidents()) == 1


def test_archive_leaves_what_is_younger(database, store):
    """An age counts from the moment an incident resolved."""
    over(store)

    result = database("archive", "--older-than", "2000w", "--json")

    assert json.loads(result.stdout) == {"due": 0, "archived": 0}


def test_a_busy_database_is_asked_again():
    """A step that gets no turn is repeated, and given up when it never gets one."""
    answers = iter([StoreUnavailableError("busy"), 2, StoreUnavailableError("busy"), 1, 0])

    def step() -> int:
        answer = next(answers, StoreUnavailableError("away"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert history.in_batches(step, 3, "moving", pause=lambda _: None) == 3
    with pytest.raises(StoreUnavailableError, match="away"):
        history.in_batches(step, 3, "moving", pause=lambda _: None)


@pytest.mark.parametrize("age", ["90", "d", "0d", "-1d", "1.5d", "101y", "36501d", "9" * 20 + "d"])
def test_an_age_is_a_number_with_its_unit(opssage, age):
    """Anything else is told how it is written."""
    result = opssage("archive", f"--older-than={age}")

    assert result.exit_code == 2
    assert "write 90d" in result.stderr


@pytest.mark.parametrize("command", ["archive", "prune"])
def test_no_database_is_made_to_look_for_history(opssage, tmp_path, command):
    """One that is not there is an error, and stays away."""
    result = opssage(command, "--older-than", "1d")

    assert result.exit_code == 5
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "words",
    [("archive", "--older-than", "1d"), ("backup", "--to", "kept")],
    ids=lambda words: words[0],
)
def test_a_missing_database_may_be_that_of_a_stack_elsewhere(opssage, words):
    """Who started it with --data has to say so here too."""
    result = opssage(*words)

    assert result.exit_code == 5
    assert "name the folder of `opssage up` with --data" in " ".join(result.stderr.split())


@pytest.mark.parametrize("words", [("--dry-run",), ()], ids=["looks", "moves"])
def test_the_database_of_a_stopped_stack_is_found(opssage, store, tmp_path, words):
    """`--data DIR` needs no `opssage up`, whatever the environment says."""
    over(store)
    env = {"DATABASE_URL": "sqlite:////nowhere/else.db"}

    result = opssage("archive", "--older-than", "90d", "--data", tmp_path, *words, env=env)

    assert result.exit_code == 0, result.output
    assert len(store.list_incidents(archived=True)) == (0 if words else 1)


def test_the_database_of_a_stopped_stack_is_backed_up(opssage, store, tmp_path):
    """Its file is in the folder."""
    result = opssage("backup", "--to", tmp_path / "kept", "--data", tmp_path)

    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_a_folder_without_a_database_is_told(opssage, tmp_path):
    """Nothing else is worked on instead."""
    result = opssage("archive", "--older-than", "1d", "--data", tmp_path)

    assert result.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_tables_of_another_version_are_left_alone(opssage, tmp_path):
    """The message says what to run."""
    with closing(sqlite3.connect(tmp_path / "opssage.db")):
        pass

    url = f"sqlite:///{tmp_path}/opssage.db"
    result = opssage("archive", "--older-than", "1d", env={"DATABASE_URL": url})

    assert result.exit_code == 1
    assert "alembic upgrade head" in result.stderr


@pytest.fixture
def forgettable(store, tmp_path):
    """One archived incident of long ago."""
    incident_id = over(store)
    store.archive_incidents(1, 10)
    with closing(sqlite3.connect(tmp_path / "opssage.db")) as connection:
        when = LONG_AGO.strftime("%Y-%m-%d %H:%M:%S.%f")
        connection.execute("UPDATE incidents_archive SET created_at = ?", (when,))
        connection.commit()
    return incident_id


@pytest.mark.parametrize(
    ("words", "typed", "code", "is_left"),
    [
        ((), "n\n", 1, True),
        ((), "", 1, True),
        ((), "y\n", 0, False),
        (("--yes",), "", 0, False),
    ],
)
def test_prune_deletes_when_it_may(database, store, forgettable, words, typed, code, is_left):
    """It asks first, unless told not to."""
    result = database("prune", "--older-than", "365d", *words, input=typed)

    assert result.exit_code == code
    assert ("Delete 1 archived incident for good?" in result.stderr) is not bool(words)
    assert (store.get_incident(forgettable) is not None) is is_left
    assert ("deleted 1 archived incident\n" in result.stdout) is not is_left


def test_prune_has_nothing_to_ask_without_history(database, store):
    """The live incidents are not its business."""
    over(store)

    result = database("prune", "--older-than", "1d", "--json")

    told = {f"{kind}{what}": 0 for kind in ("", "alerts_", "changes_") for what in WHAT}
    assert (result.exit_code, json.loads(result.stdout)) == (0, told)


def test_prune_deletes_alerts_that_belong_to_no_incident(database, store, tmp_path):
    """When they were last sent so long ago; it says how many."""
    for name in ("A", "B"):
        store.create_incident(group(alert(name, resolved_after=60), key=name))
    with closing(sqlite3.connect(tmp_path / "opssage.db")) as connection:
        when = LONG_AGO.strftime("%Y-%m-%d %H:%M:%S.%f")
        old = alert("A").fingerprint
        connection.execute("UPDATE alerts SET last_seen_at = ? WHERE fingerprint = ?", (when, old))
        connection.commit()

    result = database("prune", "--older-than", "365d", input="y\n")

    assert "Delete 1 alert without an incident for good?" in result.stderr
    assert result.stdout == "deleted 1 alert without an incident\n"
    assert [each.alert.name for each in store.list_strays()] == ["B"]


def test_prune_deletes_changes_by_when_they_happened(database, store):
    """Beside what else is that old; it says how many."""
    for days in (1, 400):
        at = datetime.now(UTC) - timedelta(days=days)
        store.add_change(ReportedChange(kind=ChangeKind.DEPLOY, summary=f"{days} d ago", at=at))

    result = database("prune", "--older-than", "365d", input="y\n")

    assert "Delete 1 reported change for good?" in result.stderr
    assert result.stdout == "deleted 1 reported change\n"
    assert [each.summary for each in store.list_changes()] == ["1 d ago"]


def test_backup_copies_a_database_in_use(database, store, tmp_path):
    """One file that only its owner reads, with all that was committed, and its path on stdout."""
    incident_id = over(store)

    result = database("backup", "--to", tmp_path / "kept")

    (made,) = (tmp_path / "kept").iterdir()
    assert result.stdout == f"{made}\n"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    with closing(sqlite3.connect(f"file:{made}?mode=ro&immutable=1", uri=True)) as copy:
        assert copy.execute("SELECT incident_id FROM incidents").fetchall() == [(str(incident_id),)]


def test_backup_keeps_the_newest(database, store, tmp_path):
    """Older ones of its kind go; what somebody else put there stays."""
    folder = tmp_path / "kept"
    folder.mkdir()
    names = [f"opssage-2026010{day}T000000Z.db" for day in range(1, 6)]
    for name in [*names, "opssage-20260101T000000Z.dump", "opssage-before-upgrade.db"]:
        (folder / name).touch()

    result = database("backup", "--to", folder, "--keep", "3", "--json")

    made = json.loads(result.stdout)
    assert {str(file) for file in folder.iterdir()} == {
        made["path"],
        *(f"{folder}/{name}" for name in names[-2:]),
        f"{folder}/opssage-20260101T000000Z.dump",
        f"{folder}/opssage-before-upgrade.db",
    }
    assert made["bytes"] > 0


def test_backup_that_fails_leaves_nothing(opssage, store, tmp_path):
    """Neither half a file, nor one fewer of the old ones; the code tells."""
    (tmp_path / "broken.db").write_bytes(b"no database" * 1000)
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "opssage-20260101T000000Z.db").touch()
    (folder / ".opssage-backup.partial").write_text("of a run that was killed")

    url = f"sqlite:///{tmp_path}/broken.db"
    result = opssage("backup", "--to", folder, "--keep", "1", env={"DATABASE_URL": url})

    assert result.exit_code == 1
    assert "not a database" in result.stderr
    assert [file.name for file in folder.iterdir()] == ["opssage-20260101T000000Z.db"]


def test_backups_do_not_meet(database, store, tmp_path):
    """Two runs would delete each other's work."""
    holder = (
        "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX);"
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        result = database("backup", "--to", tmp_path)
        other.stdin.close()

    assert result.exit_code == 1
    assert "another backup" in result.stderr


def stand_in(folder, version: str):
    """Make a folder with programs of this version."""
    folder.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


def test_the_first_pg_dump_that_is_new_enough_is_taken(tmp_path):
    """pg_dump refuses servers newer than itself."""
    old = stand_in(tmp_path / "old", "15.18 (Debian 15.18-0+deb12u1)")
    new = stand_in(tmp_path / "new", "18.1")

    assert backups.clients(15, [tmp_path / "none", old, new]) == old
    assert backups.clients(16, [tmp_path / "none", old, new]) == new


@pytest.mark.parametrize(
    ("versions", "said"), [(["15.18"], "a/pg_dump is 15"), ([], "there is none")]
)
def test_a_pg_dump_that_is_too_old_is_told_with_the_fix(tmp_path, versions, said):
    """The message names what is needed, what there is, and what to install."""
    folders = [stand_in(tmp_path / "a", version) for version in versions]

    with pytest.raises(CommandError) as caught:
        backups.clients(16, folders)

    assert said in str(caught.value)
    assert "postgresql-client-16" in str(caught.value)


def test_a_database_that_does_not_answer_has_its_exit_code(opssage, tmp_path):
    """And its password is not told."""
    url = "postgresql://opssage:sesame-open@127.0.0.1:1/opssage"

    result = opssage("backup", "--to", tmp_path / "kept", env={"DATABASE_URL": url})

    assert result.exit_code == 4
    assert "sesame-open" not in result.output
    assert list((tmp_path / "kept").iterdir()) == []
