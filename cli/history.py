"""What the commands on the history share: the database itself, and going through it in batches."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import store
from cli.assurance import sqlite_file
from cli.exits import CommandError, no_database
from cli.options import Options, messages
from opssage.errors import StoreUnavailableError
from store import Store

_MOST_PAUSE_SECONDS = 2.0
_TRIES = 5


@contextmanager
def opened(options: Options) -> Iterator[Store]:
    """Yield the store that the settings name; raises CommandError when it is not there."""
    settings = options.database_settings()
    file = sqlite_file(settings)
    if file is not None and not file.exists():  # to connect would make it
        raise no_database(file)
    memory = store.connect(settings.database, settings.folder)
    try:
        if not memory.is_at_head():
            raise CommandError(
                "the tables are not those of this version: run `alembic upgrade head`, or start "
                "the web process"
            )
        yield memory
    finally:
        memory.close()


def in_batches(
    step: Callable[[], int],
    total: int,
    doing: str,
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Repeat a step until it finds nothing to do, with a bar on stderr; returns the sum.

    After each step there is a pause as long as it took: SQLite has one writer at a time, and
    alerts that arrive must get their turn. When they are so many that the step gets none, it is
    tried again a few times. Raises StoreUnavailableError after that.
    """
    done = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=messages, disable=not messages.is_terminal
    ) as progress:
        bar = progress.add_task(doing, total=total)
        started = time.monotonic()
        while batch := _patiently(step, pause):
            done += batch
            progress.update(bar, completed=done, total=max(total, done))
            pause(min(time.monotonic() - started, _MOST_PAUSE_SECONDS))
            started = time.monotonic()
    return done


def _patiently(step: Callable[[], int], pause: Callable[[float], None]) -> int:
    for _ in range(_TRIES - 1):
        try:
            return step()
        except StoreUnavailableError:
            pause(_MOST_PAUSE_SECONDS)
    return step()


def incidents(number: int) -> str:
    """Return `1 incident`, `7 incidents`."""
    return f"{number} incident{'' if number == 1 else 's'}"
