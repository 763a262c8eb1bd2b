"""How often one caller may read."""

from dataclasses import replace

import pytest

from opssage.settings import load
from webapi.app import create_app

INCIDENTS = "/api/v1/incidents"
LIMIT = 3


@pytest.fixture
def limited(store, nudges):
    """Makes a client of an app in which a minute brings few reads."""

    def make(limit: int = LIMIT, **environ: str):
        settings = load(environ=environ)
        settings = replace(settings, web=replace(settings.web, reads_per_minute=limit))
        return create_app(settings, store, nudges, {}).test_client()

    return make


def test_too_many_reads_are_a_429(limited):
    """It names the setting, and says when to come back."""
    client = limited()
    told = [client.get(INCIDENTS).status_code for _ in range(LIMIT)]

    answer = client.get(INCIDENTS)

    assert told == [200] * LIMIT
    assert (answer.status_code, answer.mimetype) == (429, "application/problem+json")
    assert "web.reads_per_minute" in answer.json["detail"]
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.headers["X-RateLimit-Limit"] == str(LIMIT)
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert int(answer.headers["X-RateLimit-Reset"]) > 0


@pytest.mark.parametrize("environ", [{}, {"OPSSAGE_TOKEN": "sesame-0123456789"}])
def test_alerts_are_never_limited(limited, environ):
    """A refused alert may be lost; neither are the routes that machines ask all day."""
    client = limited(1, **environ)
    headers = {"Authorization": "Bearer sesame-0123456789"}

    told = {
        client.post(
            "/api/v1/alerts", json={"alert_name": "A", "labels": {"n": str(n)}}, headers=headers
        ).status_code
        for n in range(60)
    }

    assert told == {202}
    assert {client.get("/livez").status_code for _ in range(5)} == {200}
    assert {client.get("/metrics").status_code for _ in range(5)} == {200}


def test_no_alert_is_even_counted(limited):
    """After any number of them all reads are left."""
    client = limited()
    for _ in range(LIMIT * 2):
        client.post("/api/v1/alerts", json={"alert_name": "A"})

    assert [client.get(INCIDENTS).status_code for _ in range(LIMIT)] == [200] * LIMIT


def test_each_token_has_its_own_limit(limited, make_token):
    """Several people may sit behind one address."""
    client = limited(OPSSAGE_AUTH_MODE="token")
    first, second = make_token("read"), make_token("read")

    told = [
        client.get(INCIDENTS, headers={"X-API-Key": token.text}).status_code
        for token in (*[first] * (LIMIT + 1), second)
    ]

    assert told == [*[200] * LIMIT, 429, 200]


def test_wrong_tokens_count_for_their_address(limited, make_token):
    """Trying many costs whoever tries, and nobody who has one."""
    client = limited(OPSSAGE_AUTH_MODE="token")
    told = [
        client.get(INCIDENTS, headers={"X-API-Key": f"wrong {n}"}).status_code
        for n in range(LIMIT + 1)
    ]

    assert told == [*[401] * LIMIT, 429]
    good = {"X-API-Key": make_token("read").text}
    assert client.get(INCIDENTS, headers=good).status_code == 200


def test_the_configured_token_has_its_own_limit(limited):
    """What others of its address read, or try to, is not its."""
    client = limited(OPSSAGE_TOKEN="sesame-0123456789")
    for _ in range(LIMIT + 1):
        client.get(INCIDENTS)

    answer = client.get(INCIDENTS, headers={"X-API-Key": "sesame-0123456789"})

    assert answer.status_code == 200


def test_sessions_share_the_limit_of_their_token(limited, make_token):
    """Logging in again brings nothing."""
    client = limited(OPSSAGE_AUTH_MODE="token")
    token = make_token("read").text
    told = []

    for _ in range(LIMIT + 1):
        client.post("/login", data={"token": token})
        told.append(client.get(INCIDENTS).status_code)

    assert told == [*[200] * LIMIT, 429]


def test_the_login_is_not_limited(limited):
    """Whoever was refused for want of a token gets the form to send one."""
    client = limited(OPSSAGE_AUTH_MODE="token")
    for _ in range(LIMIT + 1):
        client.get(INCIDENTS)

    assert client.get("/login").status_code == 200


def test_each_address_has_its_own_limit(limited):
    """Without tokens that is all that tells callers apart."""
    client = limited()
    for _ in range(LIMIT + 1):
        client.get(INCIDENTS)

    answer = client.get(INCIDENTS, environ_base={"REMOTE_ADDR": "10.0.0.9"})

    assert answer.status_code == 200


def test_zero_is_no_limit(limited):
    """As the setting says."""
    client = limited(0)

    assert {client.get(INCIDENTS).status_code for _ in range(50)} == {200}
