"""What the doors take, what they refuse, and what they answer."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opssage.errors import StoreUnavailableError
from opssage.settings import load
from store import Receipt
from webapi.app import create_app
from webapi.senders.one_by_one import MAX_REJECTS

RECORDED = Path(__file__).parents[2] / "fixtures" / "alertmanager"
WEBHOOK = "/api/v1/webhooks/alertmanager"
PLAIN = "/api/v1/alerts"


def recorded(name: str) -> dict:
    """Return the body of a webhook that a real Alertmanager sent."""
    return json.loads((RECORDED / f"{name}.json").read_text())["body"]


def webhook(*alerts: object) -> dict:
    """Return a webhook of these alerts."""
    return {"version": "4", "groupKey": "{}:{}", "receiver": "r", "alerts": list(alerts)}


def firing(**labels: str) -> dict:
    """Return a firing alert as Alertmanager spells it."""
    return {
        "status": "firing",
        "labels": {"alertname": "Down", **labels},
        "startsAt": "2026-11-23T12:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
    }


def test_a_recorded_group_becomes_one_incident(client, store, nudges):
    """A group of three alerts opens one incident and tells the publisher."""
    answer = client.post(WEBHOOK, json=recorded("03_firing_group_of_3_unicode_and_quotes"))

    assert answer.status_code == 202
    assert (answer.json["accepted"], answer.json["duplicates"]) == (3, 0)
    assert [touched["status"] for touched in answer.json["incidents"]] == ["pending"]
    assert answer.headers["Location"] == answer.json["incidents"][0]["url"]
    assert nudges.count == 1
    (incident,) = store.list_incidents()
    assert (incident.alert_name, incident.service) == ("HighErrorRate", 'cart "v2"\\n')


@pytest.mark.parametrize("file", sorted(RECORDED.glob("*.json")), ids=lambda file: file.stem)
def test_every_recorded_webhook_is_taken(client, file):
    """Whatever a real Alertmanager sent gets a 202 without rejects."""
    answer = client.post(WEBHOOK, json=json.loads(file.read_text())["body"])

    assert answer.status_code == 202
    assert answer.json["rejected"] == []


def test_the_expression_is_read_from_the_generator_link(client, store):
    """Collect needs the rule's expression, which Prometheus puts into its link."""
    client.post(WEBHOOK, json=recorded("01_firing_single"))

    (incident,) = store.list_incidents()
    (alert,) = store.list_alerts(incident.incident_id)
    assert alert.firing_condition.startswith("lab_error_ratio")


def test_a_repeat_opens_nothing_and_nudges_nobody(client, nudges):
    """The same webhook again is a duplicate."""
    body = recorded("01_firing_single")
    first = client.post(WEBHOOK, json=body).json

    second = client.post(WEBHOOK, json=body).json

    assert [each["change"] for each in first["incidents"]] == ["opened"]
    assert second["incidents"] == [{**first["incidents"][0], "change": "repeated"}]
    assert (second["accepted"], second["duplicates"]) == (0, 1)
    assert nudges.count == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("text", "alerts[1]: Invalid input type."),
        ({"labels": {"a": "b"}}, "alerts[1].startsAt: Missing data for required field."),
        (firing() | {"labels": {}}, "alerts[1].labels: Needs at least one label"),
        (firing() | {"labels": None}, "alerts[1].labels: Field may not be null."),
        (firing() | {"labels": {"a": 1}}, "alerts[1].labels.a: Not a string."),
        (firing() | {"startsAt": "noon"}, "alerts[1].startsAt: Not a time like"),
        (firing() | {"startsAt": "0001-01-01T00:00:00+05:00"}, "alerts[1].startsAt: Not a time"),
        (firing() | {"startsAt": "9999-12-31T23:59:59Z"}, "alerts[1].startsAt: Not between 2000"),
        (firing() | {"startsAt": "0001-01-02T00:00:00Z"}, "alerts[1].startsAt: Not between 2000"),
        (firing() | {"fingerprint": "0123456789abcdef\n"}, "alerts[1].fingerprint: Not 16 hex"),
        (firing() | {"status": "odd"}, "alerts[1].status: Must be one of: firing, resolved."),
        (firing(pod="a\0b"), "alerts[1].labels.pod: Holds a NUL character"),
        (firing(pod="\ud800"), "alerts[1].labels.pod: Holds a lone surrogate"),
        (firing(pod="x" * 5000), "alerts[1].labels.pod: Longer than 4096"),
    ],
)
def test_a_bad_alert_is_named_and_its_mates_pass(client, store, bad, reason):
    """One bad alert of a batch is rejected with its field; the good ones are stored."""
    body = json.dumps(webhook(firing(pod="good"), bad))

    answer = client.post(WEBHOOK, data=body)

    assert answer.status_code == 202
    assert answer.json["accepted"] == 1
    (rejected,) = answer.json["rejected"]
    assert rejected["index"] == 1
    assert rejected["reason"].startswith(reason)


