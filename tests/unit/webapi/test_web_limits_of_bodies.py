"""Each limit of a body: the status, and the name and value of the limit in the answer."""

import json
from dataclasses import replace
from io import BytesIO

import pytest

from opssage.settings import IngestSettings, load
from webapi.app import create_app
from webapi.fields import MAX_LABELS
from webapi.senders.one_by_one import MAX_REJECTS

WEBHOOK = "/api/v1/webhooks/alertmanager"
DOORS = ["/api/v1/alerts", WEBHOOK, "/api/v1/webhooks/grafana", "/api/v2/alerts"]


def firing(**labels: str) -> dict:
    """Return a firing alert as Alertmanager spells it."""
    return {
        "status": "firing",
        "labels": {"alertname": "Down", **labels},
        "startsAt": "2026-11-23T12:00:00Z",
    }


@pytest.fixture
def narrow(store, nudges):
    """A client of an app that takes two alerts of a request."""
    settings = replace(load(environ={}), ingest=IngestSettings(max_alerts=2))
    return create_app(settings, store, nudges, {}).test_client()


@pytest.mark.parametrize("door", DOORS)
def test_a_packed_body_is_a_415(client, door):
    """No sender of ours packs, and a small packed body may be a large one."""
    answer = client.post(door, data=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})

    assert answer.status_code == 415
    assert answer.headers["Accept-Encoding"] == "identity"
    assert "gzip" in answer.json["detail"]
    assert "send it uncompressed" in answer.json["detail"]


def test_a_body_that_says_it_is_not_packed_is_taken(client):
    """`identity` is the word for that."""
    headers = {"Content-Encoding": "identity"}

    assert client.post(WEBHOOK, json={"alerts": []}, headers=headers).status_code == 202


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"[" * 40 + b"]" * 40, "deeper than 32"),
        (b'{"alerts": [], "alerts": []}', "'alerts' comes twice"),
        (b'{"alerts": [NaN]}', "not valid JSON"),
        (b'{"alerts": ["\xff"]}', "not valid JSON"),
    ],
)
def test_what_is_beyond_a_limit_of_json_is_a_400(client, door, raw, told):
    """At every door alike, and the answer says what it is."""
    answer = client.post(door, data=raw)

    assert answer.status_code == 400
    assert told in answer.json["detail"]


def test_too_large_a_body_names_the_setting(client):
    """Alertmanager logs what we answer: it has to tell the operator what to change."""
    answer = client.post(WEBHOOK, data=b" " * (10 * 1024 * 1024 + 1))

    assert (answer.status_code, answer.mimetype) == (413, "application/problem+json")
    assert "10485760" in answer.json["detail"]
    assert "web.max_body_bytes" in answer.json["detail"]


def test_a_chunked_body_above_the_limit_is_a_413_too(client):
    """It has no length to be refused by, and must not be read half."""
    answer = client.post(
        WEBHOOK,
        input_stream=BytesIO(b" " * 11_000_000),
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert answer.status_code == 413
    assert "10485760" in answer.json["detail"]


def test_of_too_many_alerts_the_first_are_taken(narrow, store):
    """The rest are rejects that name both ends' settings, and can be taken later."""
    answer = narrow.post(WEBHOOK, json={"alerts": [firing(pod=str(n)) for n in range(4)]})

    assert (answer.status_code, answer.json["accepted"]) == (202, 2)
    assert [each["index"] for each in answer.json["rejected"]] == [2, 3]
    reason = answer.json["rejected"][0]["reason"]
    assert "2 alerts" in reason
    assert "ingest.max_alerts" in reason
    assert "max_alerts of Alertmanager" in reason
    assert {json.loads(each.raw)["labels"]["pod"] for each in store.list_rejects()} == {"2", "3"}


def test_alerts_beyond_the_limit_and_bad_ones_share_what_is_kept(narrow):
    """Rejects that are named are bounded, whatever they are rejected for; all are counted."""
    answer = narrow.post(WEBHOOK, json={"alerts": [7, firing(), *range(MAX_REJECTS + 30)]})

    assert answer.json["accepted"] == 1
    assert len(answer.json["rejected"]) == MAX_REJECTS
    assert answer.json["rejected_more"] == 31


def test_alerts_beyond_the_limit_of_the_other_doors_are_rejects_too(narrow, store):
    """Grafana's and Prometheus' alerts are counted alike."""
    alerts = [firing(pod=str(n)) for n in range(3)]

    assert len(narrow.post(DOORS[2], json={"alerts": alerts}).json["rejected"]) == 1
    assert narrow.post(DOORS[3], json=[*alerts, firing(pod="9")]).status_code == 200
    assert len(store.list_rejects()) == 3


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({f"label{n}": "x" for n in range(MAX_LABELS)}, "More than 64 labels."),
        ({"pod": "x" * 4097}, "Longer than 4096 characters."),
        ({"x" * 4097: "pod"}, "Longer than 4096 characters."),
    ],
)
def test_labels_beyond_a_limit_cost_their_alert_only(client, labels, told):
    """The reason has the limit; its mates pass."""
    answer = client.post(WEBHOOK, json={"alerts": [firing(**labels), firing()]})

    assert answer.json["accepted"] == 1
    assert told in answer.json["rejected"][0]["reason"]
