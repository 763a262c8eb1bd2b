"""What holds for every route: health, errors, ids, documentation."""

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
    ("method", "path", "status", "told"),
    [
        ("GET", "/nowhere", 404, "there is nothing at this address"),
        ("GET", "/api/v1/incidents/xyz", 404, "the id of an incident is a UUID"),
        ("PATCH", "/api/v1/incidents", 405, "this address takes GET, HEAD, OPTIONS only"),
    ],
)
def test_errors_of_the_framework_are_problems_too(client, method, path, status, told):
    """No route, and no method, answer in the one shape and in our words."""
    answer = client.open(path, method=method)

    assert (answer.status_code, answer.mimetype) == (status, PROBLEM)
    assert told in answer.json["detail"]
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
        "/api/v1/webhooks/grafana",
        "/api/v2/alerts",
        "/api/v1/changes",
        "/api/v1/incidents",
        "/api/v1/incidents/{incident_id}",
        "/api/v1/incidents/{incident_id}/retry",
        "/api/v1/incidents/{incident_id}/ack",
        "/api/v1/incidents/{incident_id}/feedback",
        "/api/v1/incidents/{incident_id}/alerts",
        "/api/v1/incidents/{incident_id}/timeline",
        "/api/v1/incidents/{incident_id}/evidence",
        "/api/v1/incidents/{incident_id}/evidence/{evidence_id}",
        "/api/v1/incidents/{incident_id}/similar",
        "/api/v1/incidents/{incident_id}/links",
        "/api/v1/incidents/{incident_id}/bundle",
        "/api/v1/topology",
        "/api/v1/knowledge/priors",
        "/api/v1/documents",
        "/api/v1/documents/{document_id}",
        "/api/v1/documents/search",
        "/api/v1/rejects",
        "/api/v1/rejects/{reject_id}",
        "/api/v1/rejects/{reject_id}/ingest",
        "/api/v1/tokens",
        "/api/v1/tokens/{token_id}",
        "/api/v1/audit",
    }


def test_the_documentation_tells_of_problems_and_shapes(client):
    """Errors are problem+json, labels are objects, times are times."""
    document = client.get("/api/openapi.json").json
    post = document["paths"]["/api/v1/alerts"]["post"]
    alert = document["components"]["schemas"]["PlainAlert"]["properties"]

    assert set(post["responses"]) >= {"202", "400", "413", "422", "503"}
    assert PROBLEM in post["responses"]["422"]["content"]
    assert (alert["labels"]["type"], alert["timestamp"]["format"]) == ("object", "date-time")


def test_the_documentation_tells_answers_from_problems(client):
    """What went well is JSON or a file, what went wrong is problem+json."""
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
        went_well = {"application/json", "application/gzip"}
        assert kind in (went_well if status < "300" else {"application/problem+json"})
