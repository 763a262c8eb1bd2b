"""Copies of a post that are other alerts."""

import json
from datetime import UTC, datetime

import pytest

from cli.sending.copies import distinct
from cli.sending.posts import Form, Post
from opssage.fingerprint import fingerprint

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
AT = "2026-11-23T03:00:00.000000Z"
LABELS = {"alertname": "Down", "pod": "a"}
MARKED = {**LABELS, "storm": "7"}
WEBHOOK = {
    "receiver": "ops",
    "groupKey": '{}:{alertname="Down"}',
    "groupLabels": {"alertname": "Down"},
    "alerts": [
        {
            "status": "firing",
            "labels": LABELS,
            "startsAt": "2020-01-01T00:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": "0123456789abcdef",
        }
    ],
}


def copy(form, document, mark="7"):
    """Return the copy of a document, read."""
    post = Post(name="x", form=form, body=b"as it is", document=document)
    return json.loads(distinct(post, mark, NOW))


@pytest.mark.parametrize("form", [Form.ALERTMANAGER, Form.GRAFANA])
def test_a_copy_of_a_webhook_has_alerts_and_a_group_of_its_own(form):
    """Labels, fingerprint and group key are others; what else there is stays."""
    made = copy(form, WEBHOOK)

    assert made["receiver"] == "ops"
    assert made["groupKey"] == '{}:{alertname="Down"}:{storm="7"}'
    assert made["groupLabels"] == {"alertname": "Down", "storm": "7"}
    assert made["alerts"] == [
        {
            "status": "firing",
            "labels": MARKED,
            "startsAt": AT,
            "fingerprint": fingerprint(MARKED),
        }
    ]


def test_a_copy_of_an_end_ends_now():
    """It began in time to have ended."""
    (made,) = copy(
        Form.ALERTMANAGER, {"alerts": [{"status": "resolved", "labels": LABELS, "endsAt": "?"}]}
    )["alerts"]

    assert (made["status"], made["endsAt"]) == ("resolved", AT)


@pytest.mark.parametrize(
    ("end", "copied"),
    [
        ("2026-11-23T02:59:00Z", AT),
        ("2026-11-23T03:04:00Z", None),
        ("0001-01-01T00:00:00Z", None),
        ("nonsense", None),
        (None, None),
    ],
)
def test_a_copy_of_a_listed_alert_has_ended_when_it_had(end, copied):
    """Prometheus tells an end by its time alone."""
    (made,) = copy(Form.V2, [{"labels": LABELS, "endsAt": end}])

    assert made["labels"] == MARKED
    assert made.get("endsAt") == copied
    assert "fingerprint" not in made


def test_a_copy_of_a_plain_alert_has_a_label_more():
    """Its time is the copy's."""
    assert copy(Form.PLAIN, {"alert_name": "Down", "labels": {"pod": "a"}}) == {
        "alert_name": "Down",
        "labels": {"pod": "a", "storm": "7"},
        "timestamp": AT,
    }


@pytest.mark.parametrize(
    ("form", "document"),
    [(Form.V2, {"alerts": []}), (Form.PLAIN, []), (Form.ALERTMANAGER, "text")],
)
def test_what_is_sent_as_what_it_is_not_is_not_copied(form, document):
    """It goes as it is: the server is to say what is wrong."""
    post = Post(name="x", form=form, body=b"as it is", document=document)

    assert distinct(post, "7", NOW) == b"as it is"


@pytest.mark.parametrize(
    "alerts", [None, [None, 7], [{"labels": None}], [{"labels": {"a": "\ud800"}, "fingerprint": 1}]]
)
def test_a_copy_of_bad_alerts_is_as_bad(alerts):
    """What cannot be marked passes."""
    assert len(copy(Form.ALERTMANAGER, {"alerts": alerts})["alerts"] or []) == len(alerts or [])
