"""What could not be taken: listed, corrected, taken after all."""

import json

import pytest

from opssage.errors import StoreUnavailableError
from opssage.settings import load
from webapi.app import create_app
from webapi.body import UnreadableError
from webapi.unreadable import keeper

WEBHOOK = "/api/v1/webhooks/alertmanager"
LIST = "/api/v1/rejects"
FORMS = (
    "send an Alertmanager webhook, one alert of it with labels and startsAt, or a plain alert with "
    "alert_name"
)
NO_ALERTS = (
    f"alerts is missing, or not a list of alerts; {FORMS}, without a template or payload of your "
    "own"
)


def firing(**labels: object) -> dict:
    """Return a firing alert as Alertmanager spells it; a label that is no text spoils it."""
    return {
        "status": "firing",
        "labels": {"alertname": "Down", **labels},
        "startsAt": "2026-11-23T12:00:00Z",
    }


def webhook(*alerts: object) -> dict:
    """Return a webhook of these alerts."""
    return {"version": "4", "groupKey": "{}:{}", "receiver": "r", "alerts": list(alerts)}


@pytest.fixture
def reject_id(client) -> int:
    """One reject: its label `pod` is a number."""
    client.post(WEBHOOK, json=webhook(firing(pod=7)))
    (item,) = client.get(LIST).json["items"]
    return item["reject_id"]


@pytest.fixture
def unreadable_id(client) -> int:
    """One reject whose body was cut off."""
    client.post(WEBHOOK, data=b'{"alerts": [{"labels"')
    (item,) = client.get(LIST).json["items"]
    return item["reject_id"]


def test_the_list_tells_why_and_how_often(client, reject_id):
    """One row for an alert, however often it is sent."""
    client.post(WEBHOOK, json=webhook(firing(pod=7)))

    (item,) = client.get(LIST).json["items"]

    assert (item["reject_id"], item["deliveries"], item["incident_id"]) == (reject_id, 2, None)
    assert item["reason"] == "alerts[0].labels.pod: Not a string."
    assert "raw" not in item


def test_a_reject_shows_what_was_sent_and_its_group(client, reject_id):
    """Enough to correct it and to take it where it belongs."""
    shown = client.get(f"{LIST}/{reject_id}").json

    assert json.loads(shown["raw"]) == firing(pod=7)
    assert (shown["envelope"]["group_key"], shown["envelope"]["receiver"]) == ("{}:{}", "r")


def test_pages_follow_each_other(client):
    """The cursor of a page leads to the next, and the last has none."""
    client.post(WEBHOOK, json=webhook(*(firing(pod=number) for number in range(3))))

    first = client.get(LIST, query_string={"limit": 2}).json
    second = client.get(LIST, query_string={"limit": 2, "cursor": first["next_cursor"]}).json

    ids = [item["reject_id"] for page in (first, second) for item in page["items"]]
    assert (ids, second["next_cursor"]) == (sorted(ids, reverse=True), None)
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("query", "found"),
    [({"sender": "default"}, 1), ({"sender": "nobody"}, 0), ({"taken": "true"}, 0)],
)
def test_filters_choose(client, reject_id, query, found):
    """By sender, and whether they were taken since."""
    assert len(client.get(LIST, query_string=query).json["items"]) == found


@pytest.mark.parametrize(
    "query", [{"cursor": "x"}, {"cursor": "0"}, {"sender": "a\0"}, {"limit": 0}, {"odd": 1}]
)
def test_a_wrong_query_is_a_422(client, query):
    """A filter that is not understood must not list everything."""
    answer = client.get(LIST, query_string=query)

    assert answer.status_code == 422
    assert set(answer.json["errors"]["query"]) == set(query)


def test_a_corrected_alert_opens_the_incident_of_its_group(client, store, nudges, reject_id):
    """202 with the receipt, and the publisher is told; the group's next alert joins it."""
    answer = client.post(f"{LIST}/{reject_id}/ingest", json=firing(pod="7"))

    assert (answer.status_code, answer.json["accepted"], nudges.count) == (202, 1, 1)
    assert answer.headers["Location"] == answer.json["incidents"][0]["url"]
    again = client.post(WEBHOOK, json=webhook(firing(pod="8"))).json
    assert again["incidents"] == [{**answer.json["incidents"][0], "change": "joined"}]
    (taken,) = client.get(LIST, query_string={"taken": "true"}).json["items"]
    assert taken["incident_id"] == answer.json["incidents"][0]["incident_id"]
    assert client.get(LIST).json["items"] == []


