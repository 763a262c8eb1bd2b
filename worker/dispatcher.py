"""`python -m worker.dispatcher`: looks every few seconds for work that no message stands for.

Any number may run: the database decides who publishes what.
"""

import signal
from threading import Event

from opssage import log
from opssage.settings import load
from store import Rules, connect
from worker import notifier
from worker.app import create
from worker.rounds import Rounds

logger = log.get_logger(__name__)


def main() -> None:
    """Dispatch until told to stop."""
    settings = load()
    log.configure(settings.logging)
    # hasty: while the broker hangs, what needs the database alone goes on
    app = create(settings, hasty=True)
    store = connect(settings.database, settings.folder, Rules.of(settings))
    rounds = Rounds(app, store, settings.worker)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logger.info("dispatcher_started", every_seconds=settings.worker.dispatch_seconds)
    notifying = notifier.start(store, settings, stop)
    while not stop.is_set():
        pause = settings.worker.dispatch_seconds
        try:
            pause = rounds.round()
        except Exception as error:  # noqa: BLE001 - the loop's edge: the next round tries again
            logger.warning("dispatch_failed", error=str(error))
        stop.wait(pause)
    if notifying:
        notifying.join(notifier.GRACE_SECONDS + 1)
    logger.info("dispatcher_stopped")


if __name__ == "__main__":
    main()
