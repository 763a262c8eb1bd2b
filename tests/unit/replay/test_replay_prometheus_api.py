"""The Prometheus API: answers and errors in the form that a Prometheus 2.53 was recorded in."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask

from cli.replay import create_app, load
from cli.replay.prometheus_api import PrometheusApi
from cli.replay.series import SeriesSet

RECORDED = json.loads((Path(__file__).parent / "prometheus_253.json").read_text())


@pytest.fixture
def client(series, now):
    """A client of the API over the series that the recorded answers are about."""
    (row,) = RECORDED["range_ok_small"]["body"]["data"]["result"]
    labels = {name: text for name, text in row["metric"].items() if name != "__name__"}
    values = [float(value) for _, value in row["values"]]
    fds = series("process_open_fds", values, start=row["values"][0][0], **labels)
    other = series("go_goroutines", [1] * 5, start=row["values"][0][0], namespace="shop", pod="a")
    twin = series("go_goroutines", [1] * 5, start=row["values"][0][0], namespace="shop", pod="b")
    app = Flask(__name__)
    moment = int(now.timestamp())
    capture = SimpleNamespace(now=moment, series=SeriesSet([fds, other, twin]), rule_groups=[])
    app.register_blueprint(PrometheusApi(capture).blueprint())
    return app.test_client()


@pytest.mark.parametrize(
    "name",
    [
        "range_ok_small",
        "range_empty",
        "scalar",
        "string",
        "nan_inf",
        "inf",
        "too_many_points",
        "end_before_start",
        "bad_step",
    ],
)
def test_an_answer_is_the_recorded_one(client, name):
    """Status and body, to the letter."""
    request, recorded = RECORDED[name]["request"], RECORDED[name]

    answer = client.get(request["path"], query_string=request["params"])

    assert (answer.status_code, answer.json) == (recorded["status"], recorded["body"])


@pytest.mark.parametrize("name", ["parse_error", "many_to_many", "regex_too_broad"])
def test_an_error_is_of_the_recorded_type(client, name):
    """Status and error type; the position of a parse error is not known."""
    request, recorded = RECORDED[name]["request"], RECORDED[name]

    answer = client.get(request["path"], query_string=request["params"])

    assert answer.status_code == recorded["status"]
    assert answer.json["errorType"] == recorded["body"]["errorType"]
    assert answer.json["error"].split(":")[-1] in recorded["body"]["error"]


def test_a_form_is_answered_like_a_query_string(client):
    """Collectors post their queries."""
    request = RECORDED["range_ok_small"]["request"]

    answer = client.post(request["path"], data=request["params"])

    assert answer.json == RECORDED["range_ok_small"]["body"]


def test_an_unsupported_construct_is_unprocessable(client):
    """422, and the construct is named."""
    answer = client.get("/api/v1/query", query_string={"query": "deriv(x[5m])"})

    assert answer.status_code == 422
    assert answer.json == {
        "status": "error",
        "errorType": "execution",
        "error": "unsupported: function deriv()",
    }


@pytest.mark.parametrize("written", ["1633046355", "1633046355.0", "2021-10-01T00:00:01Z"])
def test_times_are_seconds_or_rfc_3339(client, written):
    """Both forms that Prometheus takes."""
    answer = client.get("/api/v1/query", query_string={"query": "time()", "time": written})

    assert answer.json["data"]["result"][1] in {"1633046355", "1633046401"}


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"query": "up", "start": "soon", "end": "1", "step": "1"}, '"start"'),
        ({"query": "up", "start": "1", "step": "1"}, '"end"'),
        ({"query": "up", "start": "1", "end": "2", "step": "often"}, '"step"'),
        ({"query": "up", "start": "1", "end": "nan", "step": "1"}, '"end"'),
        ({"query": "", "start": "1", "end": "2", "step": "1"}, '"query"'),
        ({"query": "up[5m]", "start": "1", "end": "2", "step": "1"}, '"query"'),
        ({"query": "up", "start": "1", "end": "2", "step": "1", "timeout": "x"}, '"timeout"'),
    ],
)
def test_a_wrong_parameter_is_named(client, parameters, named):
    """400 bad_data."""
    answer = client.get("/api/v1/query_range", query_string=parameters)

    assert (answer.status_code, answer.json["errorType"]) == (400, "bad_data")
    assert answer.json["error"].startswith(f"invalid parameter {named}: ")


def test_labels_and_series_are_listed(client):
    """Names, values and label sets, of all series or of those selected."""
    names = client.get("/api/v1/labels?match[]=go_goroutines").json["data"]
    values = client.get("/api/v1/label/pod/values").json["data"]
    found = client.post("/api/v1/series", data={"match[]": 'go_goroutines{pod="b"}'}).json["data"]

    assert names == ["__name__", "namespace", "pod"]
    assert values == ["a", "b", "svc-07-0"]
    assert found == [{"__name__": "go_goroutines", "namespace": "shop", "pod": "b"}]


def test_series_are_listed_for_a_time(client):
    """A series without samples in that time is left out."""
    asked = {"match[]": "go_goroutines", "start": 1, "end": 1633046339}

    assert client.get("/api/v1/series", query_string=asked).json["data"] == []


def test_series_need_a_selector(client):
    """All series of a Prometheus are nobody's question."""
    answer = client.get("/api/v1/series")

    assert (answer.status_code, answer.json["error"]) == (400, "no match[] parameter provided")


def test_an_outage_answers_rules_build_and_readiness(now):
    """What a collector asks before its first query."""
    client = create_app(load("crashloop"), now).test_client()
    (group,) = client.get("/api/v1/rules").json["data"]["groups"]

    assert [rule["name"] for rule in group["rules"]] == ["KubePodCrashLooping"]
    assert group["rules"][0]["duration"] == 120
    assert client.get("/api/v1/status/buildinfo").json["data"]["version"].startswith("2.")
    assert client.get("/-/ready").status_code == 200


def test_an_unknown_path_is_plain_text(now):
    """As Prometheus answers a wrong base path."""
    answer = create_app(load("crashloop"), now).test_client().get("/api/v1/nope")
    recorded = RECORDED["not_found_path"]

    assert (answer.status_code, answer.text) == (recorded["status"], recorded["body"])
    assert answer.content_type == recorded["content_type"]