def test_of_countless_bad_alerts_some_are_kept_and_the_good_ones_pass(client, store):
    """A small body with a long annotation must not become a huge database."""
    body = webhook(*range(MAX_REJECTS + 50), firing())
    body["commonAnnotations"] = {"summary": "x" * 16_000}

    answer = client.post(WEBHOOK, json=body)

    assert answer.json["accepted"] == 1
    assert [each["index"] for each in answer.json["rejected"]] == list(range(MAX_REJECTS))
    assert answer.json["rejected_more"] == 50
    kept = store.list_rejects(limit=200)
    assert len(kept) == MAX_REJECTS
    assert {len(json.dumps(each.envelope)) < 100 for each in kept} == {True}


def test_the_status_of_each_alert_counts_and_not_the_groups(client, store):
    """A group fires while one of its alerts does; the others are over."""
    body = recorded("05_mixed_firing_resolved")
    assert body["status"] == "firing"

    client.post(WEBHOOK, json=body | {"alerts": [a | {"status": "firing"} for a in body["alerts"]]})
    client.post(WEBHOOK, json=body)

    (incident,) = store.list_incidents()
    told = {each.fingerprint: each.status for each in store.list_alerts(incident.incident_id)}
    assert told == {each["fingerprint"]: each["status"] for each in body["alerts"]}
    assert len(set(told.values())) == 2


def test_an_ignored_alert_is_told_as_such(client):
    """It is neither new nor rejected: it is kept, and opens nothing."""
    watchdog = firing() | {"labels": {"alertname": "Watchdog"}}

    answer = client.post(WEBHOOK, json=webhook(watchdog))

    assert answer.status_code == 202
    assert {name: answer.json[name] for name in ("accepted", "ignored", "incidents")} == {
        "accepted": 0,
        "ignored": 1,
        "incidents": [],
    }


def test_alerts_without_a_group_key_are_grouped_by_the_groups_labels(client, store):
    """So two groups of one receiver do not become one incident."""
    for namespace in ("shop", "bank"):
        body = webhook(firing(namespace=namespace)) | {"groupLabels": {"namespace": namespace}}
        del body["groupKey"]
        client.post(WEBHOOK, json=body)

    assert {incident.namespace for incident in store.list_incidents()} == {"shop", "bank"}


@pytest.mark.parametrize("odd", [True, -1, "3", 10**12, None])
def test_an_odd_count_of_truncated_alerts_is_no_count(client, odd):
    """The envelope is the sender's; what it gets wrong costs no alert."""
    answer = client.post(WEBHOOK, json=webhook(firing()) | {"truncatedAlerts": odd})

    assert answer.json["accepted"] == 1


def test_secrets_in_prose_are_masked(client, store):
    """Rules write connection strings into their annotations; labels are the alert's identity."""
    told = {
        "alert_name": "A",
        "message": "postgres://app:hunter22@db",
        "labels": {"dsn": "kept"},
        "annotations": {"db_password": "hunter22", "summary": "password=hunter22"},
    }

    client.post("/api/v1/alerts", json=told)

    (incident,) = store.list_incidents()
    assert "hunter22" not in str(store.get_incident(incident.incident_id).alert_input)


def test_prose_that_cannot_be_stored_is_replaced(client, store):
    """An annotation identifies nothing, so a NUL in it costs no alert."""
    body = webhook(firing() | {"annotations": {"summary": "bad \0 byte"}})

    assert client.post(WEBHOOK, json=body).json["accepted"] == 1

    (incident,) = store.list_incidents()
    message = store.get_incident(incident.incident_id).alert_input["message"]
    assert message == "bad \ufffd byte"


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"{", "the body is not valid JSON"),
        (b'{"alerts": [NaN]}', "the body is not valid JSON"),
        (b"[" * 5000, "the body is nested deeper than 32 levels"),
        (b"[]", "the body is not an object; send an Alertmanager webhook, version 4"),
        (b"{}", "alerts is missing"),
        (b'{"text": "it fires"}', "alerts is missing, or not a list of alerts; send an Alertman"),
        (b'{"alerts": 1}', "alerts is missing, or not a list"),
    ],
)
def test_a_body_that_is_no_webhook_is_a_400(client, raw, detail):
    """What cannot be read is refused with the reason."""
    answer = client.post(WEBHOOK, data=raw)

    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    assert answer.json["detail"].startswith(detail)


