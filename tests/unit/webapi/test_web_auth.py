"""Who may come in, by which token, and what those are told who may not."""

import io
import logging
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
import yaml

from opssage import log
from opssage.access import Actor, Scope
from opssage.errors import StoreUnavailableError
from opssage.settings import LoggingSettings, load
from webapi.app import create_app
from webapi.auth import PUBLIC, scope_of

PROBLEM = "application/problem+json"
INCIDENTS = "/api/v1/incidents"
ALERTS = "/api/v1/alerts"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

SCOPES = {
    ("GET", "/"): "read",
    ("GET", "/api/docs"): "read",
    ("GET", "/api/docs/assets/<path:name>"): "read",
    ("GET", "/api/openapi.json"): "read",
    ("POST", "/api/v1/alerts"): "ingest",
    ("POST", "/api/v1/webhooks/alertmanager"): "ingest",
    ("POST", "/api/v1/webhooks/grafana"): "ingest",
    ("PUT", "/api/v1/webhooks/grafana"): "ingest",
    ("POST", "/api/v2/alerts"): "ingest",
    ("GET", "/api/v1/incidents"): "read",
    ("GET", "/api/v1/incidents/<uuid:incident_id>"): "read",
    ("DELETE", "/api/v1/incidents/<uuid:incident_id>"): "write",
    ("POST", "/api/v1/incidents/<uuid:incident_id>/retry"): "write",
    ("PUT", "/api/v1/incidents/<uuid:incident_id>/ack"): "write",
    ("DELETE", "/api/v1/incidents/<uuid:incident_id>/ack"): "write",
    ("GET", "/api/v1/incidents/<uuid:incident_id>/feedback"): "read",
    ("POST", "/api/v1/incidents/<uuid:incident_id>/feedback"): "write",
    ("GET", "/api/v1/incidents/<uuid:incident_id>/alerts"): "read",
    ("GET", "/api/v1/incidents/<uuid:incident_id>/timeline"): "read",
    ("GET", "/api/v1/incidents/<uuid:incident_id>/evidence"): "read",
    ("GET", "/api/v1/incidents/<uuid:incident_id>/evidence/<string:evidence_id>"): "read",
    ("GET", "/api/v1/incidents/<uuid:incident_id>/similar"): "read",
    ("GET", "/api/v1/alerts"): "read",
    ("GET", "/api/v1/rejects"): "read",
    ("GET", "/api/v1/rejects/<id>"): "read",
    ("DELETE", "/api/v1/rejects/<id>"): "write",
    ("POST", "/api/v1/rejects/<id>/ingest"): "write",
    ("GET", "/api/v1/tokens"): "admin",
    ("POST", "/api/v1/tokens"): "admin",
    ("DELETE", "/api/v1/tokens/<token_id>"): "admin",
    ("GET", "/api/v1/audit"): "admin",
    ("GET", "/livez"): "public",
    ("GET", "/readyz"): "public",
    ("GET", "/metrics"): "public",
    ("GET", "/login"): "public",
    ("POST", "/login"): "public",
    ("GET", "/login.css"): "public",
    ("POST", "/logout"): "public",
}
"""Every route there is. A new one has to say here who may use it."""


def test_every_route_has_its_scope(app):
    """None is forgotten, and none asks for less than it should."""
    found = {
        (method, re.sub(r"<int.*>", "<id>", rule.rule)): (
            "public" if rule.rule in PUBLIC else str(scope_of(app, rule.endpoint))
        )
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }

    assert found == SCOPES


def test_an_unmarked_route_is_the_admins(guarded_app, make_token):
    """Who forgets to mark a view opens it to nobody else."""
    guarded_app.add_url_rule("/forgotten", view_func=lambda: "secret", endpoint="forgotten")
    client = guarded_app.test_client()

    told = [
        client.get("/forgotten", headers=bearer(make_token(scope))).status_code for scope in Scope
    ]

    assert dict(zip(Scope, told, strict=True)) == {
        Scope.INGEST: 403,
        Scope.READ: 403,
        Scope.WRITE: 403,
        Scope.ADMIN: 200,
    }


