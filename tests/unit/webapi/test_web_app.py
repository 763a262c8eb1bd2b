"""What holds for every route: health, errors, ids, tokens, documentation."""

from functools import partial

import pytest

from opssage.settings import load
from webapi.app import create_app

PROBLEM = "application/problem+json"


def test_liveness_asks_nobody(client):
    """The process answers, whatever else is down."""
    assert client.get("/livez").json == {"status": "alive"}


def test_readiness_names_what_is_not(store, nudges):
    """Every part is asked, and a failing one is told by name."""

    def down() -> None:
        raise ConnectionError("refused")

    probes = {"database": store.ping, "broker": down, "migrations": lambda: "not at head"}
    client = create_app(load(environ={}), store, nudges, probes).test_client()

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json["checks"] == {
        "database": "ok",
        "broker": "ConnectionError; the log says more",
        "migrations": "not at head",
    }


def test_readiness_is_200_when_all_answer(client):
    """The same route is green when everything is there."""
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json["status"]) == (200, "ready")


@pytest.mark.parametrize(
    ("broken", "status", "code"),
    [
        ({"broker"}, "degraded", 200),
        ({"database"}, "not ready", 503),
        ({"migrations", "broker"}, "not ready", 503),
    ],
)
def test_readiness_does_not_hang_on_the_broker(store, nudges, broken, status, code):
    """Alerts are taken without one, so a load balancer has to go on sending them."""
    probes = {
        name: partial(str, "away" if name in broken else "")
        for name in ("database", "migrations", "broker")
    }
    client = create_app(load(environ={}), store, nudges, probes).test_client()

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json["status"]) == (code, status)
    assert {name for name, told in answer.json["checks"].items() if told == "away"} == broken


def test_metrics_count_requests_by_route(client):
    """Routes, not paths, are the label: ids would make a series each."""
    client.get("/api/v1/incidents")

    text = client.get("/metrics").get_data(as_text=True)

    assert 'opssage_http_request_seconds_count{method="GET",route="/api/v1/incidents"' in text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("PATCH", "/api/v1/incidents", 405)],
)
def test_errors_of_the_framework_are_problems_too(client, method, path, status):
    """No route, and no method, answer in the one shape."""
    answer = client.open(path, method=method)

    assert (answer.status_code, answer.mimetype) == (status, PROBLEM)
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]


def test_a_wrong_method_says_which_are_allowed(client):
    """405 comes with Allow."""
    assert "GET" in client.patch("/api/v1/incidents").headers["Allow"]


@pytest.mark.parametrize(("given", "kept"), [("abc-1", True), ("a b\n", False), ("x" * 65, False)])
def test_a_sane_request_id_is_kept(client, given, kept):
    """A caller's id is echoed, unless it could forge a log line."""
    answer = client.get("/livez", headers={"X-Request-ID": given.replace("\n", "%")})

    assert (answer.headers["X-Request-ID"] == given) is kept


def test_the_api_is_documented_from_local_files(client):
    """The page and what it loads come from here, and every route is in the document."""
    page = client.get("/api/docs").get_data(as_text=True)
    paths = client.get("/api/openapi.json").json["paths"]

    assert "//cdn" not in page
    with client.get("/api/docs/assets/swagger-ui.css") as asset:
        assert asset.status_code == 200
    assert set(paths) == {
        "/api/v1/alerts",
        "/api/v1/webhooks/alertmanager",
        "/api/v1/incidents",
        "/api/v1/incidents/{incident_id}",
        "/api/v1/incidents/{incident_id}/retry",
        "/api/v1/rejects",
        "/api/v1/rejects/{reject_id}",
        "/api/v1/rejects/{reject_id}/ingest",
    }


def test_the_documentation_tells_of_problems_and_shapes(client):
    """Errors are problem+json, labels are objects, times are times."""
    document = client.get("/api/openapi.json").json
    post = document["paths"]["/api/v1/alerts"]["post"]
    alert = document["components"]["schemas"]["PlainAlert"]["properties"]

    assert set(post["responses"]) >= {"202", "400", "413", "422", "503"}
    assert PROBLEM in post["responses"]["422"]["content"]
    assert (alert["labels"]["type"], alert["timestamp"]["format"]) == ("object", "date-time")


def test_the_documentation_asks_for_the_token(guarded):
    """In token mode the page offers to send one."""
    authorised = {"headers": {"Authorization": "Bearer s3cret"}}

    document = guarded.get("/api/openapi.json", **authorised).json

    assert document["security"] == [{"token": []}]


@pytest.mark.parametrize(("origin", "status"), [("http://localhost", 202), ("http://evil", 403)])
def test_pages_of_other_sites_cannot_write(client, origin, status):
    """In open mode a browser on this machine is no way in."""
    answer = client.post("/api/v1/alerts", json={"alert_name": "A"}, headers={"Origin": origin})

    assert answer.status_code == status


@pytest.fixture
def guarded(store, nudges):
    """A client of an app that wants a token."""
    settings = load(environ={"OPSSAGE_AUTH_MODE": "token", "OPSSAGE_TOKEN": "s3cret"})
    return create_app(settings, store, nudges, {}).test_client()


def test_without_the_token_everything_but_health_is_a_401(guarded):
    """Nothing that tells of incidents is public, and the answer says what to send."""
    answer = guarded.get("/api/v1/incidents")

    assert (answer.status_code, answer.mimetype) == (401, PROBLEM)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "http_config" in answer.json["detail"]
    assert guarded.get("/livez").status_code == 200


@pytest.mark.parametrize(
    "given", [{"auth": ("alertmanager", "s3cret")}, {"headers": {"Authorization": "Bearer s3cret"}}]
)
def test_the_token_opens_by_bearer_and_by_basic(guarded, given):
    """Alertmanager can send both."""
    assert guarded.get("/api/v1/incidents", **given).status_code == 200


@pytest.mark.parametrize("given", ["Bearer wrong", "Bearer ", "Basic !!!", "Odd"])
def test_a_wrong_token_is_a_401(guarded, given):
    """Whatever it looks like."""
    answer = guarded.get("/api/v1/incidents", headers={"Authorization": given})

    assert answer.status_code == 401


def test_the_documentation_tells_answers_from_problems(client):
    """What went well is JSON, what went wrong is problem+json."""
    document = client.get("/api/openapi.json").json
    routes = [route for path in document["paths"].values() for route in path.values()]
    answers = [
        (status, kind)
        for route in routes
        if isinstance(route, dict)
        for status, answer in route["responses"].items()
        for kind in answer.get("content", {})
    ]

    assert answers
    for status, kind in answers:
        assert kind == ("application/json" if status < "300" else "application/problem+json")
