"""Reading incidents, polling them, and what a person may do to one."""

import pytest
from factories import REPORT, alert, group

from opssage.incident import Stage

LIST = "/api/v1/incidents"


def opened(store, *alerts, **envelope) -> str:
    """Store a group and return its incident's id."""
    (touched,) = store.create_incident(group(*alerts, **envelope)).incidents
    return str(touched.incident_id)


def advance(store, incident_id: str, stage: Stage, document: dict) -> None:
    """Commit a stage."""
    claim = store.claim(
        incident_id, stage, owner="w", task_id="t", lease_seconds=20, max_attempts=5
    )
    verbs = {
        Stage.COLLECT: store.update_primary_context,
        Stage.ENRICH: store.update_enhanced_context,
        Stage.DIAGNOSE: store.update_diagnostic_report,
    }
    verbs[stage](claim.incident.incident_id, claim.epoch, document)


def complete(store, incident_id) -> None:
    """Commit all stages."""
    for stage, document in zip(Stage, ({}, {}, REPORT), strict=True):
        advance(store, incident_id, stage, document)


@pytest.fixture
def incident_id(store):
    """One pending incident."""
    from uuid import UUID

    return UUID(opened(store))


def test_an_incident_shows_its_documents(client, store, incident_id):
    """Each document is null until its stage has run."""
    before = client.get(f"{LIST}/{incident_id}").json
    complete(store, incident_id)

    after = client.get(f"{LIST}/{incident_id}").json

    assert (before["status"], before["diagnostic_report"]) == ("pending", None)
    assert (after["status"], after["diagnostic_report"]) == ("completed", REPORT)
    assert after["root_cause"] == REPORT["root_cause"]


def test_a_poll_of_an_unchanged_incident_is_a_304(client, store, incident_id):
    """The ETag moves with the incident, and only then is it sent again."""
    etag = client.get(f"{LIST}/{incident_id}").headers["ETag"]
    unchanged = client.get(f"{LIST}/{incident_id}", headers={"If-None-Match": etag})

    advance(store, incident_id, Stage.COLLECT, {})
    changed = client.get(f"{LIST}/{incident_id}", headers={"If-None-Match": etag})

    assert (unchanged.status_code, unchanged.data) == (304, b"")
    assert changed.status_code == 200
    assert not etag.startswith("W/")


def test_a_running_incident_says_when_to_poll_again(client, store, incident_id):
    """Retry-After ends with the work."""
    assert client.get(f"{LIST}/{incident_id}").headers["Retry-After"] == "2"

    complete(store, incident_id)

    assert "Retry-After" not in client.get(f"{LIST}/{incident_id}").headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/retry"),
        ("PUT", "/ack"),
        ("DELETE", "/ack"),
        ("GET", "/feedback"),
        ("GET", "/alerts"),
        ("GET", "/timeline"),
        ("GET", "/evidence"),
        ("GET", "/evidence/E1"),
        ("GET", "/similar"),
    ],
)
@pytest.mark.parametrize("unknown", ["019a0000-0000-7000-8000-0000000000ff", "not-an-id"])
def test_an_unknown_incident_is_a_404(client, method, path, unknown):
    """The problem names what was asked for."""
    answer = client.open(f"{LIST}/{unknown}{path}", method=method)

    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert unknown in answer.json["instance"]


def test_the_list_pages_by_cursor(client, store):
    """`Link` and `next_cursor` lead to the end, and keep the filters."""
    for number in range(3):
        opened(store, alert(f"A{number}"), key=str(number))
    first = client.get(LIST, query_string={"limit": 2, "severity": "warning"})

    second = client.get(first.headers["Link"].split(">")[0][1:])

    assert [item["alert_name"] for item in first.json["items"]] == ["A2", "A1"]
    assert [item["alert_name"] for item in second.json["items"]] == ["A0"]
    assert second.json["next_cursor"] is None
    assert "severity=warning" in first.headers["Link"]


def test_repeated_filters_mean_any_of_them(client, store):
    """`severity=critical&severity=warning` lists both."""
    opened(store, alert("A", severity="critical"), key="a")
    opened(store, alert("B"), key="b")
    opened(store, alert("C", severity="info"), key="c")

    found = client.get(f"{LIST}?severity=critical&severity=warning").json["items"]

    assert {item["alert_name"] for item in found} == {"A", "B"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("created_after=noon", "created_after"),
        ("cursor=%21%21", "cursor"),
        ("cursor=bm9uc2Vuc2U", "cursor"),
        ("severty=critical", "severty"),
        ("sort=severity", "sort"),
        ("open=perhaps", "open"),
        ("include=everything", "include"),
        ("updated_since=now", "updated_since"),
        (f"q={'x' * 201}", "q"),
        ("service=%00", "service"),
        ("created_after=0001-01-01T00:00:00%2B14:00", "created_after"),
        ("created_before=9999-12-31T23:59:59-14:00", "created_before"),
        (
            "cursor=MDAwMS0wMS0wMVQwMDowMDowMCsxMDowMCAwMWEyMDZmNC04OGRhLTc1MjUtYTlkNC03MTJhNzljZjMzZWI",
            "cursor",
        ),
    ],
)
def test_a_wrong_query_names_its_field(client, query, field):
    """A filter that would silently list everything is refused."""
    answer = client.get(f"{LIST}?{query}")

    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert field in answer.json["errors"]["query"]
    assert answer.json["detail"].startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("severty=2", "severty: Unknown; there are acked, alert_name, archived,"),
        (
            "updated_since=2026-11-23T12:00:00+01:00",
            "updated_since: Not a time like 2026-11-23T12:00:00Z; in a URL a + is written %2B.",
        ),
        ("include=a&include=b", "include: Must be one of: facets."),
    ],
)
def test_a_wrong_query_says_how_to_write_it(client, query, detail):
    """Where everybody looks first, and once when several values are wrong in the same way."""
    told = client.get(f"{LIST}?{query}").json["detail"]

    assert told.startswith(detail)
    assert told.count("Must be") <= 1