def test_taking_twice_is_a_409(client, reject_id):
    """The answer names the incident it went to."""
    taken = client.post(f"{LIST}/{reject_id}/ingest", json=firing(pod="7")).json

    answer = client.post(f"{LIST}/{reject_id}/ingest", json=firing(pod="7"))

    assert answer.status_code == 409
    assert taken["incidents"][0]["incident_id"] in answer.json["detail"]


def test_what_was_sent_is_tried_again_without_a_body(client, reject_id):
    """Still wrong: 409, and the field is named."""
    answer = client.post(f"{LIST}/{reject_id}/ingest")

    assert answer.status_code == 409
    assert answer.json["errors"]["raw"] == {"labels": {"pod": ["Not a string."]}}


def test_a_correction_that_is_still_wrong_is_a_409(client, reject_id):
    """The reject stays, to be tried again."""
    answer = client.post(f"{LIST}/{reject_id}/ingest", json=firing(pod=["7"]))

    assert answer.status_code == 409
    assert answer.json["errors"]["json"] == {"labels": {"pod": ["Not a string."]}}
    assert len(client.get(LIST).json["items"]) == 1


def test_a_correction_that_is_no_json_is_a_400(client, reject_id):
    """As at every door."""
    assert client.post(f"{LIST}/{reject_id}/ingest", data=b"{").status_code == 400


def test_an_alert_that_is_over_leaves_no_reject(client, reject_id):
    """Nobody knew of it, so it opens no incident, and there is nothing left to do."""
    over = firing(pod="7") | {"status": "resolved", "endsAt": "2026-11-23T12:05:00Z"}

    answer = client.post(f"{LIST}/{reject_id}/ingest", json=over)

    assert (answer.status_code, answer.json["incidents"]) == (202, [])
    assert client.get(f"{LIST}/{reject_id}").status_code == 404


def test_an_unreadable_body_is_kept(client, unreadable_id):
    """The beginning of it, with the reason, and without a group."""
    shown = client.get(f"{LIST}/{unreadable_id}").json

    assert shown["raw"] == '{"alerts": [{"labels"'
    assert shown["reason"].startswith("the body is not valid JSON")
    assert shown["envelope"] is None


def test_an_unreadable_body_is_kept_without_its_secrets(client):
    """Nobody knows what it is, so what looks like a secret is masked; 4 kB of it are enough."""
    client.post(WEBHOOK, data=b"password=hunter2-hunter2 \0 \xff" + b"x" * 9000)

    (item,) = client.get(LIST).json["items"]
    raw = client.get(f"{LIST}/{item['reject_id']}").json["raw"]

    assert "hunter2" not in raw
    assert raw.startswith("password=[redacted:")
    assert 4000 < len(raw) < 4200


def test_an_unreadable_body_needs_a_correction(client, unreadable_id):
    """What is kept of it cannot be tried again."""
    answer = client.post(f"{LIST}/{unreadable_id}/ingest")

    assert answer.status_code == 409
    assert "corrected" in answer.json["detail"]


def test_an_unreadable_body_is_taken_as_a_whole_webhook(client, unreadable_id):
    """Its group was never known, so the correction brings it."""
    answer = client.post(f"{LIST}/{unreadable_id}/ingest", json=webhook(firing(pod="7")))

    assert (answer.status_code, answer.json["accepted"]) == (202, 1)


def test_an_unreadable_body_is_taken_as_one_alert(client, unreadable_id):
    """Without a group its labels are one."""
    answer = client.post(f"{LIST}/{unreadable_id}/ingest", json=firing(pod="7"))

    assert (answer.status_code, answer.json["accepted"]) == (202, 1)


