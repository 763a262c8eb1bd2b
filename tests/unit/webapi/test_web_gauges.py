"""What /metrics tells from the database, and what it tells without one."""

from threading import Event

import pytest
from prometheus_client.parser import text_string_to_metric_families

from opssage import beats
from opssage.errors import StoreUnavailableError
from opssage.settings import load
from store import Backlog
from webapi.app import create_app
from webapi.gauges import DatabaseGauges


class FakeStore:
    """A database with a backlog and signs of life; `release` is set by whoever lets it answer."""

    def __init__(self, backlog=Backlog(unfinished=3, oldest_seconds=42.5), ages=None):  # noqa: B008 - it is frozen
        self.told = backlog
        self.ages = ages or {}
        self.asked = 0
        self.release = Event()
        self.release.set()

    def backlog(self):
        self.asked += 1
        self.release.wait(30)
        if isinstance(self.told, Exception):
            raise self.told
        return self.told

    def beats(self):
        return self.ages


def samples(gauges):
    """Return what is told, by name and labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in gauges.collect()
        for sample in family.samples
    }


def test_the_backlog_is_told():
    """How much is unfinished, and how long the oldest has been due."""
    told = samples(DatabaseGauges(FakeStore()))

    assert told["opssage_unfinished_incidents",] == 3
    assert told["opssage_oldest_pending_seconds",] == 42.5
    assert told["opssage_database_up",] == 1


def test_signs_of_life_are_told_of_the_known_ones_only():
    """Others hold names of hosts, and a series for each would never end."""
    ages = {**dict.fromkeys(beats.KNOWN, 7.0), "worker/pod-1/4711": 1.0}

    told = samples(DatabaseGauges(FakeStore(ages=ages)))

    assert [labels for name, *labels in told if name == "opssage_beat_age_seconds"] == [
        [name] for name in beats.KNOWN
    ]


def test_a_database_that_refuses_tells_no_gauge_but_that_it_is_down():
    """A made-up 0 would hide what the alert is for."""
    store = FakeStore(StoreUnavailableError("refused"))

    assert samples(DatabaseGauges(store)) == {("opssage_database_up",): 0}


def test_a_database_that_hangs_holds_one_thread_and_no_scrape():
    """Each scrape is told in time, and asks no further question while one is open."""
    store = FakeStore()
    store.release.clear()
    gauges = DatabaseGauges(store, patience_seconds=0.01)

    told = [samples(gauges) for _ in range(3)]
    store.release.set()

    assert told == [{("opssage_database_up",): 0}] * 3
    assert store.asked == 1


def test_a_database_that_is_back_is_asked_anew():
    """What it answered too late is not told."""
    store = FakeStore(StoreUnavailableError("refused"))
    gauges = DatabaseGauges(store)
    samples(gauges)
    store.told = Backlog(unfinished=0, oldest_seconds=0.0)

    assert samples(gauges)["opssage_database_up",] == 1


@pytest.fixture
def broken():
    """A client of an app whose database refuses everything."""

    class Refusing:
        def __getattr__(self, verb):
            def refuse(*_, **__):
                raise StoreUnavailableError("refused")

            return refuse

    return create_app(load(environ={}), Refusing(), lambda: None, {}).test_client()


def test_the_rest_is_told_without_a_database(broken):
    """/metrics answers, with what the processes counted."""
    answer = broken.get("/metrics")

    text = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "\nopssage_database_up 0.0\n" in text
    assert "\nopssage_build_info{" in text


def count(client, route, status):
    """Return how many POSTs of a route were answered so."""
    wanted = {"method": "POST", "route": route, "status": status}
    text = client.get("/metrics").get_data(as_text=True)
    return next(
        (
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "opssage_http_request_seconds_count" and sample.labels == wanted
        ),
        None,
    )


def test_a_503_is_counted_with_its_route(broken):
    """The alert on refused ingest reads this series; the answer comes from an error handler."""
    before = count(broken, "/api/v1/alerts", "503")

    answer = broken.post("/api/v1/alerts", json={"alert_name": "A"})

    assert answer.status_code == 503
    assert count(broken, "/api/v1/alerts", "503") == before + 1


def test_ingest_routes_count_503_from_zero(client):
    """A counter that starts at 1 has no rate, and the first refusal would be missed."""
    assert count(client, "/api/v1/webhooks/alertmanager", "503") is not None
