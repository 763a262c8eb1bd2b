"""The one publisher and the chain it sends, on a broker in memory."""

import json
from dataclasses import replace
from queue import Queue
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from factories import alert, group
from redis import Redis

from opssage.incident import Status
from opssage.settings import BrokerSettings
from worker import app as worker_app
from worker.connection import Connection
from worker.dispatch import dispatch
from worker.options import VISIBILITY_SECONDS, options
from worker.publisher import Publisher

QUEUE = "opssage:opssage.collect"


def test_dispatch_publishes_what_is_due_most_severe_first(app, store, settings, broker):
    """The messages carry ids only, and critical incidents come before warnings."""
    store.create_incident(group(alert("Mild"), key="a"))
    store.create_incident(group(alert("Severe", severity="critical"), key="b"))

    assert not dispatch(app, store, settings.worker)

    redis = Redis.from_url(broker)
    sent = [json.loads(item)["headers"] for item in redis.lrange(QUEUE, 0, -1)][::-1]
    names = {str(i.incident_id): i.alert_name for i in store.list_incidents()}
    assert [
        names[json.loads(headers["argsrepr"].replace("'", '"').strip("(),"))] for headers in sent
    ] == [
        "Severe",
        "Mild",
    ]
    redis.close()


def test_dispatch_leaves_a_full_buffer_alone(app, store, settings, broker):
    """Redis stays a small buffer: the rest waits in the database, and the caller is told."""
    for number in range(5):
        store.create_incident(group(alert(f"A{number}"), key=str(number)))
    small = replace(settings.worker, high_water=3)

    assert [dispatch(app, store, small), dispatch(app, store, small)] == [True, True]

    with Redis.from_url(broker) as redis:
        assert redis.llen(QUEUE) == 3
    assert len(store.take_due(10, resend_seconds=20)) == 2


def test_a_dead_broker_leaves_everything_due(store, settings):
    """What could not be published is given back."""
    dead = replace(settings, broker=BrokerSettings(url="redis://127.0.0.1:1/0"))
    app = worker_app.create(dead, hasty=True)
    store.create_incident(group())

    with pytest.raises(Exception, match="refused"):
        dispatch(app, store, settings.worker)

    assert len(store.take_due(10, resend_seconds=20)) == 1


class Failing(dict[str, Any]):
    """Tasks that cannot be reached any more once a first chain was made of them."""

    def __init__(self, tasks: Any) -> None:
        super().__init__(tasks)
        self.left = 3

    def __getitem__(self, name: str) -> Any:
        if self.left == 0:
            raise ConnectionError("refused")
        self.left -= 1
        return super().__getitem__(name)


def test_a_publish_that_fails_half_way_gives_all_back(app, store, settings, broker):
    """Nothing is sent, and everything is due at once instead of after the resend time."""
    store.create_incident(group(alert("A"), key="a"))
    store.create_incident(group(alert("B"), key="b"))
    failing = SimpleNamespace(producer_or_acquire=app.producer_or_acquire, tasks=Failing(app.tasks))

    with pytest.raises(ConnectionError):
        dispatch(failing, store, settings.worker)

    with Redis.from_url(broker) as redis:
        assert redis.llen(QUEUE) == 0
    assert len(store.take_due(10, resend_seconds=20)) == 2


def test_a_worker_runs_the_chain_to_the_end(app, store, settings):
    """One dispatch is enough: each stage publishes the next."""
    (touched,) = store.create_incident(group()).incidents
    dispatch(app, store, settings.worker)

    with start_worker(app, pool="solo", perform_ping_check=False, loglevel="error"):
        for _ in range(200):
            if store.get_incident(touched.incident_id).status.is_terminal:
                break
            Event().wait(0.05)

    assert store.get_incident(touched.incident_id).status is Status.COMPLETED


def test_the_visibility_timeout_stands_in_all_three_places(settings):
    """Redis takes the shortest; it must be longer than a task may take."""
    chosen = options(settings)

    assert chosen["visibility_timeout"] == VISIBILITY_SECONDS
    assert chosen["broker_transport_options"]["visibility_timeout"] == VISIBILITY_SECONDS
    assert chosen["result_backend_transport_options"]["visibility_timeout"] == VISIBILITY_SECONDS
    assert chosen["task_time_limit"] < VISIBILITY_SECONDS


def test_a_stage_may_take_as_long_as_the_settings_say(settings):
    """It is asked to end a little earlier, so that there is time to tell why it was ended."""
    chosen = options(replace(settings, worker=replace(settings.worker, stage_seconds=60)))

    assert (chosen["task_time_limit"], chosen["task_soft_time_limit"]) == (60, 54)


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("rediss://:p%40@h:1/0", "rediss://:p%40@h:1/0?ssl_cert_reqs=required"),
        ("rediss://h/0?ssl_ca_certs=/ca", "rediss://h/0?ssl_ca_certs=/ca&ssl_cert_reqs=required"),
        ("rediss://h/0?ssl_cert_reqs=none", "rediss://h/0?ssl_cert_reqs=none"),
    ],
)
def test_a_broker_behind_tls_is_verified(settings, url, used):
    """Unless the URL says that it need not be."""
    chosen = options(replace(settings, broker=replace(settings.broker, url=url)))

    assert chosen["broker_url"] == used


def test_every_option_is_one_that_celery_knows(app):
    """A misspelt option would be ignored without a word."""
    from celery.app.defaults import NAMESPACES, flatten

    known = {name for name, _ in flatten(NAMESPACES)}

    assert set(options(app.opssage_settings)) - known <= {"visibility_timeout"}


class Waiting(Connection):
    """A connection that tells how it would wait for its broker."""

    def _ensure_connection(self, *args: Any, **kwargs: Any) -> None:
        self.told = kwargs


def test_a_worker_looks_for_its_broker_often(app):
    """However long the broker was away, it is not kept waiting for the workers."""
    waiting = Waiting(app.conf.broker_url)
    waiting.ensure_connection(max_retries=None)

    assert app.amqp.Connection is Connection
    assert waiting.told["interval_max"] <= 5


class Broken:
    """A dispatch that fails, counting its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.called = Event()

    def __call__(self) -> Any:
        self.calls += 1
        self.called.set()
        raise ConnectionError("refused")


def test_the_publisher_goes_on_until_the_broker_has_room(app, store, settings, broker):
    """One nudge publishes all that is due, though the buffer holds a part of it."""
    for number in range(5):
        store.create_incident(group(alert(f"A{number}"), key=str(number)))
    small = replace(settings.worker, high_water=2)
    rounds: Queue[bool] = Queue()

    def publish() -> bool:
        is_full = dispatch(app, store, small)
        rounds.put(is_full)
        return is_full

    Publisher(publish).nudge()

    with Redis.from_url(broker) as redis:
        taken = 0
        while rounds.get(timeout=5):
            taken += redis.rpop(QUEUE) is not None
    assert taken >= 4
    assert store.take_due(10, resend_seconds=20) == []


def test_the_publisher_survives_a_broken_broker():
    """A nudge never raises, and the thread is there for the next one."""
    broken = Broken()
    publisher = Publisher(broken)

    for _ in range(2):
        broken.called.clear()
        publisher.nudge()
        assert broken.called.wait(5)

    assert broken.calls == 2


def test_the_publisher_stops_asking_a_broker_that_keeps_failing():
    """After three failures the breaker opens: nobody waits for a hung broker again and again."""
    broken = Broken()
    publisher = Publisher(broken)

    for _ in range(6):
        publisher.nudge()
        Event().wait(0.2)

    assert broken.calls == 3
