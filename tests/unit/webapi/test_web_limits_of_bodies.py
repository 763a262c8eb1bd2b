"""Each limit of a body: the status, and the name and value of the limit in the answer."""

import json
from dataclasses import replace
from io import BytesIO

import pytest

from opssage.settings import IngestSettings, load
from webapi.app import create_app
from webapi.body import MAX_MARKS
from webapi.fields import LEFT_OUT, MAX_LABELS, MAX_PROSE, MAX_PROSE_BYTES, prose
from webapi.senders.one_by_one import MAX_REASON_CHARS, MAX_REJECTS

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


def test_a_body_that_its_transfer_packs_is_a_415_too(client):
    """A server may undo the chunks, and leaves the packing to us."""
    headers = {"Transfer-Encoding": "gzip, chunked"}

    answer = client.post(WEBHOOK, data=b"\x1f\x8b", headers=headers)

    assert answer.status_code == 415
    assert "Transfer-Encoding 'gzip, chunked'" in answer.json["detail"]


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
        (b"[" + b"0," * MAX_MARKS + b"0]", "more than 2000000 quotation marks"),
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
        input_stream=BytesIO(b" " * (10 * 1024 * 1024 + 1)),
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert answer.status_code == 413
    assert "10485760" in answer.json["detail"]


def test_a_chunked_body_of_the_limit_is_read(client):
    """It is refused for one byte more, as one with a length is."""
    answer = client.post(
        WEBHOOK,
        input_stream=BytesIO(b'{"alerts":[]}'.ljust(10 * 1024 * 1024)),
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert answer.status_code == 202


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
        ({f"label{n}": "x" * 4096 for n in range(9)}, "More than 32768 bytes in all"),
    ],
)
def test_labels_beyond_a_limit_cost_their_alert_only(client, labels, told):
    """The reason has the limit; its mates pass."""
    answer = client.post(WEBHOOK, json={"alerts": [firing(**labels), firing()]})

    assert answer.json["accepted"] == 1
    assert told in answer.json["rejected"][0]["reason"]


def test_a_reason_is_short_whatever_was_sent(client, store):
    """It names the first labels at fault, each by its beginning, and how many more there are."""
    labels = {f"{n:02}{'x' * 8000}": 1 for n in range(60)}

    (rejected,) = client.post(WEBHOOK, json={"alerts": [firing(**labels)]}).json["rejected"]

    assert len(rejected["reason"]) <= MAX_REASON_CHARS
    assert f"alerts[0].labels.00{'x' * 62}: Longer than 4096 characters.; " in rejected["reason"]
    assert rejected["reason"].endswith("; and 52 more")
    assert store.list_rejects()[0].reason == rejected["reason"]


def test_the_answer_to_countless_unknown_fields_is_short(client):
    """Some are named, each by its beginning."""
    fields = {f"{n:05}{'x' * 500}": 1 for n in range(10_000)}

    answer = client.post(DOORS[0], json={"alert_name": "Down", **fields})

    assert answer.status_code == 422
    assert {len(name) for name in answer.json["errors"]["json"]} == {64}
    assert len(answer.data) < 10_000


@pytest.mark.parametrize("text", ["x" * 10, "x" * 16_384, "\u4e16" * 16_384, "\x01" * 8000])
def test_prose_is_bounded_by_number_and_by_bytes(text):
    """One alert must not fill a page; what is left out is counted."""
    told = {f"name{n}": text for n in range(1000)}

    kept = prose(told)

    missing = kept.pop(LEFT_OUT)
    assert 0 < len(kept) <= MAX_PROSE
    assert kept.items() < told.items()
    assert len(json.dumps(kept, ensure_ascii=False).encode()) <= MAX_PROSE_BYTES + 4 * MAX_PROSE
    assert missing.startswith(f"{1000 - len(kept)} of 1000, beyond")


def test_a_long_annotation_costs_only_itself():
    """Those behind it that fit are there."""
    told = {"a": "x" * 16_384, "b": "\x01" * 16_384, "d": "short"}

    kept = prose(told)

    assert set(kept) == {"a", "d", LEFT_OUT}


def test_what_a_webhook_says_of_its_group_is_bounded_too(client, store):
    """It is kept with the incident, and read with it."""
    many = {f"name{n}": "x" * 100 for n in range(10_000)}
    names = ("groupLabels", "commonLabels", "commonAnnotations")
    body = {"alerts": [firing() | {"annotations": many}], **dict.fromkeys(names, many)}

    answer = client.post(WEBHOOK, json=body)

    shown = client.get(answer.headers["Location"])
    assert LEFT_OUT in shown.json["alert_input"]["annotations"]
    assert len(shown.data) < 4 * MAX_PROSE_BYTES


def test_of_two_alerts_with_one_fingerprint_the_second_is_a_reject(client, store):
    """Stored, it would take the place of the first."""
    same = {"fingerprint": "0" * 16}
    alerts = [firing(pod="a") | same, firing(pod="b") | same, firing(pod="a") | same]

    answer = client.post(WEBHOOK, json={"alerts": alerts})

    (rejected,) = answer.json["rejected"]
    assert rejected["index"] == 1
    assert rejected["reason"].startswith("alerts[1].fingerprint: That of another alert")
    assert json.loads(store.list_rejects()[0].raw)["labels"]["pod"] == "b"


def test_an_empty_fingerprint_is_none(client):
    """Ours is computed then."""
    assert client.post(WEBHOOK, json={"alerts": [firing() | {"fingerprint": ""}]}).json["accepted"]


def test_a_page_of_alerts_has_a_hundred_at_most(client):
    """Each may be large."""
    for limit, status in ((100, 200), (101, 422)):
        assert client.get(f"{DOORS[0]}?limit={limit}").status_code == status
