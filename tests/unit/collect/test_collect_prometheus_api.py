"""Prometheus' HTTP API, with answers recorded from Prometheus 2.42 and 2.53."""

import json
from pathlib import Path
from time import monotonic

import httpx2
import pytest
from unit.collect.stand_ins import upstream_to

from opssage.evidence import SourceStatus
from tasks.collect.prometheus_api import Grid, PrometheusApi, Query
from tasks.collect.upstream import MAX_ANSWER_BYTES

FIXTURES = Path(__file__).parents[2] / "fixtures" / "prometheus"
GRID = Grid(start=1633046340, end=1633046400, step=15)


@pytest.fixture(params=["242", "253"])
def recorded(request):
    """The answers of one version, by name."""
    return json.loads((FIXTURES / f"prometheus_api_{request.param}.json").read_text())


def replay(record):
    """A response as it was recorded."""
    body = record["body"]
    content = body if isinstance(body, str) else json.dumps(body)
    headers = {"Content-Type": record["content_type"]}
    return httpx2.Response(record["status"], content=content, headers=headers)


def api(handler, **options):
    return PrometheusApi(upstream_to(httpx2.MockTransport(handler), **options))


def ask(handler, *queries, **options):
    queries = queries or (Query(promql="up", grid=GRID),)
    return api(handler, **options).run(queries, monotonic() + 60)


def test_range_answer_is_read(recorded):
    """Values come as text and leave as numbers."""
    (result,) = ask(lambda _: replay(recorded["range_ok_small"]))

    (series,) = result.series
    assert series.labels["service"] == "svc-07"
    assert series.samples[0] == (1633046340, 513.643)
    assert result.report.status is SourceStatus.OK


def test_empty_answer_is_no_failure(recorded):
    """Nothing to see is an answer."""
    (result,) = ask(lambda _: replay(recorded["range_empty"]))

    assert result.report.status is SourceStatus.EMPTY


@pytest.mark.parametrize("name", ["scalar", "string", "nan_inf", "inf"])
def test_every_result_type_is_read(recorded, name):
    """A scalar is one sample, a string none; NaN and infinities are numbers here."""
    (result,) = ask(lambda _: replay(recorded[name]), Query(promql="x", at=1.0))

    assert result.answered
    assert len(result.series) == (0 if name == "string" else 1)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("parse_error", "the query was refused (HTTP 400): "),
        ("too_many_points", "exceeded maximum resolution of 11,000 points"),
        ("end_before_start", "the query was refused (HTTP 400)"),
        ("bad_step", "the query was refused (HTTP 400)"),
        ("regex_too_broad", "must contain at least one non-empty matcher"),
        ("many_to_many", "the query cannot be evaluated (HTTP 422): found duplicate series"),
        ("timeout", "too slow (HTTP 503): query timed out in expression evaluation"),
        ("not_found_path", "no such path: check the base path of the URL (HTTP 404)"),
    ],
)
def test_error_is_told_in_words(recorded, name, said):
    """A refused query, a slow one and a wrong URL are different things to mend."""
    (result,) = ask(lambda _: replay(recorded[name]))

    assert result.report.status is SourceStatus.FAILED
    assert said in result.report.error


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (httpx2.Response(401, text="Unauthorized"), "not allowed: check the credentials"),
        (
            httpx2.Response(422, json={"errorType": "422", "error": 'cannot parse "x("'}),
            "the query cannot be evaluated (HTTP 422): cannot parse",
        ),
        (httpx2.Response(403, text="no"), "check the credentials and the tenant (HTTP 403): no"),
        (httpx2.Response(200, text="<html>Log in</html>"), "is this the right URL?"),
        (httpx2.Response(200, json={"status": "success"}), "does not have the form"),
        (httpx2.Response(200, json={"data": {"resultType": "matrix", "result": 3}}), "the form"),
        (httpx2.Response(502, text="bad gateway"), "the request failed (HTTP 502): bad gateway"),
        (httpx2.Response(200, content=b"[" + b"1," * MAX_ANSWER_BYTES), "larger than 8 MiB"),
    ],
)
def test_strange_answer_is_a_line_of_the_ledger(response, said):
    """Proxies and log-in pages answer too."""
    (result,) = ask(lambda _: response)

    assert result.report.status is SourceStatus.FAILED
    assert said in result.report.error


