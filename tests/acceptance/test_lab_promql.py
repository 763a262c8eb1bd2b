"""The evaluator of recorded outages against a real Prometheus that holds the same samples."""

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from flask import request as flask_request
from flask.testing import FlaskClient
from lab.prometheus import RealPrometheus, ask, open_metrics

from cli.replay import Recording, create_app, load, names, serve
from opssage.incident import Incident, Status
from opssage.settings import CollectSettings
from tasks.collect import collect
from tasks.collect.prometheus import PrometheusSource
from tasks.collect.upstream import Upstream
from webapi.senders.alertmanager import webhook_group

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

NOW = datetime(2026, 11, 20, 9, 30, 7, tzinfo=UTC)
HISTORY_SECONDS = 4500
TOLERANCE = 1e-9

FAMILY = (Path(__file__).parents[1] / "lab" / "family.promql").read_text().splitlines()


@dataclass(frozen=True)
class Pair:
    """The same samples on both sides."""

    recording: Recording
    now: int
    real: str
    replay: str


@pytest.fixture(scope="module", params=names())
def pair(
    request: pytest.FixtureRequest, debian: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """A replay server and a Prometheus, both with the samples of one outage."""
    recording = load(request.param)
    capture = recording.at(NOW)
    folder = tmp_path_factory.mktemp("prometheus")
    prometheus = RealPrometheus(debian, folder)
    since, until = (capture.now - HISTORY_SECONDS) * 1000, capture.now * 1000
    lines = list(open_metrics(capture.series, since, until))
    assert prometheus.load(lines) == len(lines) - 1
    served = serve(recording, now=NOW)
    with prometheus:
        yield Pair(recording, capture.now, prometheus.url, served.url)
    served.stop()
    shutil.rmtree(folder)


def differences(real: Any, replayed: Any) -> list[str]:
    """Return what differs between two answers; numbers may by a part in 10^9."""
    if real["status"] != replayed["status"] or real["status"] == "error":
        return _differing_errors(real, replayed)
    if real["data"]["resultType"] != replayed["data"]["resultType"]:
        return [f"{real['data']['resultType']} became {replayed['data']['resultType']}"]
    if real["data"]["resultType"] == "scalar":
        return _differing_points([real["data"]["result"]], [replayed["data"]["result"]])
    ours = {_key(row): row for row in replayed["data"]["result"]}
    theirs = {_key(row): row for row in real["data"]["result"]}
    found = [f"missing or extra: {dict(key)}" for key in ours.keys() ^ theirs.keys()]
    for key in ours.keys() & theirs.keys():
        found += [
            f"{dict(key)}: {text}"
            for text in _differing_points(_points(theirs[key]), _points(ours[key]))
        ]
    return found


def _differing_errors(real: Any, replayed: Any) -> list[str]:
    same = real.get("errorType") == replayed.get("errorType")
    return [] if same else [f"{real} became {replayed}"]


def _key(row: Any) -> Any:
    return tuple(sorted(row["metric"].items()))


def _points(row: Any) -> Any:
    return row["values"] if "values" in row else [row["value"]]


def _differing_points(real: Any, ours: Any) -> list[str]:
    if [point[0] for point in real] != [point[0] for point in ours]:
        return [f"other times: {len(real)} became {len(ours)}"]
    return [
        f"at {moment}: {wanted} became {got}"
        for (moment, wanted), (_, got) in zip(real, ours, strict=True)
        if not _same(float(wanted), float(got))
    ]


def _same(wanted: float, got: float) -> bool:
    if math.isnan(wanted) or math.isnan(got):
        return math.isnan(wanted) and math.isnan(got)
    return math.isclose(wanted, got, rel_tol=TOLERANCE)


def grids(pair: Pair) -> list[tuple[str, dict[str, str]]]:
    """Return ways to ask: coarse, off the scrapes' grid, and at single moments."""
    return [
        ("query_range", _grid(pair.now - 3600, pair.now, 30)),
        ("query_range", _grid(pair.now - 2000.123, pair.now - 3.5, 17.5)),
        ("query", {"time": str(pair.now)}),
        ("query", {"time": f"{pair.now - 777.7:.3f}"}),
    ]


def _grid(start: float, end: float, step: float) -> dict[str, str]:
    return {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": str(step)}


@pytest.mark.parametrize("query", FAMILY)
def test_a_query_of_the_family_is_answered_as_prometheus_does(pair: Pair, query: str) -> None:
    """Same label sets, same times, same numbers; errors are of the same type."""
    for endpoint, parameters in grids(pair):
        asked = {"query": query, **parameters}

        status, real = ask(pair.real, f"/api/v1/{endpoint}", asked)
        replayed_status, replayed = ask(pair.replay, f"/api/v1/{endpoint}", asked)

        assert (status, differences(real, replayed)) == (replayed_status, []), parameters


def test_alert_expressions_are_answered_as_prometheus_does(pair: Pair) -> None:
    """The rules of the outage see the same in both."""
    for rule in pair.recording.document["rules"].values():
        for endpoint, parameters in grids(pair):
            asked = {"query": rule["expr"], **parameters}

            _, real = ask(pair.real, f"/api/v1/{endpoint}", asked)
            _, replayed = ask(pair.replay, f"/api/v1/{endpoint}", asked)

            assert differences(real, replayed) == []


def collected_requests(recording: Recording) -> list[tuple[str, dict[str, str]]]:
    """Return everything collect asks a Prometheus about an outage."""
    app, asked = create_app(recording, NOW), []
    app.before_request(lambda: asked.append((flask_request.path, flask_request.form.to_dict())))
    upstream = Upstream(
        source="prometheus",
        url="http://replay",
        timeout_seconds=30,
        client=httpx2.Client(transport=httpx2.WSGITransport(app=app)),
    )
    source = PrometheusSource(upstream)
    incident = Incident(
        incident_id=UUID(int=1),
        status=Status.PENDING,
        created_at=NOW,
        updated_at=NOW,
        alert_name="",
        severity="",
    )
    alerts = webhook_group(recording.webhook(NOW, "http://alertmanager")).alerts
    collect(incident, alerts, [source], CollectSettings(deadline_seconds=60), NOW)
    return asked


def test_what_collect_asks_is_answered_as_prometheus_does(pair: Pair) -> None:
    """Every question of the query plan gets the same answer from both."""
    requests = collected_requests(pair.recording)
    assert len(requests) > 20

    for path, form in requests:
        status, real = ask(pair.real, path, form)
        replayed_status, replayed = ask(pair.replay, path, form)

        assert (status, differences(real, replayed)) == (replayed_status, []), form["query"]


@pytest.fixture(scope="module")
def clients() -> list[FlaskClient]:
    """A client of each outage."""
    return [create_app(load(name), NOW).test_client() for name in names()]


@pytest.mark.parametrize("query", FAMILY)
def test_a_query_of_the_family_is_about_something(clients: list[FlaskClient], query: str) -> None:
    """In some outage each query selects series, so that the comparison compares numbers."""
    end = NOW.timestamp() // 15 * 15
    asked = {"query": query, "start": end - 600, "end": end, "step": 15}

    answers = [client.get("/api/v1/query_range", query_string=asked).json for client in clients]

    assert any(answer["status"] == "error" or answer["data"]["result"] for answer in answers)


BAD_REQUESTS = [
    ("query", {"query": "sum(rate(x[5m])"}),
    ("query", {"query": ""}),
    ("query", {"query": '{__name__=~".*"}'}),
    ("query", {"query": "up", "time": "yesterday"}),
    ("query_range", {"query": "up", "start": "1", "end": "100"}),
    ("query_range", {"query": "up", "start": "100", "end": "1", "step": "1"}),
    ("query_range", {"query": "up", "start": "1", "end": "100", "step": "0"}),
    ("query_range", {"query": "up", "start": "1", "end": "100", "step": "1y2q"}),
    ("query_range", {"query": "up", "start": "0", "end": "86400", "step": "1"}),
    ("query_range", {"query": '"text"', "start": "1", "end": "100", "step": "1"}),
    ("query_range", {"query": "up[5m]", "start": "1", "end": "100", "step": "1"}),
    ("query", {"query": "up", "timeout": "soon"}),
    ("series", {}),
    ("series", {"match[]": "up +"}),
]


@pytest.mark.parametrize(("endpoint", "parameters"), BAD_REQUESTS)
def test_a_bad_request_is_refused_as_prometheus_does(
    pair: Pair, endpoint: str, parameters: dict[str, str]
) -> None:
    """Status and error type are the same."""
    status, real = ask(pair.real, f"/api/v1/{endpoint}", parameters)
    replayed_status, replayed = ask(pair.replay, f"/api/v1/{endpoint}", parameters)

    assert (replayed_status, replayed["errorType"]) == (status, real["errorType"])


def test_label_sets_are_listed_as_prometheus_does(pair: Pair) -> None:
    """Series and names of labels are the same, for one selector and for several."""
    for endpoint, selector in (
        ("series", "up"),
        ("series", '{namespace="shop", pod=~"web-.*"}'),
        ("labels", '{__name__=~"node_.*"}'),
        ("labels", "kube_pod_info"),
    ):
        _, real = ask(pair.real, f"/api/v1/{endpoint}", {"match[]": selector})
        _, replayed = ask(pair.replay, f"/api/v1/{endpoint}", {"match[]": selector})

        assert sorted(map(str, _ordered(real))) == sorted(map(str, _ordered(replayed)))


def _ordered(answer: Any) -> Any:
    return [sorted(item.items()) if isinstance(item, dict) else item for item in answer["data"]]
