"""`opssage alerts`: what arrived and opened no incident."""

import json

import pytest

ALERT = {
    "fingerprint": "29dfb52689eade8a",
    "starts_at": "2026-11-23T03:00:00.000000Z",
    "sender": "alertmanager",
    "disposition": "watchdog",
    "status": "firing",
    "labels": {"alertname": "Watch\tdog"},
    "deliveries": 12,
    "first_seen_at": "2026-11-23T03:00:30.000000Z",
    "last_seen_at": "2026-11-23T04:00:30.000000Z",
}


def serve(httpserver, query, **more):
    """Answer a page for exactly this query."""
    httpserver.expect_request("/api/v1/alerts", query_string=query).respond_with_json(
        {"items": [ALERT], "next_cursor": None, **more}
    )


@pytest.fixture
def alerts(opssage, httpserver):
    """Run `opssage alerts` against the server; returns click's result."""
    return lambda *words: opssage("alerts", "--url", httpserver.url_for(""), *words)


def test_alerts_are_lines_newest_first(alerts, httpserver):
    """When, why, how it stands, how often, whose, and which."""
    serve(httpserver, "limit=50")

    result = alerts()

    assert result.exit_code == 0, result.output
    assert result.stdout.rstrip("\n").split("\t") == [
        *("2026-11-23T04:00:30.000000Z", "watchdog", "firing", "12", "alertmanager"),
        *("29dfb52689eade8a", "Watch dog"),
    ]


def test_alerts_are_chosen_by_their_disposition(alerts, httpserver):
    """Several mean any of them; --json gives the items."""
    serve(httpserver, "disposition=ignored&disposition=watchdog&sender=a&limit=2")

    result = alerts(
        *("--disposition", "ignored", "--disposition", "watchdog"),
        *("--sender", "a", "--limit", "2", "--json"),
    )

    assert json.loads(result.stdout) == [ALERT], result.output


def test_alerts_hint_at_older_ones(alerts, httpserver):
    """A list that was cut says so."""
    serve(httpserver, "limit=50", next_cursor="older")

    assert "there are older ones" in alerts().stderr


def test_alerts_know_their_dispositions(alerts):
    """A wrong word is a wrong use."""
    assert alerts("--disposition", "lost").exit_code == 2
