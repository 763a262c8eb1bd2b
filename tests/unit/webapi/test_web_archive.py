"""Incidents of the archive, by the same addresses as the live ones."""

import pytest
from factories import REPORT
from past import alone, over

LIST = "/api/v1/incidents"


@pytest.fixture
def archived(store) -> str:
    """One archived incident."""
    incident_id = over(store)
    store.archive_incidents(1, 10)
    return str(incident_id)


def test_the_list_shows_the_archive_when_asked(client, store, archived):
    """`archived=true` lists what is archived, and nothing else does."""
    live = str(alone(store, "Live"))

    def ids(query):
        return [item["incident_id"] for item in client.get(f"{LIST}?{query}").json["items"]]

    assert (ids(""), ids("archived=false"), ids("archived=true")) == ([live], [live], [archived])


def test_the_archive_is_filtered_and_paged(client, store):
    """`Link` leads on through the archive, with the filters."""
    for number in range(3):
        over(store, f"A{number}", severity="critical")
    over(store, "Other")
    store.archive_incidents(1, 10)

    first = client.get(f"{LIST}?archived=true&severity=critical&limit=2")
    second = client.get(first.headers["Link"].split(">")[0][1:])

    assert [item["alert_name"] for item in first.json["items"]] == ["A2", "A1"]
    assert [item["alert_name"] for item in second.json["items"]] == ["A0"]
    assert first.json["items"][0]["archived_at"]


def test_an_archived_incident_is_found_by_its_id(client, archived):
    """It is whole, and says since when it is archived."""
    found = client.get(f"{LIST}/{archived}")

    assert found.json["diagnostic_report"] == REPORT
    assert found.json["archived_at"] > found.json["updated_at"]
    assert "Retry-After" not in found.headers


def test_a_poll_learns_that_an_incident_was_archived(client, store):
    """Its ETag moves once, and then no more."""
    where = f"{LIST}/{over(store)}"
    live = client.get(where)

    store.archive_incidents(1, 10)

    moved = client.get(where, headers={"If-None-Match": live.headers["ETag"]})
    again = client.get(where, headers={"If-None-Match": moved.headers["ETag"]})
    assert live.json["archived_at"] is None
    assert (moved.status_code, again.status_code) == (200, 304)


def test_an_archived_incident_can_be_deleted(client, archived):
    """Once."""
    answers = [client.delete(f"{LIST}/{archived}").status_code for _ in range(2)]

    assert answers == [200, 404]


def test_retry_of_an_archived_incident_is_a_409(client, nudges, archived):
    """The problem says why, and nothing runs."""
    answer = client.post(f"{LIST}/{archived}/retry")

    assert answer.status_code == 409
    assert "was archived at" in answer.json["detail"]
    assert nudges.count == 0


@pytest.mark.parametrize("query", ["archived=maybe", "archived="])
def test_a_wrong_choice_of_archive_names_its_field(client, query):
    """It is true or false."""
    answer = client.get(f"{LIST}?{query}")

    assert answer.status_code == 422
    assert "archived" in answer.json["errors"]["query"]