def bearer(token) -> dict[str, str]:
    """Return the header that most clients send."""
    return {"Authorization": f"Bearer {token if isinstance(token, str) else token.text}"}


def sent(way: str, text: str) -> dict:
    """Return how a token is sent."""
    return {
        "bearer": {"headers": {"Authorization": f"Bearer {text}"}},
        "other scheme": {"headers": {"Authorization": f"Token  {text}"}},
        "no scheme": {"headers": {"Authorization": text}},
        "basic": {"auth": ("whoever", text)},
        "header": {"headers": {"X-API-Key": text}},
        "query": {"query_string": {"token": text}},
        "cookie": {"headers": {"Cookie": f"opssage_session={text}"}},
    }[way]


@pytest.mark.parametrize("way", ["bearer", "other scheme", "no scheme", "basic", "header"])
@pytest.mark.parametrize("kind", ["stored", "configured"])
def test_a_token_opens_however_a_sender_can_send_it(guarded, make_token, way, kind):
    """Alertmanager sends Bearer, any other scheme and Basic; newer ones a header of their own."""
    text = make_token("read").text if kind == "stored" else "s3cret"

    assert guarded.get(INCIDENTS, **sent(way, text)).status_code == 200


@pytest.mark.parametrize("way", ["query", "cookie"])
def test_a_token_does_not_open_by_address_or_cookie(guarded, make_token, way):
    """Addresses end up in logs, and a cookie is sent by pages of others too."""
    assert guarded.get(INCIDENTS, **sent(way, make_token("read").text)).status_code == 401


def test_the_first_token_that_is_right_counts(guarded, make_token):
    """A proxy may ask for a password of its own in front of us."""
    headers = {"X-API-Key": make_token("read").text}

    assert guarded.get(INCIDENTS, headers=headers, auth=("proxy", "x")).status_code == 200


def test_without_a_token_everything_but_health_is_a_401(guarded):
    """Nothing that tells of incidents is public, not even whether an address exists."""
    answer = guarded.get(INCIDENTS)

    assert (answer.status_code, answer.mimetype) == (401, PROBLEM)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "no token was sent" in answer.json["detail"]
    assert guarded.get("/nowhere").status_code == 401
    assert guarded.get("/livez").status_code == 200


@pytest.mark.parametrize("given", ["Bearer wrong", "Bearer ", "Basic !!!", "Odd", "Bearer a=b"])
def test_a_wrong_token_is_a_401(guarded, given):
    """Whatever it looks like."""
    answer = guarded.get(INCIDENTS, headers={"Authorization": given})

    assert answer.status_code == 401


def test_an_unknown_or_revoked_token_is_told(guarded, store, make_token):
    """By where it was found; which of the two it is stays untold."""
    made = make_token("ingest")
    store.revoke_token(made.token_id, by=Actor(name="test"))

    answer = guarded.post(ALERTS, json={}, auth=("alertmanager", made.text))

    assert answer.status_code == 401
    assert answer.json["detail"].startswith(
        "the token in Authorization: Basic is not known here, or was revoked; "
    )


def test_an_expired_token_is_told(guarded, make_token):
    """It has to be replaced, not corrected."""
    made = make_token("ingest", seconds=60)

    with time_machine.travel(made.kept.expires_at + timedelta(seconds=1)):
        answer = guarded.post(ALERTS, json={}, headers=bearer(made))

    assert answer.status_code == 401
    assert "the token in Authorization has expired" in answer.json["detail"]


@pytest.mark.parametrize("held", [None, "read"])
def test_a_refused_sender_is_told_how_to_mend_the_receiver(guarded, make_token, held):
    """Alertmanager logs the answer: it has the command, and YAML to paste, in one line."""
    headers = bearer(make_token(held)) if held else {}

    detail = guarded.post(ALERTS, json={}, headers=headers).json["detail"]

    command, *blocks = re.findall("`(.+?)`", detail)
    assert command == "opssage token create --name alertmanager --scope ingest"
    authorization, basic = (yaml.safe_load(block)["http_config"] for block in blocks)
    assert set(authorization["authorization"]) == {"credentials_file"}
    assert set(basic["basic_auth"]) == {"username", "password_file"}


