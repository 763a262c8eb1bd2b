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
WEBHOOK = "/api/v1/webhooks/alertmanager"
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
    ("POST", "/api/v1/changes"): "ingest",
    ("GET", "/api/v1/changes"): "read",
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
    ("GET", "/api/v1/incidents/<uuid:incident_id>/links"): "read",
    ("GET", "/api/v1/topology"): "read",
    ("GET", "/api/v1/knowledge/priors"): "read",
    ("GET", "/api/v1/incidents/<uuid:incident_id>/bundle"): "read",
    ("GET", "/api/v1/alerts"): "read",
    ("GET", "/api/v1/documents"): "read",
    ("POST", "/api/v1/documents"): "write",
    ("GET", "/api/v1/documents/<uuid:document_id>"): "read",
    ("PUT", "/api/v1/documents/<uuid:document_id>"): "write",
    ("DELETE", "/api/v1/documents/<uuid:document_id>"): "write",
    ("POST", "/api/v1/documents/search"): "read",
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
    text = make_token("read").text if kind == "stored" else "sesame-0123456789"

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


def test_an_unknown_token_is_told(guarded, make_token):
    """By where it was found; whose id it has is told to nobody without the secret."""
    made = make_token("ingest")

    answer = guarded.post(ALERTS, json={}, auth=("am", f"ops_{made.token_id}_{'0' * 64}"))

    assert answer.status_code == 401
    assert answer.json["detail"].startswith(
        "the token in Authorization: Basic is not known here; "
        "make one with `opssage token create --name NAME --scope ingest` (NAME is the sender"
    )


@pytest.mark.parametrize(("end", "told"), [("expiry", "has expired"), ("revoked", "was revoked")])
def test_a_token_that_ended_is_replaced_under_its_name(guarded, store, make_token, end, told):
    """Under another all that fires would be another sender's, and open a second time."""
    made = make_token("ingest", name="am of shop", seconds=60)
    if end == "revoked":
        store.revoke_token(made.token_id, by=Actor(name="test"))

    passed = timedelta(seconds=61 if end == "expiry" else 1)

    with time_machine.travel(made.kept.created_at + passed):
        answer = guarded.post(ALERTS, json={}, headers=bearer(made))

    assert answer.status_code == 401
    assert answer.json["detail"].startswith(
        f"the token in Authorization {told}; "
        "make one with `opssage token create --name 'am of shop' --scope ingest`; "
    )


@pytest.mark.parametrize("held", [None, "read"])
def test_a_refused_alertmanager_is_told_how_to_mend_its_receiver(guarded, make_token, held):
    """Alertmanager logs the answer: it has the command, and YAML to paste, in one line."""
    headers = bearer(make_token(held)) if held else {}

    detail = guarded.post(WEBHOOK, json={}, headers=headers).json["detail"]

    command, *blocks = re.findall("`(.+?)`", detail)
    assert command == "opssage token create --name NAME --scope ingest"
    authorization, basic = (yaml.safe_load(block)["http_config"] for block in blocks)
    assert set(authorization["authorization"]) == {"credentials_file"}
    assert set(basic["basic_auth"]) == {"username", "password_file"}


@pytest.mark.parametrize(
    ("method", "door", "told"),
    [
        ("POST", "/api/v2/alerts", "`authorization: {credentials_file: /etc/prometheus/"),
        ("PUT", "/api/v1/webhooks/grafana", "Authentication Header Credentials"),
        ("POST", ALERTS, "`curl -H 'Authorization: Bearer TOKEN'"),
        ("GET", INCIDENTS, "`curl -H 'Authorization: Bearer TOKEN'"),
    ],
)
def test_others_are_told_in_words_of_their_own(guarded, method, door, told):
    """Prometheus, Grafana and curl have no receiver of Alertmanager's to edit."""
    detail = guarded.open(door, method=method, json={}).json["detail"]

    assert told in detail
    assert "http_config" not in detail


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
    document = guarded.get("/api/openapi.json", headers=bearer("sesame-0123456789")).json

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
    answer = guarded.post(
        ALERTS, json={"alert_name": "A"}, headers=headers, auth=("a", "sesame-0123456789")
    )

    assert answer.status_code == status


@pytest.mark.parametrize(
    "written",
    [
        "opssage.example.com",
        "OpsSage.Example.com",
        "opssage.example.com:443",
        "opssage.example.com.",
    ],
)
def test_our_own_page_may_write_behind_a_proxy(store, nudges, written):
    """There the browser knows us by web.public_url, however that is spelt; we see another name."""
    settings = load(environ={"OPSSAGE_PUBLIC_URL": f"https://{written}"})
    client = create_app(settings, store, nudges, {}).test_client()
    headers = {"Origin": "https://opssage.example.com"}

    assert client.post(ALERTS, json={"alert_name": "A"}, headers=headers).status_code == 202
    headers["Origin"] += ":8443"
    assert client.post(ALERTS, json={"alert_name": "A"}, headers=headers).status_code == 403


OURS = [
    *("localhost:8000", "127.0.0.1", "[::1]:9", "10.0.0.9:8000", "[2001:db8::1]"),
    *("opssage:8000", "opssage.localhost", "host.docker.internal:8000"),
    *("opssage.ops.svc", "opssage.ops.svc.cluster.local:8000"),
    *("opssage.example.com", "OpsSage.Example.com.:8000"),
]
OF_OTHERS = [
    *("evil.example.com:8000", "localhost.evil.example.com", "127.0.0.1.evil.example.com"),
    *("svc.evil.example.com", "evil.local", "evilinternal.com", ""),
]


@pytest.mark.parametrize("listens", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("host", [*OURS, *OF_OTHERS])
def test_an_open_api_answers_only_under_its_own_names(store, nudges, host, listens):
    """A page may give its name this machine's address; then its name gives it away."""
    settings = load(
        environ={
            "OPSSAGE_AUTH_MODE": "open",
            "OPSSAGE_HOST": listens,
            "OPSSAGE_PUBLIC_URL": "https://OpsSage.example.com",
        }
    )
    client = create_app(settings, store, nudges, {}).test_client()

    answer = client.post(ALERTS, json={"alert_name": "A"}, headers={"Host": host})

    assert answer.status_code == (202 if host in OURS else 421)
    assert client.get("/livez", headers={"Host": host}).status_code == 200
    if host in OF_OTHERS:
        assert "web.public_url" in answer.json["detail"]


def test_any_name_is_fine_where_a_token_is_asked_for(guarded, admin):
    """A page has none to send."""
    headers = {"Host": "evil.example.com"}

    assert guarded.get(INCIDENTS, headers=headers).status_code == 401
    assert admin.get(INCIDENTS, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "path", [INCIDENTS, "/api/v1/rejects", ALERTS, "/login", "/api/docs", "/x"]
)
def test_no_answer_is_shared_framed_or_guessed_at(admin, path):
    """A shared cache does not know a cookie for what opened a page."""
    headers = admin.get(path).headers

    assert headers["Cache-Control"] in {"private, no-cache", "no-store"}
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_configured_token_is_not_written_down(guarded, lines):
    """It may be any text, so it is known by itself: in the address, as the id, and as `next`."""
    text = "sesame-0123456789"

    answers = [
        guarded.get(f"/nowhere/{text}", headers={"X-Request-ID": text, **bearer(text)}),
        guarded.get(f"/nowhere/{text}?x={text}", headers=HTML),
    ]

    told = "".join(f"{answer.headers}{answer.get_data(as_text=True)}" for answer in answers)
    assert text not in told
    assert text not in lines.getvalue()
    assert lines.getvalue().count("/nowhere/[redacted:") == len(answers)
