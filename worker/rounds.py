"""What a dispatcher does, a round at a time."""

from collections.abc import Callable
from time import monotonic

from celery import Celery
from kombu import Producer

from opssage import beats
from opssage.incident import Stage
from opssage.log import get_logger
from opssage.settings import WorkerSettings
from store import Store
from tasks import canary
from tasks.pipeline import task_name
from worker.broker_epoch import BrokerEpoch
from worker.dispatch import fill, room

log = get_logger(__name__)

_REVISIONS_A_ROUND = 50
_ENDS_A_ROUND = 200
_AGAIN_SECONDS = 0.1  # while the buffer is full: what is refilled often may be small


class Every:
    """Says yes once in so many seconds, the first time at once."""

    def __init__(self, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        """Take the period; the first call starts it."""
        self._seconds = seconds
        self._clock = clock
        self._next = clock()

    def __call__(self) -> bool:
        """Say whether it is time again."""
        if self._clock() < self._next:
            return False
        self._next = self._clock() + self._seconds
        return True


class Rounds:
    """The rounds of one dispatcher. The database decides who of several publishes what."""

    def __init__(
        self,
        app: Celery,
        store: Store,
        settings: WorkerSettings,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Take what to publish with; nothing is asked before the first round."""
        self._app = app
        self._store = store
        self._settings = settings
        self._epoch = BrokerEpoch(store)
        self._time_to_tidy = Every(settings.dispatch_seconds, clock)
        self._time_to_beat = Every(settings.canary_seconds, clock)
        self._time_for_watchdogs = Every(settings.canary_seconds, clock)
        self._time_for_canaries = Every(settings.canary_seconds, clock)

    def round(self) -> float:
        """Do what is due; returns the seconds after which to look again.

        What needs the database alone comes first. Raises whatever either's client raises.
        """
        if self._time_to_beat():
            self._store.beat(beats.DISPATCHER)
        if self._time_to_tidy():
            self._tidy()
        return _AGAIN_SECONDS if self._publish() else self._settings.dispatch_seconds

    def _tidy(self) -> None:
        if given_up := self._store.give_up_exhausted(self._settings.max_attempts):
            log.error("attempts_exhausted", incidents=given_up)
        if revised := self._store.start_revisions(_REVISIONS_A_ROUND):
            log.info("revisions_started", incidents=revised)
        if ended := self._store.end_stale_alerts(_ENDS_A_ROUND):
            log.info("alerts_expired", alerts=ended)
        if self._time_for_watchdogs() and (silent := self._store.check_watchdogs()):
            log.warning("watchdogs_silent", watchdogs=silent)

    def _publish(self) -> bool:
        """Fill the broker's buffer; True when it is full, so that there may be more to publish."""
        with self._app.producer_or_acquire() as producer:
            self._epoch.look(producer.channel)
            free = room(producer.channel, self._settings)
            # a buffer that nobody empties is not filled up with canaries
            if free and self._time_for_canaries():
                _send_canaries(self._app, producer)
            published = fill(self._app, self._store, self._settings, producer, free)
        if published:
            log.info("dispatched", incidents=published)
        return published == free


def _send_canaries(app: Celery, producer: Producer) -> None:
    for stage in Stage:
        app.tasks[canary.NAME].apply_async(
            kwargs={"stage": stage.value}, queue=task_name(stage), producer=producer
        )
