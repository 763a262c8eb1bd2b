"""What the database tells at a scrape: it knows even when the process that should act is dead."""

from collections.abc import Iterator
from concurrent.futures import Future
from threading import Lock, Thread
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from opssage import beats
from opssage.log import get_logger
from store import Backlog, Store

log = get_logger(__name__)

_PATIENCE_SECONDS = 2.0  # a scrape has ten by default, and more to tell than this


class _Told(NamedTuple):
    backlog: Backlog
    beats: dict[str, float]


class DatabaseGauges(Collector):
    """Asks the store anew at each scrape.

    When the database does not answer in time only `opssage_database_up 0` is told: a gauge with a
    stale or made-up value would hide what an alert is for.
    """

    def __init__(self, store: Store, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self._store = store
        self._patience_seconds = patience_seconds
        self._lock = Lock()
        self._asked: Future[_Told] | None = None

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        told = self._told()
        up = GaugeMetricFamily(
            "opssage_database_up", "1 when the database answered this scrape in time, else 0."
        )
        up.add_metric((), float(told is not None))
        yield up
        if told is not None:
            yield from _gauges(told)

    def _told(self) -> _Told | None:
        asked = self._ask()
        try:
            return asked.result(self._patience_seconds)
        except Exception as error:  # noqa: BLE001 - the rest of the scrape is told nevertheless
            log.warning("scrape_without_database", error=str(error) or type(error).__name__)
            return None

    def _ask(self) -> "Future[_Told]":
        """Ask in a thread of its own, which a database that hangs may keep: one, not one a scrape.

        Scrapes that come together share an answer.
        """
        with self._lock:
            if self._asked is None or self._asked.done():
                self._asked = Future()
                Thread(target=self._fill, args=(self._asked,), name="gauges", daemon=True).start()
            return self._asked

    def _fill(self, asked: "Future[_Told]") -> None:
        try:
            asked.set_result(_Told(self._store.backlog(), self._store.beats()))
        except Exception as error:  # noqa: BLE001 - the thread's edge; the scrape tells it
            asked.set_exception(error)


def _gauges(told: _Told) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "opssage_oldest_pending_seconds",
        "How long the oldest unfinished incident has been due; 0 when none waits.",
        told.backlog.oldest_seconds,
    )
    yield GaugeMetricFamily(
        "opssage_unfinished_incidents",
        "Incidents neither completed nor failed.",
        told.backlog.unfinished,
    )
    ages = GaugeMetricFamily(
        "opssage_beat_age_seconds",
        "Time since the last sign of life; name: a queue that is consumed, or the dispatcher.",
        labels=("name",),
    )
    for name in beats.KNOWN:  # others hold names of hosts, which are no labels
        if name in told.beats:
            ages.add_metric((name,), told.beats[name])
    yield ages
