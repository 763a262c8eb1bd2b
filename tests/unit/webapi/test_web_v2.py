"""The door that looks like an Alertmanager, for Prometheus itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from opssage.errors import StoreUnavailableError
from opssage.fingerprint import fingerprint
from opssage.incident import AlertStatus
from opssage.settings import IngestSettings, load
from store import Receipt
from webapi.app import create_app
from webapi.senders.prometheus import posted_groups

DOOR = "/api/v2/alerts"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ZERO = "0001-01-01T00:00:00.000Z"


def at(seconds: float) -> str:
    """Return noon and some seconds as Prometheus spells it."""
    return (NOON + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def posted(name: str = "Down", **labels: str) -> dict:
    """Return an alert as Prometheus posts it: its end moves ahead of it while it fires."""
    return {
        "labels": {"alertname": name, "severity": "critical", **labels},
        "annotations": {"summary": "it is down"},
        "startsAt": at(-60),
        "endsAt": at(240),
        "generatorURL": "http://prometheus:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
    }


def read(*items: object, **settings: object) -> tuple:
    """Return the groups of a list at noon."""
    return posted_groups(list(items), IngestSettings(**settings), NOON)


def test_prometheus_gets_what_an_alertmanager_answers(client, store, nudges):
    """200 and nothing: it looks at the status only."""
    firing = {"endsAt": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}

    answer = client.post(DOOR, json=[posted(pod="a") | firing, posted(pod="b") | firing])

    assert (answer.status_code, answer.data) == (200, b"")
    assert len(store.list_incidents()) == 2
    assert nudges.count == 1


def test_an_alert_that_fires_expires_at_its_end():
    """A Prometheus that stops sending has its alerts end then."""
    (group,) = read(posted())

    (alert,) = group.alerts
    assert (alert.status, alert.ends_at) == (AlertStatus.FIRING, None)
    assert alert.expires_at == NOON + timedelta(seconds=240)
    assert alert.firing_condition == "up == 0"
    assert alert.fingerprint == fingerprint(alert.labels)


def test_an_end_far_ahead_is_cut():
    """An alert that nobody sends again must not fire for ever."""
    (group,) = read(posted() | {"endsAt": "9999-12-31T23:59:59Z"}, stale_seconds=3600.0)

    assert group.alerts[0].expires_at == NOON + timedelta(hours=1)


@pytest.mark.parametrize("ends", [-1, 0])
def test_an_end_that_has_passed_is_a_resolution(ends):
    """As for Alertmanager, an alert that ends now is over."""
    (group,) = read(posted() | {"endsAt": at(ends)})

    (alert,) = group.alerts
    assert (alert.status, alert.expires_at) == (AlertStatus.RESOLVED, None)
    assert alert.ends_at == NOON + timedelta(seconds=ends)


@pytest.mark.parametrize("given", [{}, {"endsAt": None}, {"endsAt": ZERO}])
def test_an_alert_without_an_end_expires_after_the_setting(given):
    """Go's zero time is none at all."""
    item = posted()
    del item["endsAt"]

    (group,) = read(item | given, resolve_seconds=90)

    assert group.alerts[0].expires_at == NOON + timedelta(seconds=90)


@pytest.mark.parametrize(
    ("given", "starts"),
    [
        ({"startsAt": ZERO, "endsAt": at(-30)}, -30),
        ({"startsAt": None, "endsAt": at(240)}, 0),
        ({"startsAt": None, "endsAt": None}, 0),
    ],
)
def test_an_alert_without_a_start_begins_at_its_end_or_now(given, starts):
    """Whichever is earlier."""
    (group,) = read(posted() | given)

    assert group.alerts[0].starts_at == NOON + timedelta(seconds=starts)


def test_labels_without_a_value_are_none():
    """As for Prometheus; so they do not make another alert of it."""
    (group,) = read(posted() | {"labels": {"alertname": "Down", "pod": ""}})

    assert group.alerts[0].labels == {"alertname": "Down"}
    assert group.alerts[0].fingerprint == fingerprint({"alertname": "Down"})


def test_an_alert_without_a_name_is_taken():
    """Alertmanager takes it too; its labels say what it is."""
    (group,) = read(posted() | {"labels": {"job": "node"}})

    assert group.alerts[0].name == ""


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (7, "[0]: Invalid input type."),
        ({}, "[0].labels: Missing data"),
        ({"labels": {}}, "[0].labels: Needs at least one label with a value."),
        ({"labels": {"pod": ""}}, "[0].labels: Needs at least one label with a value."),
        ({"labels": {"pod": 7}}, "[0].labels.pod: Not a string."),
        (posted() | {"startsAt": "noon"}, "[0].startsAt: Not a time like"),
        (posted() | {"startsAt": "1999-12-31T00:00:00Z"}, "[0].startsAt: Not between 2000"),
        (posted() | {"endsAt": at(-61)}, "[0].endsAt: Before startsAt."),
    ],
)
def test_a_bad_alert_is_a_reject_and_its_mates_pass(item, reason):
    """Prometheus drops a whole batch at a 4xx."""
    good, bad = read(item, posted())[0], read(item, posted())[-1]

    assert [alert.name for alert in good.alerts] == ["Down"]
    assert bad.rejects[0].reason.startswith(reason)


def test_a_bad_alert_can_be_taken_after_all(client, store):
    """It goes where its labels put it, with the start it may lack."""
    item = {"labels": {"alertname": "Down", "pod": 7}}
    assert client.post(DOOR, json=[item]).status_code == 200
    (reject,) = store.list_rejects()

    answer = client.post(
        f"/api/v1/rejects/{reject.reject_id}/ingest",
        json={"labels": {"alertname": "Down", "pod": "7"}},
    )

    assert (answer.status_code, answer.json["accepted"]) == (202, 1)
    assert store.list_incidents()[0].alert_name == "Down"


def test_alerts_are_grouped_by_the_configured_labels():
    """Without any each alert is its own incident, as a plain one is."""
    items = [posted(pod="a", zone="x"), posted(pod="b", zone="x"), posted(pod="c", zone="y")]

    assert len(read(*items)) == 3
    grouped = read(*items, group_by=("zone",))
    assert [(group.group_key, len(group.alerts)) for group in grouped] == [
        ('{"zone":"x"}', 2),
        ('{"zone":"y"}', 1),
    ]


@pytest.mark.parametrize("body", [{"alerts": []}, "text", 7])
def test_what_is_no_list_is_a_400(client, body):
    """The answer says what is expected."""
    answer = client.post(DOOR, json=body)

    assert answer.status_code == 400
    assert "the body is not a list" in answer.json["detail"]


def test_an_empty_list_is_taken(client, store):
    """It asks for nothing."""
    assert client.post(DOOR, json=[]).status_code == 200
    assert store.list_incidents() == []


def test_reading_at_this_door_is_a_405_that_says_so(client):
    """We are no Alertmanager; `Allow` tells what there is."""
    answer = client.get(DOOR)

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


class Broken:
    """A store whose database is away."""

    def create_incident(self, *groups):
        """Fail as the real one does."""
        raise StoreUnavailableError("connection refused")


class Full:
    """A store that has no room."""

    def create_incident(self, *groups):
        """Take nothing of two groups, in one call."""
        return Receipt(refused=len(groups))


@pytest.mark.parametrize("away", [Broken(), Full()])
def test_what_could_not_be_stored_is_a_503(nudges, away):
    """Prometheus counts it as not sent, and sends it again with the next evaluation."""
    client = create_app(replace(load(environ={})), away, nudges, {}).test_client()

    answer = client.post(DOOR, json=[posted(pod="a"), posted(pod="b")])

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