def test_a_token_without_the_scope_is_a_403(guarded, make_token):
    """An ingest token reads nothing; the answer names its owner, what it has and what it lacks."""
    token = make_token("ingest", name="alertmanager")

    answer = guarded.get(INCIDENTS, headers=bearer(token))

    assert (answer.status_code, answer.mimetype) == (403, PROBLEM)
    assert answer.json["detail"].startswith(
        "the token of alertmanager has the scope ingest, and this asks for read; "
        "make one with `opssage token create --name NAME --scope read`"
    )


def test_with_any_token_a_missing_route_is_a_404(guarded, make_token):
    """And a wrong method a 405: there is nothing to hide from who may come in."""
    headers = bearer(make_token("ingest"))

    assert guarded.get("/nowhere", headers=headers).status_code == 404
    assert guarded.patch(INCIDENTS, headers=headers).status_code == 405


class Away:
    """A store whose database is gone."""

    def __getattr__(self, _):
        def verb(*_, **__):
            raise StoreUnavailableError

        return verb


@pytest.mark.parametrize("mode", ["open", "token"])
def test_a_database_that_is_away_is_a_503(nudges, make_token, mode):
    """Nobody can tell then whether a token is right, and after a 401 Alertmanager gives up."""
    settings = load(environ={"OPSSAGE_AUTH_MODE": mode})
    client = create_app(settings, Away(), nudges, {}).test_client()

    answer = client.post(ALERTS, json={"alert_name": "A"}, headers=bearer(make_token("ingest")))

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert client.get("/livez", headers=bearer("ops_x")).status_code == 200


@pytest.mark.parametrize("given", ["wrong", "ops_00000000_" + "0" * 64])
def test_in_mode_open_a_wrong_token_is_ignored(client, given):
    """Nobody asked for one, so no alert is lost over it."""
    answer = client.post(ALERTS, json={"alert_name": "A"}, headers=bearer(given))

    assert answer.status_code == 202


def test_in_mode_open_a_token_names_the_sender(client, make_token):
    """It is not needed, and takes nothing away either."""
    token = make_token("ingest", name="alertmanager")

    client.post(ALERTS, json={"alert_name": "A"}, headers=bearer(token))

    (incident,) = client.get(INCIDENTS, headers=bearer(token)).json["items"]
    assert incident["sender"] == "alertmanager"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """All that is logged, at any level."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    stream = io.StringIO()
    log.configure(LoggingSettings(level="debug", format="json"), stream)
    yield stream
    root.handlers, root.level = before


def test_the_log_names_the_caller(guarded, make_token, lines):
    """Each request's line says whose token it came with."""
    guarded.get(INCIDENTS, headers=bearer(make_token("read", name="ann")))
    guarded.get(INCIDENTS)

    assert re.findall('"caller": "(.*?)"', lines.getvalue()) == ["ann", "anonymous"]


WAYS = ("bearer", "other scheme", "no scheme", "basic", "header", "query", "cookie")


@pytest.mark.parametrize("mode", ["open", "token"])
@pytest.mark.parametrize("state", ["good", "revoked", "cut off"])
def test_no_token_is_logged_or_answered(store, nudges, make_token, lines, mode, state):
    """However it comes, whatever becomes of the request, right or wrong."""
    made = make_token("ingest")
    if state == "revoked":
        store.revoke_token(made.token_id, by=Actor(name="test"))
    text = made.text[:-1] if state == "cut off" else made.text
    client = create_app(load(environ={"OPSSAGE_AUTH_MODE": mode}), store, nudges, {}).test_client()
    asked = [
        *(("GET", INCIDENTS), ("POST", ALERTS), ("PATCH", ALERTS), ("GET", "/nowhere")),
        *(("GET", f"/nowhere/{text}"), ("DELETE", f"/api/v1/tokens/{text}")),
        *(("GET", "/"), ("GET", "/login"), ("POST", "/login"), ("POST", "/logout")),
    ]

    answers = [
        client.open(path, method=method, **sent(way, text))
        for way in WAYS
        for method, path in asked
    ]

    told = "".join(f"{answer.headers}{answer.get_data(as_text=True)}" for answer in answers)
    secret = text.rpartition("_")[2]
    assert secret not in told
    assert secret not in lines.getvalue()
    assert lines.getvalue().count('"event": "request"') == len(answers)


