"""The list of alerts that belong to no incident."""

import pytest
from factories import alert, group
from past import alone

LIST = "/api/v1/alerts"


@pytest.fixture
def filled(store):
    """A store with alerts that were over when they came, a Watchdog, and one that fires."""
    for name in ("A", "B"):
        store.create_incident(group(alert(name, resolved_after=60), key=name))
    store.create_incident(group(alert("Watchdog"), key="w", sender="other"))
    alone(store, "Firing")
    return store


def names(answer) -> list[str]:
    """Return the names of the alerts of a page."""
    return [item["labels"]["alertname"] for item in answer.json["items"]]


@pytest.mark.parametrize(
    ("query", "listed"),
    [
        ("", ["Watchdog", "B", "A"]),
        ("disposition=watchdog", ["Watchdog"]),
        ("disposition=watchdog&disposition=resolved_only&sender=default", ["B", "A"]),
        ("disposition=ignored", []),
        ("sender=nobody", []),
    ],
)
def test_alerts_without_an_incident_are_listed(client, filled, query, listed):
    """Newest first, by disposition and sender."""
    assert names(client.get(f"{LIST}?{query}")) == listed


def test_an_alert_says_why_it_belongs_to_none(client, filled):
    """And how often and when it was sent."""
    item = client.get(LIST).json["items"][0]

    assert (item["disposition"], item["sender"], item["status"]) == ("watchdog", "other", "firing")
    assert (item["deliveries"], item["first_seen_at"]) == (1, item["last_seen_at"])


def test_the_list_is_paged(client, filled):
    """`Link` leads on, and keeps the filters."""
    first = client.get(f"{LIST}?limit=1&sender=default")
    second = client.get(first.headers["Link"].split(">")[0][1:])

    assert (names(first), names(second)) == (["B"], ["A"])
    assert second.json["next_cursor"] is None


def test_dispositions_are_counted_when_asked_for(client, filled):
    """All of them, whichever is chosen."""
    told = client.get(f"{LIST}?include=facets&disposition=watchdog&limit=1").json

    assert told["facets"] == {
        "disposition": [
            {"value": "resolved_only", "count": 2},
            {"value": "watchdog", "count": 1},
        ]
    }
    assert told["capped"] is False


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("disposition=lost", "disposition"),
        ("cursor=x", "cursor"),
        ("limit=201", "limit"),
        ("include=all", "include"),
        ("sender=%00", "sender"),
        ("disposed=ignored", "disposed"),
    ],
)
def test_a_wrong_query_names_its_field(client, query, field):
    """A filter that would silently list everything is refused."""
    answer = client.get(f"{LIST}?{query}")

    assert answer.status_code == 422
    assert field in answer.json["errors"]["query"]