def test_a_plain_alert_at_another_door_is_taken_as_the_plain_alert_it_is(client, store):
    """Its labels alone would be an alert without a name."""
    plain = {"alert_name": "DiskFull", "severity": "critical", "labels": {"service": "db"}}
    client.post("/api/v2/alerts", json=plain)
    (item,) = client.get(LIST).json["items"]

    answer = client.post(f"{LIST}/{item['reject_id']}/ingest")

    assert answer.status_code == 202
    (incident,) = store.list_incidents()
    assert (incident.alert_name, incident.severity) == ("DiskFull", "critical")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (webhook(firing(), firing(pod=7)), {"alerts": ["alerts[1].labels.pod: Not a string."]}),
        (webhook(), {"alerts": ["Names no alert."]}),
        ({}, {"alerts": [NO_ALERTS]}),
        ({"text": "[FIRING]", "labels": {"x": "y"}}, {"alerts": [NO_ALERTS]}),
        ([], [f"the body is not an object; {FORMS}"]),
    ],
)
def test_a_corrected_webhook_is_taken_whole_or_not(client, store, unreadable_id, body, fault):
    """No alert of it becomes another reject."""
    answer = client.post(f"{LIST}/{unreadable_id}/ingest", json=body)

    assert (answer.status_code, answer.json["errors"]["json"]) == (409, fault)
    assert store.list_incidents() == []


def test_a_deleted_reject_is_gone(client, reject_id):
    """200, and 404 from then on."""
    answer = client.delete(f"{LIST}/{reject_id}")

    assert answer.json == {"status": "deleted", "reject_id": reject_id}
    assert client.get(f"{LIST}/{reject_id}").status_code == 404


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("POST", "/ingest")])
def test_an_unknown_reject_is_a_404(client, method, path):
    """Whatever is asked of it."""
    answer = client.open(f"{LIST}/{2**63 - 1}{path}", method=method)

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


@pytest.mark.parametrize("odd", [0, 2**63, "x"])
def test_a_number_that_no_reject_can_have_is_a_404(client, odd):
    """The database, which could not hold it, is not asked."""
    assert client.get(f"{LIST}/{odd}").status_code == 404


class Overtaken:
    """A store in which somebody else is faster."""

    def __init__(self, store, faster) -> None:
        self._store = store
        self._faster = faster

    def __getattr__(self, name):
        return getattr(self._store, name)

    def take_reject(self, reject_id, group, by):
        """Let the other go first."""
        self._faster(self._store, reject_id, group)
        return self._store.take_reject(reject_id, group, by=by)


@pytest.mark.parametrize(
    ("faster", "status"),
    [
        (lambda store, reject_id, group: store.take_reject(reject_id, group), 409),
        (lambda store, reject_id, group: store.delete_reject(reject_id), 404),
    ],
)
def test_a_reject_that_is_gone_at_the_commit_is_not_taken(store, nudges, reject_id, faster, status):
    """Two people may work on one reject; it is taken once."""
    app = create_app(load(environ={}), Overtaken(store, faster), nudges, {})

    answer = app.test_client().post(f"{LIST}/{reject_id}/ingest", json=firing(pod="7"))

    assert answer.status_code == status


class Unable:
    """A store that cannot keep a body."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def keep_unreadable(self, reject, sender):
        """Fail as told."""
        raise self._error


@pytest.mark.parametrize("error", [StoreUnavailableError("away"), ValueError("odd")])
def test_a_body_that_cannot_be_kept_is_still_a_400(nudges, error):
    """Whatever becomes of the record, the sender is told what is wrong with the body."""
    client = create_app(load(environ={}), Unable(error), nudges, {}).test_client()

    assert client.post(WEBHOOK, data=b"{").status_code == 400


def test_unreadable_bodies_are_kept_one_at_a_time():
    """A flood of them does not occupy the database; those that come meanwhile are let go."""
    kept = []

    class Busy:
        def keep_unreadable(self, reject, sender):
            kept.append(reject.raw)
            keep(b"meanwhile", UnreadableError("no JSON"), "default")

    keep = keeper(Busy())
    keep(b"first", UnreadableError("no JSON"), "default")
    keep(b"second", UnreadableError("no JSON"), "default")

    assert kept == ["first", "second"]
