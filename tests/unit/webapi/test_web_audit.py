"""What people did, by REST."""

import pytest
from factories import group
from steps import completed, opened

from opssage.incident import Reject

AUDIT = "/api/v1/audit"
TOKENS = "/api/v1/tokens"


@pytest.fixture
def deeds(admin) -> None:
    """Three tokens made."""
    for name in ("a", "b", "c"):
        admin.post(TOKENS, json={"name": name, "scopes": ["read"]})


def names(answer) -> list[str]:
    """Return what the deeds were done to."""
    return [item["detail"]["name"] for item in answer.json["items"]]


def test_the_newest_comes_first_with_who_and_when(admin, deeds):
    """Each entry can be found in the log by its request."""
    request_id = "a-request"
    admin.post(TOKENS, json={"name": "d", "scopes": ["read"]}, headers={"X-Request-ID": request_id})

    answer = admin.get(AUDIT)

    assert names(answer) == ["d", "c", "b", "a"]
    newest = answer.json["items"][0]
    assert (newest["actor"], newest["action"]) == ("default", "token.create")
    assert newest["request_id"] == request_id
    assert newest["at"].endswith("Z")


def test_pages_follow_each_other(admin, deeds):
    """The Link of a page leads to the next, with the same filters."""
    first = admin.get(AUDIT, query_string={"limit": 2, "actor": "default"})
    assert first.headers["Link"].endswith('; rel="next"')

    second = admin.get(first.headers["Link"].split(">")[0][1:])

    assert names(first) + names(second) == ["c", "b", "a"]
    assert second.json["next_cursor"] is None
    assert "Link" not in second.headers


@pytest.mark.parametrize(
    ("query", "found"),
    [({"action": "token.create"}, 3), ({"action": "delete"}, 0), ({"actor": "eve"}, 0)],
)
def test_filters_choose(admin, deeds, query, found):
    """By what was done, and who did it."""
    assert len(admin.get(AUDIT, query_string=query).json["items"]) == found


def test_one_target_can_be_followed(admin, deeds):
    """What was done to one thing, whatever it was."""
    token_id = admin.get(TOKENS).json["items"][0]["token_id"]
    admin.delete(f"{TOKENS}/{token_id}")

    items = admin.get(AUDIT, query_string={"target": token_id}).json["items"]

    assert [item["action"] for item in items] == ["token.revoke", "token.create"]


@pytest.mark.parametrize(
    "query", [{"cursor": "x"}, {"cursor": "0"}, {"actor": "a\0"}, {"limit": 0}, {"odd": 1}]
)
def test_a_wrong_query_is_a_422(admin, query):
    """A filter that is not understood must not list everything."""
    answer = admin.get(AUDIT, query_string=query)

    assert answer.status_code == 422
    assert set(answer.json["errors"]["query"]) == set(query)


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("POST", "/api/v1/incidents/{incident}/retry", "retry"),
        ("DELETE", "/api/v1/incidents/{incident}", "delete"),
        ("POST", "/api/v1/rejects/{reject}/ingest", "reject.ingest"),
        ("DELETE", "/api/v1/rejects/{reject}", "reject.delete"),
    ],
)
def test_what_people_do_by_rest_has_their_name(guarded, store, make_token, method, path, action):
    """That of their token."""
    incident_id = opened(store)
    completed(store, incident_id)
    store.create_incident(group(rejects=(Reject(index=0, reason="odd", raw="{}"),)))
    (reject,) = store.list_rejects()
    headers = {"X-API-Key": make_token("write", name="ann").text}
    corrected = {
        "status": "firing",
        "labels": {"alertname": "Down"},
        "startsAt": "2026-11-23T12:00:00Z",
    }

    answer = guarded.open(
        path.format(incident=incident_id, reject=reject.reject_id),
        method=method,
        json=corrected if action == "reject.ingest" else None,
        headers=headers,
    )

    assert answer.status_code < 300
    done = store.list_audit(limit=1)[0]
    assert (done.actor, done.action) == ("ann", action)
    assert done.request_id == answer.headers["X-Request-ID"]
