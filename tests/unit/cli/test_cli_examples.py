"""The examples: what senders need, and what they send."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from cli.receiver import TOKEN_FILE
from cli.sending import posts
from cli.sending.posts import Form
from opssage.fingerprint import fingerprint
from opssage.settings import load
from webapi.app import create_app

ROOT = Path(__file__).parents[3]
RECORDED = sorted((ROOT / "tests" / "fixtures" / "alertmanager").glob("*.json"))
DEPLOY = ROOT / "deploy"


def example(sender):
    """Return an example of a sender's configuration, read."""
    return yaml.safe_load((DEPLOY / sender / "opssage.yml").read_text())


@pytest.fixture(scope="module")
def doors():
    """The routes that take a POST."""
    app = create_app(load(environ={}), None, None, {})
    return {rule.rule for rule in app.url_map.iter_rules() if "POST" in rule.methods}


def test_alertmanager_is_shown_a_route_of_ours_and_the_file_of_a_token(doors):
    """Its secret is in no file that is read by others."""
    (named,) = example("alertmanager")["receivers"]
    (webhook,) = named["webhook_configs"]

    assert urlsplit(webhook["url"]).path in doors
    assert webhook["http_config"] == {"authorization": {"credentials_file": TOKEN_FILE}}


def test_alertmanager_sends_watchdogs_often():
    """Twice and more in the time that the example has OpsSage wait for one."""
    text = (DEPLOY / "alertmanager" / "opssage.yml").read_text()
    (watchdog,) = example("alertmanager")["route"]["routes"]
    (seconds,) = re.findall(r"ingest\.watchdog_seconds: (\d+)", text)

    assert watchdog["matchers"] == ['alertname="Watchdog"']
    assert int(seconds) > 2 * 60 * int(watchdog["repeat_interval"].removesuffix("m"))


def test_prometheus_is_shown_the_door_of_an_alertmanager(doors):
    """It adds the path itself."""
    (ours,) = example("prometheus")["alerting"]["alertmanagers"]

    assert set(ours) == {"static_configs", "authorization"}
    assert "/api/v2/alerts" in doors


def test_grafana_is_shown_a_route_of_ours(doors):
    """The secrets come from its environment."""
    (point,) = example("grafana")["contactPoints"]
    (receiver,) = point["receivers"]
    settings = receiver["settings"]

    assert urlsplit(settings["url"]).path in doors
    for secret in (settings["authorization_credentials"], settings["hmacConfig"]["secret"]):
        assert re.fullmatch(r"\$\{\w+\}", secret)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("alert", Form.PLAIN),
        ("alertmanager", Form.ALERTMANAGER),
        ("grafana", Form.GRAFANA),
        ("prometheus", Form.V2),
    ],
)
def test_there_is_an_alert_to_send_by_every_door(name, form, doors):
    """`opssage send examples/…` knows them apart."""
    with (ROOT / "examples" / f"{name}.json").open("rb") as file:
        post = posts.read(file)

    assert post.form is form
    assert form.path in doors


@pytest.mark.parametrize("name", ["alertmanager", "grafana"])
def test_alerts_to_send_have_the_fingerprints_of_their_labels(name):
    """As the sender would have computed them."""
    with (ROOT / "examples" / f"{name}.json").open("rb") as file:
        alerts = posts.read(file).document["alerts"]

    assert [each["fingerprint"] for each in alerts] == [
        fingerprint(each["labels"]) for each in alerts
    ]


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_recorded_requests_are_read_as_what_was_sent(file):
    """The body, whoever recorded it and wherever it went."""
    with file.open("rb") as recording:
        post = posts.read(recording)

    assert post.form is Form.ALERTMANAGER
    assert post.document == json.loads(file.read_text())["body"] == json.loads(post.body)
