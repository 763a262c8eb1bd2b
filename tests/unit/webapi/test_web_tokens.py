"""Tokens made, listed and revoked by REST."""

import pytest

TOKENS = "/api/v1/tokens"


def made(admin, **body: object) -> dict:
    """Make a token and return the answer."""
    answer = admin.post(TOKENS, json={"name": "alertmanager", "scopes": ["ingest"], **body})
    assert answer.status_code == 201
    return answer.json


def test_a_token_is_shown_once(admin):
    """Whoever lists it later learns neither the secret nor its hash."""
    answer = admin.post(TOKENS, json={"name": "alertmanager", "scopes": ["ingest"]})

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["token"].startswith(f"ops_{answer.json['token_id']}_")
    (item,) = admin.get(TOKENS).json["items"]
    assert set(item) == {
        *("token_id", "name", "scopes", "created_at", "created_by"),
        *("expires_at", "last_used_at", "revoked_at"),
    }


def test_a_token_made_by_rest_opens(guarded, admin):
    """With the scopes it was given, and no other."""
    body = {"name": "ann", "scopes": ["write", "ingest"]}
    token = admin.post(TOKENS, json=body).json
    headers = {"X-API-Key": token["token"]}

    assert token["scopes"] == ["ingest", "write"]
    assert guarded.get("/api/v1/incidents", headers=headers).status_code == 200
    assert guarded.get(TOKENS, headers=headers).status_code == 403


def test_several_may_have_one_name(admin):
    """So that a sender can change to the next: both are good meanwhile."""
    first, second = made(admin), made(admin)

    items = admin.get(TOKENS).json["items"]
    assert {item["token_id"] for item in items} == {first["token_id"], second["token_id"]}
    assert {item["name"] for item in items} == {"alertmanager"}


def test_a_token_may_end_by_itself(admin):
    """So many seconds from now, or not at all."""
    assert made(admin, expires_seconds=3600)["expires_at"]
    assert made(admin, expires_seconds=None)["expires_at"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": " a"},
        {"name": "a\n"},
        {"name": "a\u2028b"},
        {"name": "a\u202eb"},
        {"name": "x" * 129},
        {"name": 7},
        {"scopes": []},
        {"scopes": ["root"]},
        {"expires_seconds": 0},
        {"expires_seconds": "60"},
        {"expires_seconds": True},
        {"expires_seconds": 10**12},
        {"expires_at": "2027-01-01T00:00:00Z"},
    ],
)
def test_a_wrong_body_is_a_422(admin, body):
    """Each field at fault is named, unknown ones too."""
    answer = admin.post(TOKENS, json={"name": "a", "scopes": ["read"], **body})

    assert answer.status_code == 422
    assert set(answer.json["errors"]["json"]) == set(body)


def test_a_key_that_comes_twice_is_a_400(admin):
    """As at every other door; parsers differ in which of the two they take."""
    raw = '{"name": "a", "scopes": ["read"], "scopes": ["admin"]}'

    answer = admin.post(TOKENS, data=raw, content_type="application/json")

    assert answer.status_code == 400
    assert "'scopes' comes twice" in answer.json["detail"]


def test_a_revoked_token_opens_no_more(guarded, admin):
    """At once here; it stays in the list, with the time."""
    token = made(admin, scopes=["admin"])
    own = {"Authorization": f"Bearer {token['token']}"}

    # with itself, as whoever has lost it to somebody else would
    answer = guarded.delete(f"{TOKENS}/{token['token_id']}", headers=own)

    assert answer.json == {"status": "revoked", "token_id": token["token_id"]}
    assert guarded.get(TOKENS, headers=own).status_code == 401
    (item,) = admin.get(TOKENS).json["items"]
    assert item["revoked_at"]


@pytest.mark.parametrize("token_id", ["00000000", "short", "%00%00%00%00%00%00%00%00", "x" * 90])
def test_revoking_what_is_not_there_is_a_404(admin, token_id):
    """The id is not repeated: somebody may have sent the whole token."""
    answer = admin.delete(f"{TOKENS}/{token_id}")

    assert answer.status_code == 404
    assert token_id not in answer.json["detail"]


def test_revoking_twice_is_a_404(admin):
    """The first time counts."""
    token_id = made(admin)["token_id"]
    admin.delete(f"{TOKENS}/{token_id}")

    assert admin.delete(f"{TOKENS}/{token_id}").status_code == 404


def test_in_mode_open_no_token_is_made_or_revoked(client, store, make_token):
    """What anybody may do must not outlive the mode; the answer says what to do instead."""
    kept = make_token("read")

    answers = [
        client.post(TOKENS, json={"name": "a", "scopes": ["admin"]}),
        client.delete(f"{TOKENS}/{kept.token_id}"),
    ]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert all("`opssage token`" in answer.json["detail"] for answer in answers)
    assert store.list_tokens() == [kept.kept]
    assert client.get(TOKENS).status_code == 200