def test_a_browser_is_led_to_the_login(guarded):
    """And from there back to where it wanted to go."""
    answer = guarded.get(f"{INCIDENTS}?status=failed", headers=HTML)

    assert answer.status_code == 302
    assert answer.headers["Location"] == "/login?next=%2Fapi%2Fv1%2Fincidents%3Fstatus%3Dfailed"


@pytest.mark.parametrize(
    "given", [{}, {"Accept": "*/*"}, {**HTML, "Authorization": "Bearer wrong"}]
)
def test_a_program_is_not_led_to_the_login(guarded, given):
    """It would take the form for an answer."""
    assert guarded.get("/", headers=given).status_code == 401


def test_the_documentation_tells_how_to_send_a_token(guarded):
    """In token mode its page offers all ways."""
    document = guarded.get("/api/openapi.json", headers=bearer("s3cret")).json

    schemes = [name for scheme in document["security"] for name in scheme]
    assert schemes == list(document["components"]["securitySchemes"])
    assert schemes[0] == "token"


ORIGINS = [
    ({"Origin": "http://localhost"}, 202),
    ({"Origin": "http://evil"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://["}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 202),
]


@pytest.mark.parametrize(("headers", "status"), ORIGINS)
def test_pages_of_other_sites_cannot_write(client, headers, status):
    """In open mode a browser on this machine is no way in."""
    answer = client.post(ALERTS, json={"alert_name": "A"}, headers=headers)

    assert answer.status_code == status


@pytest.mark.parametrize(("headers", "status"), ORIGINS)
def test_pages_of_other_sites_cannot_use_a_kept_password(guarded, headers, status):
    """A browser sends it by itself, as it does cookies."""
    answer = guarded.post(ALERTS, json={"alert_name": "A"}, headers=headers, auth=("a", "s3cret"))

    assert answer.status_code == status


def test_our_own_page_may_write_behind_a_proxy(store, nudges):
    """There the browser knows us by web.public_url, and we see another name."""
    settings = load(environ={"OPSSAGE_PUBLIC_URL": "https://opssage.example.com"})
    client = create_app(settings, store, nudges, {}).test_client()
    headers = {"Origin": "https://opssage.example.com"}

    assert client.post(ALERTS, json={"alert_name": "A"}, headers=headers).status_code == 202


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("127.0.0.1", 200),
        ("[::1]:9", 200),
        ("opssage.example.com", 200),
        ("evil.example.com:8000", 421),
        ("localhost.evil.example.com", 421),
        ("", 421),
    ],
)
def test_an_open_api_answers_only_under_its_own_names(store, nudges, host, status):
    """A page may give its name this machine's address; then its name gives it away."""
    settings = load(environ={"OPSSAGE_PUBLIC_URL": "https://opssage.example.com"})
    client = create_app(settings, store, nudges, {}).test_client()

    answer = client.get(INCIDENTS, headers={"Host": host})

    assert answer.status_code == status
    assert client.get("/livez", headers={"Host": host}).status_code == 200
    if status == 421:
        assert "web.public_url" in answer.json["detail"]


@pytest.mark.parametrize(
    "environ",
    [{"OPSSAGE_AUTH_MODE": "token"}, {"OPSSAGE_AUTH_MODE": "open", "OPSSAGE_HOST": "0.0.0.0"}],
)
def test_other_names_are_fine_where_others_may_call(store, nudges, environ):
    """A service has the names that its network gives it."""
    client = create_app(load(environ=environ), store, nudges, {}).test_client()

    assert client.get(INCIDENTS, headers={"Host": "opssage:8000"}).status_code != 421
