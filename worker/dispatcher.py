"""`python -m worker.dispatcher`: looks every few seconds for work that no message stands for.

Any number may run: the database decides who publishes what.
"""

import signal
from threading import Event

from opssage import log
from opssage.settings import load
from store import connect
from worker.app import create
from worker.dispatch import dispatch

logger = log.get_logger(__name__)

_REVISIONS_A_ROUND = 50


def main() -> None:
    """Dispatch until told to stop."""
    settings = load()
    log.configure(settings.logging)
    app = create(settings)
    store = connect(settings.database, settings.folder)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logger.info("dispatcher_started", every_seconds=settings.worker.dispatch_seconds)
    while not stop.is_set():
        try:
            if given_up := store.give_up_exhausted(settings.worker.max_attempts):
                logger.error("attempts_exhausted", incidents=given_up)
            if revised := store.start_revisions(_REVISIONS_A_ROUND):
                logger.info("revisions_started", incidents=revised)
            if published := dispatch(app, store, settings.worker):
                logger.info("dispatched", incidents=published)
        except Exception as error:  # noqa: BLE001 - the loop's edge: the next round tries again
            logger.warning("dispatch_failed", error=str(error))
        stop.wait(settings.worker.dispatch_seconds)
    logger.info("dispatcher_stopped")


if __name__ == "__main__":
    main()
