"""The database as a web process needs it at its start: there, and with the tables of this code."""

import time
from collections.abc import Callable

from opssage.errors import StoreUnavailableError
from opssage.log import get_logger
from opssage.settings import Settings
from store import Store, connect

log = get_logger(__name__)

_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 3.0


def prepare(settings: Settings) -> None:
    """Wait for the database and migrate it. Raises StoreUnavailableError after a minute without."""
    memory = connect(settings.database, settings.folder)
    try:
        wait_for(memory)
        memory.migrate()
    finally:
        memory.close()


def wait_for(
    memory: Store,
    patience_seconds: float = _PATIENCE_SECONDS,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Return as soon as the database answers; raises what it says when it does not in time."""
    until = clock() + patience_seconds
    while True:
        try:
            return memory.ping()
        except StoreUnavailableError as error:
            if clock() >= until:
                raise
            log.warning("waiting_for_database", error=str(error))
        pause(_PAUSE_SECONDS)
