"""Grafana's door: its fields, its classes of alerts, and its signature."""

import json
from dataclasses import replace
from time import time

import pytest

from opssage.fingerprint import fingerprint
from opssage.incident import AlertClass
from opssage.settings import GrafanaSettings, IngestSettings, load
from webapi.app import create_app
from webapi.senders.grafana import SignatureError, check_signature, grafana_group

DOOR = "/api/v1/webhooks/grafana"
SECRET = "a shared secret"
BODY = b'{"version":"1","alerts":[]}'
# openssl dgst -sha256 -hmac 'a shared secret', over the body and over "1700000000:" and the body
SIGNATURE = "ccb6c2f46fb179bb2c17fbbdfbd3d0ebab19ce4021dc6964fc05d26fec2e75bb"
STAMPED = "d1c28756f1c1ba4bb97509d49116ae5ed0612806f3ffdfa7893429bb31b0a809"
HEADER = "X-Grafana-Alerting-Signature"
TIMED = GrafanaSettings(secret=SECRET, timestamp_header="X-Time", skew_seconds=300)


def grafana_alert(name: str = "HighLatency", **fields: object) -> dict:
    """Return an alert with what Grafana adds to Alertmanager's form."""
    return {
        "status": "firing",
        "labels": {"alertname": name, "grafana_folder": "Shop"},
        "annotations": {"summary": "slow"},
        "startsAt": "2026-11-23T13:00:00.157076+01:00",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://grafana:3000/alerting/grafana/a1b2c3/view?orgId=1",
        "fingerprint": "c6eadffa33fcdf37",
        "silenceURL": "http://grafana:3000/alerting/silence/new",
        "dashboardURL": "http://grafana:3000/d/shop",
        "panelURL": "",
        "ruleUID": "a1b2c3",
        "values": {"B": 44.23943737541908, "C": 1},
        "valueString": "[ var='B' value=44.2 ]",
        "imageURL": "http://grafana:3000/render/x.png",
        "embeddedImage": "iVBORw0KGgo=",
        "orgId": 1,
        **fields,
    }


def webhook(*alerts: dict, **envelope: object) -> dict:
    """Return a webhook of Grafana."""
    return {
        "receiver": "opssage",
        "status": "firing",
        "version": "1",
        "groupKey": '{}/{}:{grafana_folder="Shop"}',
        "groupLabels": {"grafana_folder": "Shop"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://grafana:3000/",
        "truncatedAlerts": 0,
        "orgId": 1,
        "title": "[FIRING:1] HighLatency",
        "state": "alerting",
        "message": "**Firing**",
        "alerts": list(alerts),
        **envelope,
    }


@pytest.fixture
def guarded(store, nudges):
    """A client of an app that wants signatures without a time."""
    ingest = IngestSettings(grafana=GrafanaSettings(secret=SECRET))
    return create_app(replace(load(environ={}), ingest=ingest), store, nudges, {}).test_client()


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_webhook_of_grafana_opens_an_incident(client, store, method):
    """Grafana can send it either way."""
    answer = client.open(DOOR, method=method, json=webhook(grafana_alert()))

    assert (answer.status_code, answer.json["accepted"]) == (202, 1)
    (incident,) = store.list_incidents()
    assert (incident.alert_name, incident.receiver) == ("HighLatency", "opssage")


def test_what_only_grafana_says_is_kept():
    """Values and links are worth reading; an embedded picture and empty links are not kept."""
    group = grafana_group(webhook(grafana_alert()))

    (alert,) = group.alerts
    assert alert.extra["values"] == {"B": 44.23943737541908, "C": 1}
    assert set(alert.extra) == {
        "dashboardURL",
        "imageURL",
        "orgId",
        "ruleUID",
        "silenceURL",
        "valueString",
        "values",
    }
    assert group.extra == {
        "orgId": 1,
        "title": "[FIRING:1] HighLatency",
        "state": "alerting",
        "message": "**Firing**",
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("DatasourceNoData", AlertClass.NO_DATA),
        ("DatasourceError", AlertClass.SOURCE_ERROR),
        ("HighLatency", AlertClass.CONDITION),
    ],
)
def test_an_alert_about_its_own_rule_is_of_another_class(name, expected):
    """Grafana gives such alerts a name of their own; they tell nothing of the service."""
    (alert,) = grafana_group(webhook(grafana_alert(name))).alerts

    assert alert.alert_class is expected


