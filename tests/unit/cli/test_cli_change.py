"""`opssage change`: what pipelines report, and what people look up."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from opssage.wire import parse_time

KEPT = {
    "change_id": 7,
    "kind": "deploy",
    "summary": "cart\t1.8.0",
    "at": "2026-11-23T02:58:00.000000Z",
    "by": "ci",
    "service": "cart",
    "namespace": "shop",
    "version_before": "1.7.3",
    "version_after": "1.8.0",
    "url": "",
    "details": {},
    "sender": "ci",
}


@pytest.fixture
def change(opssage, httpserver):
    """Run `opssage change` against the server; returns click's result."""
    return lambda *words: opssage("change", *words, "--url", httpserver.url_for(""))


def test_add_reports_what_was_said(change, httpserver):
    """Only that is sent, and the id is printed."""
    told = {
        "kind": "flag",
        "summary": "new-cart on",
        "service": "cart",
        "namespace": "shop",
        "at": "2026-11-23T02:58:00.000000Z",
        "by": "ann",
        "version_before": "off",
        "version_after": "on",
        "url": "https://flags/new-cart",
        "details": {"share": "5=%"},
    }
    httpserver.expect_request("/api/v1/changes", method="POST", json=told).respond_with_json(KEPT)

    result = change(
        *("add", "--kind", "flag", "--summary", "new-cart on", "--service", "cart"),
        *("--namespace", "shop", "--at", "2026-11-23T03:58:00+01:00", "--by", "ann"),
        *("--from", "off", "--to", "on", "--link", "https://flags/new-cart"),
        *("--detail", "share=5=%"),
    )

    assert (result.exit_code, result.stdout) == (0, "7\n"), result.output


def test_add_is_a_deploy_unless_told(change, httpserver):
    """All but the summary may be left out; --json shows what is kept."""
    told = {"kind": "deploy", "summary": "x"}
    httpserver.expect_request("/api/v1/changes", method="POST", json=told).respond_with_json(KEPT)

    assert json.loads(change("add", "--summary", "x", "--json").stdout) == KEPT


def test_add_tells_what_the_door_says(change, httpserver):
    """A database that is away is 4, and a pipeline may try again."""
    problem = {"title": "Service Unavailable", "detail": "send it again", "status": 503}
    httpserver.expect_request("/api/v1/changes").respond_with_json(problem, 503)

    result = change("add", "--summary", "x")

    assert result.exit_code == 4
    assert "send it again" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--at", "yesterday"), "is not a time like 20"),
        (("--at", "2026-11-23 12:00"), "write 2026-11-23T12:00:00Z for UTC, or with an offset"),
        (("--detail", "share"), "is not NAME=VALUE"),
        (("--kind", "release"), "'deploy'"),
    ],
)
def test_add_says_how_an_option_is_written(change, words, said):
    """A wrong use asks nobody."""
    result = change("add", "--summary", "x", *words)

    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_list_shows_changes_newest_first(change, httpserver):
    """Chosen by place, kind and time."""
    query = {"service": "cart", "namespace": "shop", "kind": "deploy", "limit": "2"}
    query["since"] = "2026-11-23T00:00:00.000000Z"
    httpserver.expect_request("/api/v1/changes", query_string=query).respond_with_json(
        {"items": [KEPT], "next_cursor": "older"}
    )

    result = change(
        *("list", "--service", "cart", "--namespace", "shop", "--kind", "deploy"),
        *("--since", "2026-11-23", "--limit", "2"),
    )

    assert result.exit_code == 0, result.output
    assert result.stdout.rstrip("\n").split("\t") == [
        *(KEPT["at"], "deploy", "shop", "cart", "1.7.3", "1.8.0", "ci", "cart 1.8.0")
    ]
    assert "there are older ones" in result.stderr


def test_times_of_changes_are_told_as_ages_too(change, httpserver):
    """As other commands take them."""
    httpserver.expect_request("/api/v1/changes").respond_with_json(
        {"items": [], "next_cursor": None}
    )

    result = change("list", "--since", "1h")

    (request, _), *_ = httpserver.log
    since = parse_time(request.args["since"])
    assert result.exit_code == 0, result.output
    assert timedelta(minutes=59) < datetime.now(UTC) - since < timedelta(minutes=61)
