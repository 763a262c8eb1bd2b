"""The stack that runs on a data folder: one at a time, and how other commands find it."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cli.exits import CommandError

_LOCK = "up.lock"
_ENVIRONMENT = "up.json"


@contextmanager
def claimed(data: Path) -> Iterator[None]:
    """Make the data folder and hold it; raises CommandError when another stack runs on it."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CommandError(
                f"another opssage runs on {data}: stop it, or choose another folder with --data"
            ) from error
        try:
            yield
        finally:
            (data / _ENVIRONMENT).unlink(missing_ok=True)


def database_file(data: Path) -> Path:
    """Return where a stack on this folder keeps its SQLite database."""
    return data.absolute() / "opssage.db"


def announce(data: Path, environment: Mapping[str, str]) -> None:
    """Leave word of the settings that the stack on this folder runs with, for its owner only."""
    file = data / _ENVIRONMENT
    file.unlink(missing_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:  # noqa: PTH123 (the mode counts from the start)
        json.dump(dict(environment), out)


def environment(data: Path) -> dict[str, str]:
    """Return the settings of the stack that runs on this folder now; empty when none does."""
    try:
        with (data / _LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        try:
            return dict(json.loads((data / _ENVIRONMENT).read_text()))
        except (OSError, ValueError):  # it is starting, or belongs to somebody else
            return {}
    except OSError:
        return {}
    return {}