def test_the_fingerprint_is_grafanas():
    """It covers labels that Grafana does not send, such as the rule's id."""
    (alert,) = grafana_group(webhook(grafana_alert())).alerts

    assert alert.fingerprint == "c6eadffa33fcdf37"


def test_what_grafana_leaves_out_is_derived():
    """Without a group key the group's labels are it, without a fingerprint the alert's are."""
    body = webhook(grafana_alert(fingerprint=""), groupKey="")
    del body["alerts"][0]["fingerprint"]

    group = grafana_group(body)

    assert group.group_key == '{"grafana_folder":"Shop"}'
    assert group.alerts[0].fingerprint == fingerprint(group.alerts[0].labels)


def test_a_template_of_ones_own_is_a_400_that_says_what_is_expected(client):
    """Grafana lets people send any body."""
    answer = client.post(DOOR, json={"text": "it fires"})

    assert answer.status_code == 400
    assert "a Grafana webhook, version 1" in answer.json["detail"]


@pytest.mark.parametrize("header", [HEADER, "X-Grafana-Alert-Signature"])
def test_a_signed_webhook_is_taken(guarded, header):
    """By the name of the documentation, and by the name in the code."""
    assert guarded.post(DOOR, data=BODY, headers={header: SIGNATURE}).status_code == 202


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, f"{HEADER} is missing"),
        ({HEADER: "0" * 64}, "does not fit the body"),
        ({HEADER: STAMPED}, "does not fit the body"),
        ({HEADER: "\u00e9"}, "does not fit the body"),
    ],
)
def test_an_unsigned_webhook_is_a_401_that_says_how_to_sign(guarded, store, headers, told):
    """It names what to set on either side, and never a secret or the signature it expected."""
    answer = guarded.post(DOOR, data=BODY, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"]
    assert told in answer.json["detail"]
    assert SECRET not in answer.text
    assert SIGNATURE not in answer.text
    assert store.list_rejects() == []


def test_one_other_byte_breaks_the_signature(guarded):
    """What is signed is the bytes, not what they mean."""
    answer = guarded.post(DOOR, data=BODY + b" ", headers={HEADER: SIGNATURE})

    assert answer.status_code == 401


@pytest.mark.parametrize("now", [1_700_000_000, 1_700_000_300, 1_699_999_700])
def test_a_signature_covers_its_time(now):
    """The time is signed in front of the body, and may be a little off."""
    headers = {HEADER: STAMPED, "X-Time": "1700000000"}

    check_signature(BODY, headers.get, TIMED, now)


@pytest.mark.parametrize(
    ("stamp", "now", "told"),
    [
        ("1700000000", 1_700_000_301, "301 seconds from ours"),
        ("1700000000", 1_699_999_699, "ingest.grafana.skew_seconds allows 300"),
        ("1700000001", 1_700_000_001, "does not fit the body"),
        ("", 1_700_000_000, "X-Time holds no time"),
        ("-1700000000", 1_700_000_000, "X-Time holds no time"),
        ("\u0661" * 10, 1_700_000_000, "X-Time holds no time"),
        ("1" * 5000, 1_700_000_000, "X-Time holds no time"),
    ],
)
def test_a_time_that_is_off_or_not_the_signed_one_is_refused(stamp, now, told):
    """A request that was listened to cannot be sent again later."""
    headers = {HEADER: STAMPED, "X-Time": stamp}

    with pytest.raises(SignatureError, match=told):
        check_signature(BODY, headers.get, TIMED, now)


def test_the_clock_of_the_door_is_the_one_that_counts(store, nudges):
    """An old signature is refused at the door, however well it fits."""
    settings = replace(load(environ={}), ingest=IngestSettings(grafana=TIMED))
    client = create_app(settings, store, nudges, {}).test_client()

    answer = client.post(DOOR, data=BODY, headers={HEADER: STAMPED, "X-Time": "1700000000"})

    assert answer.status_code == 401
    assert f"{time() - 1_700_000_000:.0f}"[:5] in answer.json["detail"]


def test_without_a_secret_nothing_has_to_be_signed(client):
    """A token may be enough."""
    answer = client.post(DOOR, data=json.dumps(webhook()), headers={HEADER: "odd"})

    assert answer.status_code == 202
