"""What an Alertmanager has sent, word for word: recordings of 0.25.0 and 0.28.1, by the real door.

Each receiver's messages are sent under a name of their own, as from Alertmanagers of their own: an
alert belongs to one incident of a sender, so for receivers of one sender it depends on the order of
their messages which of their groups has it.
"""

import json
import random
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from opssage.access import Actor, Scope
from opssage.settings import load
from opssage.wire import parse_time
from store import IncidentFilter
from webapi.app import create_app

FOLDER = Path(__file__).parents[1] / "fixtures" / "alertmanager"
MESSAGES = sorted(
    (json.loads(path.read_bytes()) for path in FOLDER.glob("*.json")),
    key=lambda message: message["received_at"],
)
RECEIVERS = sorted({message["body"]["receiver"] for message in MESSAGES})

# receiver, alert name and pod, node or service of the lead, alerts, deliveries, end, left out
INCIDENTS = {
    ("basic", "HighErrorRate", "checkout-7d9f-abc12", 1, 1, None, 0),
    ("bearer", "HighErrorRate", "checkout-7d9f-abc12", 1, 1, None, 0),
    ("plain", "HighErrorRate", "cart-ünï-1", 3, 13, "03:03:12.095", 0),
    ("plain", "HostLoadAny", None, 1, 1, None, 0),
    ("plain", "PodCrashLooping", "pay-1", 6, 12, "03:03:12.095", 0),
    ("ra503", "CodeTest", None, 1, 1, None, 0),
    ("trunc", "HighErrorRate", "cart-ünï-1", 2, 2, None, 1),
}
STRAYS = {
    ("trunc", "pay-1", "resolved_only", 1, "03:03:12.095"),
    ("trunc", "pay-2", "resolved_only", 1, "03:03:12.095"),
}


@pytest.fixture
def store(store_with):
    """A store that goes by the settings of an installation."""
    return store_with()


@pytest.fixture
def client(store) -> FlaskClient:
    """A client of the door."""
    app = create_app(load(environ={}), store, lambda: None, {"database": store.ping})
    return app.test_client()


@pytest.fixture
def send(client, store):
    """Send messages one after the other, those of a receiver as `SENDER/RECEIVER`."""
    tokens = {}

    def token_of(name):
        if name not in tokens:
            made = store.create_token(name, [Scope.INGEST], by=Actor(name="test"))
            tokens[name] = made.text
        return tokens[name]

    def post(messages, sender, *, is_one=False):
        for message in messages:
            body = message["body"]
            name = sender if is_one else f"{sender}/{body['receiver']}"
            answer = client.post(
                "/api/v1/webhooks/alertmanager",
                json=body,
                headers={"Authorization": f"Bearer {token_of(name)}"},
            )
            assert answer.status_code == 202
            assert answer.json["rejected"] == []

    return post


def incidents(store, sender):
    """Return the incidents of a sender's receivers."""
    senders = [f"{sender}/{receiver}" for receiver in RECEIVERS]
    return store.list_incidents(IncidentFilter(sender=senders), limit=100)


def shown(store, sender):
    """Return these incidents as a row of the table each."""
    return {
        row_of(store, store.get_incident(each.incident_id)) for each in incidents(store, sender)
    }


def row_of(store, incident):
    """Return one incident as a row of the table."""
    alerts = store.page_alerts(incident.incident_id, limit=100)
    return (
        incident.receiver,
        incident.alert_name,
        incident.alert_input["labels"].get("pod"),
        len(alerts),
        sum(kept.deliveries for kept in alerts),
        clock(incident.resolved_at),
        incident.truncated_alerts,
    )


def strays(store, sender):
    """Return the alerts without an incident as a row of their table each."""
    return {
        (
            kept.sender.removeprefix(f"{sender}/"),
            kept.alert.labels.get("pod"),
            kept.disposition,
            kept.deliveries,
            clock(kept.alert.ends_at),
        )
        for kept in store.list_strays(limit=100)
        if kept.sender.startswith(f"{sender}/")
    }


def clock(time):
    """Return the time of day of the recordings' day."""
    return time and f"{time:%H:%M:%S.%f}".removesuffix("000")


def doubled(table, place):
    """Return a table whose deliveries, in this place of a row, are twice as many."""
    return {(*row[:place], 2 * row[place], *row[place + 1 :]) for row in table}


def test_the_recordings_give_these_incidents(store, send):
    """In the order in which they came."""
    send(MESSAGES, "lab")

    assert shown(store, "lab") == INCIDENTS
    assert strays(store, "lab") == STRAYS
    assert {each.previous_id for each in incidents(store, "lab")} == {None}
    assert {(each.alert_seq, each.flap_count) for each in incidents(store, "lab")} == {
        (1, 0),
        (2, 0),
    }


def test_recordings_that_come_once_more_change_nothing(store, send):
    """An Alertmanager that was killed has forgotten what it sent; the incidents stay the same."""
    send(MESSAGES, "lab")
    before = incidents(store, "lab")

    send(MESSAGES, "lab")

    assert incidents(store, "lab") == before
    assert shown(store, "lab") == doubled(INCIDENTS, 4)
    assert strays(store, "lab") == doubled(STRAYS, 3)


@pytest.mark.parametrize("seed", range(4))
def test_neither_peers_nor_the_order_of_delivery_change_anything(store, send, seed):
    """Each of two Alertmanagers sends everything, and all overtakes everything."""
    messages = random.Random(seed).sample(MESSAGES * 2, 2 * len(MESSAGES))

    send(messages, "lab")

    assert shown(store, "lab") == doubled(INCIDENTS, 4)
    assert strays(store, "lab") == doubled(STRAYS, 3)


def test_receivers_of_one_sender_agree_on_each_alert_in_any_order(store, send):
    """Which incident has it is a matter of order; what became of it is not."""
    told = {
        (each["fingerprint"], parse_time(each["startsAt"]))
        for message in MESSAGES
        for each in message["body"]["alerts"]
    }
    found = set()
    for seed in range(3):
        sender = f"lab {seed}"
        send(random.Random(seed).sample(MESSAGES, len(MESSAGES)), sender, is_one=True)
        found.add(alerts_of(store, sender))

    (alerts,) = found
    assert {(fingerprint, starts_at) for fingerprint, starts_at, *_ in alerts} == told


def alerts_of(store, sender):
    """Return what is known of each alert of a sender, whatever it belongs to."""
    made = store.list_incidents(IncidentFilter(sender=[sender]), limit=100)
    kept = [row for each in made for row in store.page_alerts(each.incident_id, limit=100)]
    kept += [row for row in store.list_strays(limit=100) if row.sender == sender]
    return frozenset(
        (
            row.alert.fingerprint,
            row.alert.starts_at,
            row.alert.status,
            row.alert.ends_at,
            row.deliveries,
        )
        for row in kept
    )
