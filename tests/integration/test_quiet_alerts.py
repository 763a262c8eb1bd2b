"""Alerts that open no incident: those that serve alerting, and those that are ignored."""

import pytest
from factories import alert, at, group
from steps import opened, rows

from opssage.settings import IgnoredAlerts

MINUTE, HOUR = 60, 3600


@pytest.fixture
def store(store_with):
    """A store that goes by the settings of an installation."""
    return store_with()


@pytest.mark.parametrize(
    ("name", "disposition"), [("Watchdog", "watchdog"), ("InfoInhibitor", "inhibitor")]
)
def test_alerts_that_serve_alerting_open_nothing(store, name, disposition):
    """They are kept, repeated and ended like others, and counted apart."""
    for told_again in (
        alert(name),
        alert(name),
        alert(name, starts_at=at(HOUR)),
        alert(name, starts_at=at(HOUR), resolved_after=60),
    ):
        receipt = store.create_incident(group(told_again))
        assert (receipt.ignored, receipt.accepted, receipt.incidents) == (1, 0, ())

    strays = {(each.disposition, each.alert.status) for each in store.list_strays()}
    assert strays == {(disposition, "resolved")}


def test_ignored_alerts_open_and_join_nothing(store_with):
    """Labels match whole values, all of a matcher's, any of several matchers."""
    store = store_with(
        ignore=(
            IgnoredAlerts(labels=(("severity", "info"), ("namespace", "dev-.*"))),
            IgnoredAlerts(labels=(("alertname", "Noise"),)),
        )
    )
    incident_id = opened(store)

    receipt = store.create_incident(
        group(
            alert("Noise"),
            alert("A", severity="info", namespace="dev-1"),
            alert("B", severity="info"),
            alert("C", severity="info", namespace="my-dev-1"),
        )
    )

    assert (receipt.ignored, receipt.accepted) == (2, 2)
    assert len(store.list_alerts(incident_id)) == 3
    assert {each.alert.name for each in store.list_strays()} == {"Noise", "A"}


def test_an_alert_that_is_ignored_no_more_opens_an_incident_with_its_next_delivery(store_with):
    """The configuration is read anew; the alert has fired all along."""
    quiet = store_with(ignore=(IgnoredAlerts(labels=(("alertname", "HighErrorRate"),)),))
    quiet.create_incident(group())
    store = store_with()

    receipt = store.create_incident(group())

    assert (receipt.accepted, receipt.ignored) == (1, 0)
    assert rows(store, receipt.incidents[0].incident_id) == ["0 firing"]
    assert store.list_strays() == []


def test_an_alert_that_is_ignored_from_now_on_stays_in_its_incident(store_with):
    """Until it ends; its next start opens nothing."""
    incident_id = opened(store_with())
    quiet = store_with(ignore=(IgnoredAlerts(labels=(("alertname", "HighErrorRate"),)),))

    assert opened(quiet) == incident_id
    receipt = quiet.create_incident(group(alert(starts_at=at(2 * HOUR))))

    assert (receipt.ignored, receipt.incidents) == (1, ())
    assert quiet.get_incident(incident_id).resolved_at == at(2 * HOUR)


def test_a_silent_watchdog_opens_an_incident(store_with, wait):
    """From when it was last heard of, in its cluster, as bad as can be; once."""
    store = store_with(watchdog_seconds=5 * MINUTE)
    store.create_incident(group(alert("Watchdog", cluster="one")))
    assert store.check_watchdogs() == 0
    wait(6 * MINUTE)

    assert [store.check_watchdogs() for _ in range(2)] == [1, 1]

    (incident,) = store.list_incidents()
    assert (incident.alert_name, incident.severity) == ("WatchdogMissing", "critical")
    (kept,) = store.page_alerts(incident.incident_id)
    assert kept.alert.labels["cluster"] == "one"
    assert kept.alert.starts_at == store.list_strays()[0].last_seen_at


def test_a_watchdog_that_returns_ends_its_incident(store_with, wait):
    """When it is heard of again, and its next silence is told of again."""
    store = store_with(watchdog_seconds=5 * MINUTE)
    store.create_incident(group(alert("Watchdog")))
    wait(6 * MINUTE)
    store.check_watchdogs()

    store.create_incident(group(alert("Watchdog")))
    assert [store.check_watchdogs() for _ in range(2)] == [0, 0]

    (incident,) = store.list_incidents()
    assert incident.resolved_at == store.list_strays()[0].last_seen_at
    wait(HOUR)
    assert store.check_watchdogs() == 1
    assert [each.resolved_at is None for each in store.list_incidents()] == [True, False]


def test_a_watchdog_that_ends_is_missed_at_once(store_with):
    """It always fires; its end is the death of its Prometheus."""
    store = store_with(watchdog_seconds=5 * MINUTE)
    store.create_incident(group(alert("Watchdog")))
    store.create_incident(group(alert("Watchdog", resolved_after=60)))

    assert store.check_watchdogs() == 1


def test_each_watchdog_has_an_incident_of_its_own(store_with, wait):
    """One of two clusters is silent, and of two senders."""
    store = store_with(watchdog_seconds=5 * MINUTE)
    for sender in ("here", "there"):
        for cluster in ("one", "two"):
            store.create_incident(group(alert("Watchdog", cluster=cluster), sender=sender))
    wait(6 * MINUTE)
    store.create_incident(group(alert("Watchdog", cluster="two"), sender="there"))

    assert store.check_watchdogs() == 3

    assert sorted(each.sender for each in store.list_incidents()) == ["here", "here", "there"]


def test_a_watchdog_that_never_returns_is_taken_as_gone(store_with, wait):
    """After `stale_seconds`; our alert about it expires like any other."""
    store = store_with(watchdog_seconds=5 * MINUTE, stale_seconds=HOUR)
    store.create_incident(group(alert("Watchdog")))
    wait(6 * MINUTE)
    store.check_watchdogs()

    wait(2 * HOUR)

    assert store.check_watchdogs() == 0
    store.end_stale_alerts(10)
    (incident,) = store.list_incidents()
    assert incident.resolved_at is not None


def test_without_watchdog_seconds_nobody_is_missed(store, wait):
    """It is up to the configuration."""
    store.create_incident(group(alert("Watchdog")))
    wait(25 * HOUR)

    assert store.check_watchdogs() == 0
    assert store.list_incidents() == []