def test_error_text_is_redacted_before_it_is_cut():
    """Half a secret would not be recognised as one."""
    text = "x" * 270 + " postgres://admin:hunter2hunter2hunter2hunter2@db/app"

    (result,) = ask(lambda _: httpx2.Response(500, text=text))

    assert "hunter2" not in result.report.error


def test_refused_connection_stops_the_queries_that_wait():
    """A dead source costs its own time-out once, not once per query."""

    def refuse(request):
        raise httpx2.ConnectError("connection refused", request=request)

    results = ask(refuse, *(Query(promql=f"q{n}", at=1.0) for n in range(40)))

    statuses = [result.report.status for result in results]
    assert statuses.count(SourceStatus.FAILED) <= 6
    assert statuses[-1] is SourceStatus.SKIPPED
    assert not any(result.answered for result in results)


def test_slow_answer_does_not_stop_the_other_queries():
    """They may be quicker."""

    def slow(request):
        raise httpx2.ReadTimeout("timed out", request=request)

    results = ask(slow, *(Query(promql=f"q{n}", at=1.0) for n in range(12)))

    assert {result.report.error for result in results} == {"too slow: no answer within 5.0 s"}


def test_query_is_not_sent_after_the_deadline():
    """There is nobody left to hear the answer."""
    sent = []

    (result,) = api(sent.append).run([Query(promql="up", at=1.0)], monotonic() - 1)

    assert sent == []
    assert result.report.status is SourceStatus.FAILED


def test_request_is_a_form_with_everything_it_needs():
    """POST takes queries of any length; the time-out is told to the server as well."""
    seen = []

    def answer(request):
        seen.append(request)
        return httpx2.Response(200, json={"data": {"resultType": "matrix", "result": []}})

    ask(answer, url="http://prom:9090/base/")

    (request,) = seen
    assert str(request.url) == "http://prom:9090/base/api/v1/query_range"
    assert b"start=1633046340&end=1633046400&step=15" in request.content
    assert b"timeout=5000ms" in request.content


def test_warnings_are_kept_in_the_ledger():
    """A partial answer of Thanos is an answer with a warning."""
    body = {
        "data": {"resultType": "vector", "result": []},
        "warnings": ["store down"],
        "infos": ["metric might not be a counter"],
    }

    (result,) = ask(lambda _: httpx2.Response(200, json=body))

    assert result.report.error == "warning: store down; info: metric might not be a counter"


def test_a_partial_answer_is_told_and_kept():
    """VictoriaMetrics says so where some of its nodes are away; what they have is not absent."""
    data = {"resultType": "vector", "result": [{"metric": {}, "value": [0, "1"]}]}
    body = {"status": "success", "isPartial": True, "data": data}

    (result,) = ask(lambda _: httpx2.Response(200, json=body))

    assert len(result.series) == 1
    assert result.report.truncated
    assert result.report.error.startswith("a partial answer")


@pytest.mark.parametrize("at", [1e300, -1, "NaN"])
def test_a_sample_of_no_time_is_a_line_of_the_ledger(at):
    """There is no date of it."""
    data = {"resultType": "vector", "result": [{"metric": {}, "value": [at, "1"]}]}

    (result,) = ask(lambda _: httpx2.Response(200, json={"status": "success", "data": data}))

    assert result.report.status is SourceStatus.FAILED
    assert "the form of a query's result" in result.report.error


@pytest.mark.parametrize(
    ("seconds", "max_points", "step"), [(600, 120, 15), (1920, 121, 16), (86400, 121, 720)]
)
def test_grid_has_no_more_points_than_allowed(seconds, max_points, step):
    """Scrapes are seldom closer than 15 s, so steps need not be either."""
    grid = Grid.over(1000.7, 1000.7 + seconds, max_points=max_points)

    assert grid.step == step
    assert (grid.end - grid.start) // grid.step + 1 <= max_points
