"""What all doors have in common: one alert is one row, whoever brings it and however."""

import json
from pathlib import Path

import pytest

from opssage.access import Scope
from opssage.errors import StoreUnavailableError
from opssage.settings import load
from webapi.app import create_app

FIXTURES = Path(__file__).parents[2] / "fixtures"
WEBHOOK = "/api/v1/webhooks/alertmanager"
GRAFANA = "/api/v1/webhooks/grafana"
POSTED = "/api/v2/alerts"
PLAIN = "/api/v1/alerts"
DOORS = {PLAIN: "post", WEBHOOK: "post", GRAFANA: "put", POSTED: "post"}


def recorded(name: str) -> dict:
    """Return the body of a webhook that a real Alertmanager sent."""
    return json.loads((FIXTURES / "alertmanager" / f"{name}.json").read_text())["body"]


def as_posted(alert: dict) -> dict:
    """Return what Prometheus posted for the alert of a webhook."""
    told = {name: alert[name] for name in ("labels", "annotations", "startsAt", "generatorURL")}
    return told | {"endsAt": "0001-01-01T00:00:00Z"}


def as_grafana(body: dict) -> dict:
    """Return a webhook of the same alerts as Grafana spells it."""
    alerts = [alert | {"values": {"A": 1}, "orgId": 1} for alert in body["alerts"]]
    return body | {"version": "1", "orgId": 1, "state": "alerting", "alerts": alerts}


def test_one_alert_by_any_door_is_one_row(client, store):
    """The fingerprint is Alertmanager's, computed or sent: one incident, three deliveries."""
    body = recorded("01_firing_single")

    first = client.post(WEBHOOK, json=body)
    second = client.post(POSTED, json=[as_posted(body["alerts"][0])])
    third = client.put(GRAFANA, json=as_grafana(body))

    assert [answer.status_code for answer in (first, second, third)] == [202, 200, 202]
    assert third.json["incidents"] == [{**first.json["incidents"][0], "change": "repeated"}]
    (incident,) = store.list_incidents()
    assert len(store.list_alerts(incident.incident_id)) == 1
    assert deliveries(store) == [3]


def test_a_plain_alert_is_that_row_too(client, store):
    """Whoever writes the same labels by hand means the same alert."""
    alert = recorded("01_firing_single")["alerts"][0]
    labels = dict(alert["labels"])
    plain = {"alert_name": labels.pop("alertname"), "severity": labels.pop("severity")}
    client.post(POSTED, json=[as_posted(alert)])

    client.post(PLAIN, json=plain | {"labels": labels, "timestamp": alert["startsAt"]})

    assert len(store.list_incidents()) == 1
    assert deliveries(store) == [2]


def deliveries(store) -> list[int]:
    """Return how often each alert was delivered."""
    with store._engine.connect() as connection:
        return list(connection.exec_driver_sql("SELECT deliveries FROM alerts").scalars())


@pytest.mark.parametrize("file", sorted((FIXTURES / "alertmanager").glob("*.json")))
def test_every_recorded_alert_has_the_fingerprint_that_we_compute(client, store, file):
    """Sent to the door that computes it, each is the alert the webhook told of."""
    body = json.loads(file.read_text())["body"]
    client.post(WEBHOOK, json=body)
    known = deliveries(store)

    client.post(POSTED, json=[as_posted(alert) for alert in body["alerts"]])

    assert len(deliveries(store)) == len(known)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "text/plain", None])
def test_a_door_opens_by_any_spelling(client, door, slash, kind):
    """With and without a slash at its end, and whatever the body says it is."""
    body = [] if door == POSTED else {"alert_name": "A"} if door == PLAIN else {"alerts": []}

    answer = client.post(door + slash, data=json.dumps(body), content_type=kind)

    assert answer.status_code in {200, 202}


def test_every_door_asks_for_the_scope_of_ingest(app):
    """A token that may only post opens these doors, and nothing else."""
    doors = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("alerts.")]

    assert {rule.rule for rule in doors} == set(DOORS)
    assert {app.view_functions[rule.endpoint].needs for rule in doors} == {Scope.INGEST}


def test_the_sender_is_the_name_of_the_token(guarded, store, make_token):
    """By every door, also of what could not be read; so two senders never mix their alerts."""
    headers = {"Authorization": f"Bearer {make_token('ingest', name='lab').text}"}
    body = recorded("01_firing_single")

    guarded.post(WEBHOOK, json=body, headers=headers)
    guarded.post(GRAFANA, json=body, headers=headers)
    guarded.post(POSTED, json=[as_posted(body["alerts"][0]), 7], headers=headers)
    guarded.post(PLAIN, json={"alert_name": "A"}, headers=headers)
    guarded.post(WEBHOOK, data=b"{", headers=headers)

    assert [incident.sender for incident in store.list_incidents()] == ["lab", "lab"]
    assert [reject.sender for reject in store.list_rejects()] == ["lab", "lab"]


@pytest.mark.parametrize("door", DOORS)
def test_a_door_is_described_with_an_example_that_it_takes(client, door):
    """Whoever copies the example gets an incident."""
    document = client.get("/api/openapi.json").json["paths"][door][DOORS[door]]
    example = document["requestBody"]["content"]["application/json"]["example"]

    answer = client.open(door, method=DOORS[door], json=example)

    assert str(answer.status_code) in document["responses"]
    assert {"400", "413", "415", "503"} <= set(document["responses"])
    assert client.get("/api/v1/incidents").json["items"][0]["alert_name"] == "HighErrorRate"


@pytest.mark.parametrize("door", [WEBHOOK, GRAFANA, POSTED])
def test_a_body_that_cannot_be_read_is_kept_for_a_person(client, store, door):
    """The sender does not show what it sent; we can."""
    client.post(door, data=b'{"alerts": [')

    (reject,) = store.list_rejects()
    assert reject.raw == '{"alerts": ['
    assert reject.sender == "default"


class Away:
    """A store whose database is away."""

    def create_incident(self, *groups):
        """Fail as the real one does."""
        raise StoreUnavailableError("connection refused")


@pytest.mark.parametrize("version", ["am025", "am028"])
def test_alertmanager_sends_again_what_was_not_stored_and_only_that(client, nudges, version):
    """By the times at which a real one sent one alert again, by the status it had got."""
    table = json.loads((FIXTURES / "alertmanager_retries" / f"retry_{version}.json").read_text())
    arrivals = {key.split("/")[2]: times for key, times in table["arrivals_s_after_first"].items()}
    away = create_app(load(environ={}), Away(), nudges, {}).test_client()
    body = recorded("01_firing_single")

    not_stored = arrivals[str(away.post(WEBHOOK, json=body).status_code)]
    stored = client.post(WEBHOOK, json=body).status_code // 100
    unreadable = arrivals[str(client.post(WEBHOOK, data=b"{").status_code)]

    assert not_stored[1] < 2
    assert [len(times) for code, times in arrivals.items() if code.startswith(str(stored))]
    assert unreadable[1] > 10


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (recorded("01_firing_single"), "post it to /api/v1/webhooks/alertmanager, or"),
        ([{"labels": {"alertname": "A"}}], "post it to /api/v2/alerts"),
        ("down", "the body is not an object"),
    ],
)
def test_what_belongs_to_another_door_is_told_which(client, body, told):
    """Its fields are not gone through one by one: none of them is a plain alert's."""
    answer = client.post(PLAIN, json=body)

    assert answer.status_code == 422
    assert told in answer.json["detail"]
    assert "errors" not in answer.json
