"""The rounds of a dispatcher, on a broker in memory."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from factories import alert, at, group
from prometheus_client import REGISTRY
from redis import Redis

from opssage import beats
from opssage.incident import Stage
from opssage.settings import BrokerSettings, DatabaseSettings, IngestSettings
from store import Rules, connect
from tasks import canary
from worker import app as worker_app
from worker.rounds import Every, Rounds

CANARIES = len(Stage)


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def redis(broker) -> Iterator[Redis]:
    """A client of the broker."""
    with Redis.from_url(broker) as client:
        yield client


@pytest.fixture
def clock() -> Clock:
    """The clock of `rounds`."""
    return Clock()


@pytest.fixture
def rounds(app, store, settings, clock) -> Rounds:
    """A dispatcher whose buffer has room for four messages."""
    return Rounds(app, store, replace(settings.worker, high_water=4), clock)


def waiting(redis: Redis) -> int:
    """Return how many messages wait."""
    return sum(redis.llen(f"opssage:opssage.{stage.value}") for stage in Stage)


def wipes() -> float:
    """Return how often an emptied broker was noticed."""
    return REGISTRY.get_sample_value("opssage_broker_wipes_total") or 0.0


def open_incidents(store, number: int) -> None:
    """Have incidents to publish."""
    for each in range(number):
        store.create_incident(group(alert(f"A{each}"), key=str(each)))


def test_a_round_publishes_what_is_due(rounds, store, redis, settings):
    """All of it when there is room; then the next look may take its time."""
    open_incidents(store, 2)

    assert rounds.round() == settings.worker.dispatch_seconds
    assert waiting(redis) == 2 + CANARIES


def test_a_full_buffer_is_looked_at_again_soon(rounds, store, redis, settings):
    """What is refilled often may be small, and the most severe come first for longer."""
    open_incidents(store, 5)

    pauses = [rounds.round(), rounds.round()]

    assert max(pauses) < settings.worker.dispatch_seconds
    assert waiting(redis) == 4 + CANARIES


def test_a_canary_goes_to_each_queue_once_a_period(rounds, redis, clock, settings):
    """No more often, and again when the period is over."""
    rounds.round()
    rounds.round()
    assert [redis.llen(f"opssage:opssage.{stage.value}") for stage in Stage] == [1, 1, 1]

    clock.now += settings.worker.canary_seconds
    rounds.round()
    assert waiting(redis) == 2 * CANARIES


def test_canaries_do_not_overfill_a_buffer_that_nobody_empties(rounds, store, redis, clock):
    """Without a worker they would pile up for as long as it is away."""
    open_incidents(store, 5)

    for _ in range(5):
        rounds.round()
        clock.now += 1000

    assert waiting(redis) == 4 + CANARIES


def test_a_canary_tells_that_its_queue_is_consumed(app, store):
    """Whoever runs it leaves a sign of life for the queue it came from."""
    app.tasks[canary.NAME](stage=Stage.ENRICH.value)

    assert set(store.beats()) == {"queue/enrich"}


def test_an_emptied_broker_is_filled_again_at_once(rounds, store, redis):
    """The database knows what it held; nobody waits for the time to send again."""
    open_incidents(store, 2)
    rounds.round()
    before = wipes()
    redis.flushall()

    rounds.round()

    assert waiting(redis) == 2
    assert wipes() == before + 1


def test_of_several_dispatchers_one_notices_an_emptied_broker(app, store, settings, redis):
    """Each incident is published anew once."""
    dispatchers = [Rounds(app, store, settings.worker) for _ in range(3)]
    open_incidents(store, 2)
    for each in dispatchers:
        each.round()
    before = wipes()
    redis.flushall()

    for each in dispatchers * 2:
        each.round()

    assert waiting(redis) == 2
    assert wipes() == before + 1


def test_the_first_marker_of_all_is_no_wipe(rounds, store):
    """A new installation has lost nothing."""
    open_incidents(store, 1)
    before = wipes()

    rounds.round()

    assert wipes() == before


def test_a_round_ends_alerts_that_are_not_sent_any_more(rounds, store):
    """Their incident is over, though nobody said so."""
    (touched,) = store.create_incident(group(replace(alert(), expires_at=at(-(10**9))))).incidents

    rounds.round()

    assert store.get_incident(touched.incident_id).resolved_at is not None


def test_watchdogs_are_looked_after_once_a_period(app, migrated, tmp_path, settings, clock):
    """A silent one is an incident, which the next round publishes."""
    url = f"sqlite:///{shutil.copy(migrated, tmp_path / 'watched.db')}"
    rules = Rules(ingest=IngestSettings(watchdog_seconds=300))
    watched = connect(DatabaseSettings(url=url), Path(), rules)
    rounds = Rounds(app, watched, settings.worker, clock)
    rounds.round()
    watched.create_incident(group(alert("Watchdog")))
    watched.create_incident(group(alert("Watchdog", resolved_after=60)))

    found = []
    for seconds in (settings.worker.dispatch_seconds, settings.worker.canary_seconds):
        clock.now += seconds
        rounds.round()
        found.append([incident.alert_name for incident in watched.list_incidents()])

    assert found == [[], ["WatchdogMissing"]]
    watched.close()


def test_what_needs_the_database_alone_does_not_wait_for_the_broker(store, settings):
    """A dead broker ends a round with its error, after the rest was done."""
    dead = replace(settings, broker=BrokerSettings(url="redis://127.0.0.1:1/0"))
    rounds = Rounds(worker_app.create(dead, hasty=True), store, settings.worker)

    with pytest.raises(Exception, match="refused"):
        rounds.round()

    assert set(store.beats()) == {beats.DISPATCHER}


def test_a_period_is_over_once_its_seconds_have_passed(clock):
    """The first time is at once."""
    every = Every(10, clock)
    told = []
    for now in (1000, 1009, 1010, 1015, 1020):
        clock.now = now
        told.append(every())

    assert told == [True, False, True, False, True]