@pytest.mark.parametrize(
    "odd",
    [
        {"annotations": None},
        {"annotations": {"summary": 7}},
        {"generatorURL": "http://p/graph?g0.expr=up%00"},
        {"generatorURL": "http://[bad"},
        {"fingerprint": None},
        {"generatorURL": None},
        {"endsAt": None},
    ],
)
def test_an_alert_that_is_odd_where_it_does_not_matter_is_taken(client, odd):
    """Only what identifies an alert can reject it."""
    assert client.post(WEBHOOK, json=webhook(firing() | odd)).json["accepted"] == 1


def test_a_key_that_cannot_be_written_is_still_named(client):
    """A problem may have to quote a lone surrogate."""
    answer = client.post(PLAIN, data='{"alert_name": "A", "\\ud800": 1}')

    assert answer.status_code == 422


def test_a_plain_alert_opens_an_incident(client, store):
    """People with curl send our own form."""
    answer = client.post(
        PLAIN,
        json={"alert_name": "PodOOMKilled", "severity": "critical", "labels": {"pod": "a"}},
    )

    assert answer.status_code == 202
    assert answer.headers["Location"].startswith("/api/v1/incidents/")
    (incident,) = store.list_incidents()
    assert (incident.alert_name, incident.severity) == ("PodOOMKilled", "critical")


def test_a_plain_alert_sent_twice_is_one_incident(client):
    """Its labels are its identity, not the time it was sent."""
    first, second = (client.post(PLAIN, json={"alert_name": "A"}).json for _ in range(2))

    assert second["incidents"] == [{**first["incidents"][0], "change": "repeated"}]
    assert second["duplicates"] == 1


def test_a_plain_alert_can_say_that_it_is_over(client, store):
    """Whoever opened an incident by hand can close it by hand."""
    client.post(PLAIN, json={"alert_name": "A"})

    answer = client.post(PLAIN, json={"alert_name": "A", "status": "resolved"})

    assert answer.json["accepted"] == 1
    assert store.list_incidents()[0].resolved_at is not None


def test_a_plain_alert_of_a_clock_that_is_ahead_starts_now(client, store):
    """Nothing that fires has begun in the future."""
    client.post(PLAIN, json={"alert_name": "A", "timestamp": "2999-01-01T00:00:00Z"})

    (incident,) = store.list_incidents()
    (alert,) = store.list_alerts(incident.incident_id)
    assert alert.starts_at <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "alert_name"),
        ({"alert_name": 7}, "alert_name"),
        ({"alert_name": ""}, "alert_name"),
        ({"alert_name": "a\0"}, "alert_name"),
        ({"alert_name": "A", "timestamp": "9999-12-31T23:59:59Z"}, "timestamp"),
        ({"alert_name": "A", "timestamp": "1999-12-31T23:59:59Z"}, "timestamp"),
        ({"alert_name": "A", "labels": []}, "labels"),
        ({"alert_name": "A", "labels": {"pod": "a\0"}}, "labels"),
        ({"alert_name": "A", "timestamp": "noon"}, "timestamp"),
        ({"alert_name": "A", "status": "over"}, "status"),
        ({"alert_name": "A", "alertname": "A"}, "alertname"),
    ],
)
def test_a_wrong_field_of_a_plain_alert_is_named(client, body, field):
    """Our own form is strict: 422, and `errors` names the field."""
    answer = client.post(PLAIN, json=body)

    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert field in answer.json["errors"]["json"]


class Broken:
    """A store whose database is away."""

    def create_incident(self, *groups):
        """Fail as the real one does."""
        raise StoreUnavailableError("connection refused")


def test_a_database_that_is_away_is_a_503(nudges):
    """Alertmanager tries again after a 503 and only then."""
    client = create_app(load(environ={}), Broken(), nudges, {}).test_client()

    answer = client.post(WEBHOOK, json=webhook(firing()))

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert nudges.count == 0


class Full:
    """A store that has room for what it knows only."""

    def create_incident(self, *groups):
        """Leave out one alert."""
        return Receipt(accepted=len(groups[0].alerts) - 1, refused=1)


def test_a_full_backlog_is_a_503_that_tells_what_was_kept(nudges):
    """The sender sends it again; nothing of it is lost meanwhile."""
    client = create_app(load(environ={}), Full(), nudges, {}).test_client()

    answer = client.post(WEBHOOK, json=webhook(firing(pod="a"), firing(pod="b")))

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "ingest.backlog_max" in answer.json["detail"]