def test_deleting_answers_what_was_deleted(client, incident_id):
    """The first DELETE says so, the second finds nothing."""
    answer = client.delete(f"{LIST}/{incident_id}")

    assert answer.json == {"status": "deleted", "incident_id": str(incident_id)}
    assert client.delete(f"{LIST}/{incident_id}").status_code == 404


def test_retry_runs_a_completed_incident_anew(client, store, nudges, incident_id):
    """A new revision starts, and the publisher hears of it."""
    complete(store, incident_id)

    answer = client.post(f"{LIST}/{incident_id}/retry")

    assert answer.status_code == 202
    assert (answer.json["status"], answer.json["revision"]) == ("pending", 2)
    assert nudges.count == 1


def test_retry_of_a_running_incident_is_a_409(client, incident_id):
    """There is nothing to repeat yet."""
    assert client.post(f"{LIST}/{incident_id}/retry").status_code == 409


def names(answer) -> list[str]:
    """Return what the incidents of a page are named after."""
    return [item["alert_name"] for item in answer.json["items"]]


def test_the_list_has_the_order_that_is_asked_for(client, store):
    """Its pages keep it, and `Link` names it."""
    first = opened(store, alert("A"), key="a")
    opened(store, alert("B"), key="b")
    complete(store, first)

    page = client.get(f"{LIST}?sort=updated_at&limit=1")

    assert names(page) == ["B"]
    assert "sort=updated_at" in page.headers["Link"]
    assert names(client.get(page.headers["Link"].split(">")[0][1:])) == ["A"]
    assert names(client.get(f"{LIST}?cursor={page.json['next_cursor']}")) == ["A"]


def test_a_cursor_of_another_order_is_a_409(client, store):
    """Going on with it would leave incidents out."""
    for name in ("A", "B"):
        opened(store, alert(name), key=name)
    cursor = client.get(f"{LIST}?limit=1").json["next_cursor"]

    answer = client.get(f"{LIST}?sort=updated_at&cursor={cursor}")

    assert answer.status_code == 409
    assert "-created_at" in answer.json["detail"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=disk", ["DiskSlow", "DiskFull"]),
        ("q=disk+full", ["DiskFull"]),
        ("q=diskf&severity=critical", ["DiskFull"]),
        ("q=nothing", []),
        ("q=%00--", []),
        ("q=", ["DiskSlow", "DiskFull"]),
        ("open=true", ["DiskSlow", "DiskFull"]),
        ("open=false", []),
        ("acked=true", []),
        ("acked=false&sender=default", ["DiskSlow", "DiskFull"]),
        ("sender=other", []),
        ("updated_since=2020-01-01T00:00:00Z&sort=created_at", ["DiskFull", "DiskSlow"]),
        ("updated_since=2120-01-01T00:00:00Z", []),
    ],
)
def test_the_list_is_searched_and_filtered(client, store, query, found):
    """By words, and by what became of an incident."""
    opened(store, alert("DiskFull", severity="critical"), key="a")
    opened(store, alert("DiskSlow"), key="b")

    assert names(client.get(f"{LIST}?{query}")) == found


def test_a_search_is_paged(client, store):
    """By cursor, as any list."""
    for number in range(3):
        opened(store, alert(f"Disk{number}"), key=str(number))
    page = client.get(f"{LIST}?q=disk&limit=2")

    assert names(page) == ["Disk2", "Disk1"]
    assert names(client.get(page.headers["Link"].split(">")[0][1:])) == ["Disk0"]


def test_facets_come_when_they_are_asked_for(client, store):
    """With all their values, whatever is chosen; without a search they say so too."""
    opened(store, alert("A", severity="critical"), key="a")
    opened(store, alert("B"), key="b")

    told = client.get(f"{LIST}?include=facets&severity=critical&limit=1").json

    assert told["facets"]["severity"] == [
        {"value": "critical", "count": 1},
        {"value": "warning", "count": 1},
    ]
    assert told["facets"]["open"] == [{"value": True, "count": 1}]
    assert (told["facets"]["service"], told["capped"]) == ([], False)
    assert "facets" not in client.get(LIST).json


def test_facets_of_a_search_for_no_word_are_empty(client, store):
    """Where nothing is found, there is nothing to choose from."""
    opened(store)

    told = client.get(f"{LIST}?include=facets&q=--").json

    assert not any(told["facets"].values())


def test_a_poller_misses_nothing_and_learns_where_to_go_on(client, store):
    """`sort=updated_at` and `updated_since` the latest change it saw."""
    first = opened(store, alert("A"), key="a")
    opened(store, alert("B"), key="b")
    seen = client.get(f"{LIST}?sort=updated_at").json["items"]

    complete(store, first)
    query = {"sort": "updated_at", "updated_since": seen[-1]["updated_at"]}
    changed = client.get(LIST, query_string=query)

    assert (names(changed), changed.json["items"][-1]["status"]) == (["B", "A"], "completed")


def test_an_incident_shows_who_looks_after_it_and_how_often_it_came_back(client, incident_id):
    """In the list too."""
    (item,) = client.get(LIST).json["items"]
    one = client.get(f"{LIST}/{incident_id}").json

    for shown in (item, one):
        assert (shown["acked_at"], shown["acked_by"]) == (None, None)
        assert (shown["flap_count"], shown["flapping"]) == (0, False)
