import json
import time

import pytest
from werkzeug import Response

from opssage.settings import load
from webapi.senders.grafana import check_signature

ID = "019a0000-0000-7000-8000-000000000001"
WEBHOOK = {"version": "4", "alerts": [{"labels": {"alertname": "A"}}]}
ENDED = {"alerts": [{"status": "resolved", "labels": {"alertname": "A"}}]}
PLAIN = {"alert_name": "A"}
RECORDED = {
    "path": "/s/200/bearer",
    "headers": {"User-Agent": "Alertmanager/0.28.1", "Authorization": "Bearer sesame"},
    "body": WEBHOOK,
}


def receipt(**changes):
    incident = {"incident_id": ID, "status": "pending", "change": "opened", "url": "/"}
    return {
        "incidents": [incident],
        "accepted": 1,
        "duplicates": 0,
        "rejected": [],
        "rejected_more": 0,
        **changes,
    }


@pytest.fixture
def send(opssage, httpserver, tmp_path):
    """Send a document to the server by `opssage send`; returns click's result."""

    def send(document, *words):
        file = tmp_path / "alert.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        return opssage("send", file, "--url", httpserver.url_for(""), *words)

    return send


@pytest.mark.parametrize(
    ("document", "door"),
    [
        (WEBHOOK, "v1/webhooks/alertmanager"),
        ({"alerts": []}, "v1/webhooks/alertmanager"),
        ({**WEBHOOK, "version": "1"}, "v1/webhooks/grafana"),
        ({**WEBHOOK, "orgId": 1}, "v1/webhooks/grafana"),
        (PLAIN, "v1/alerts"),
        (RECORDED, "v1/webhooks/alertmanager"),
    ],
)
def test_send_picks_the_door_by_the_shape_of_the_file(send, httpserver, document, door):
    """A body with `alerts` is a webhook, a list Prometheus's, any other object a plain alert."""
    sent = document.get("body", document)
    httpserver.expect_request(f"/api/{door}", method="POST", json=sent).respond_with_json(
        receipt(), 202
    )

    result = send(document)

    assert result.exit_code == 0, result.output
    assert result.stdout == f"{ID}\tpending\t{httpserver.url_for(f'/api/v1/incidents/{ID}')}\n"


def test_send_as_overrides_the_shape(send, httpserver):
    """--as names the door; the body stays as it is, byte by byte."""
    httpserver.expect_request(
        "/api/v1/webhooks/grafana", data=b'{"alerts" : [ ]}'
    ).respond_with_json(receipt(), 202)

    assert send('{"alerts" : [ ]}', "--as", "grafana").exit_code == 0


def test_send_says_that_a_list_of_alerts_gets_no_receipt(send, httpserver):
    """Alertmanager's own API answers nothing; where to look is told."""
    httpserver.expect_request("/api/v2/alerts", json=WEBHOOK["alerts"]).respond_with_data(b"", 200)

    result = send(WEBHOOK["alerts"])

    assert (result.exit_code, result.stdout) == (0, "")
    assert "/api/v2/alerts gives no receipt: `opssage incidents`" in result.stderr


def test_send_does_not_wait_without_a_receipt(send):
    """Nothing is sent: it could not be told what to wait for."""
    result = send(WEBHOOK["alerts"], "--wait")

    assert result.exit_code == 2
    assert "/api/v2/alerts does not tell which incidents to --wait for" in result.stderr


def test_send_of_a_recording_replays_no_header(send, httpserver):
    """Only the body counts: the headers may hold somebody's token."""
    asked = []
    httpserver.expect_request("/api/v1/webhooks/alertmanager").respond_with_handler(
        lambda request: asked.append(request.headers) or Response(json.dumps(receipt()), 202)
    )

    send({**RECORDED, "body": json.dumps(WEBHOOK)})

    (headers,) = asked
    assert "Authorization" not in headers
    assert headers["Content-Type"] == "application/json"
    assert "Alertmanager" not in headers["User-Agent"]


def test_send_replays_files_in_order(opssage, httpserver, tmp_path):
    """One after the other, each with its receipt."""
    files = []
    for number in range(3):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps({"alert_name": str(number)}))
        httpserver.expect_ordered_request(
            "/api/v1/alerts", json={"alert_name": str(number)}
        ).respond_with_json(receipt(accepted=number), 202)

    result = opssage("send", *files, "--json", "--url", httpserver.url_for(""))

    assert result.exit_code == 0, result.output
    assert [each["accepted"] for each in json.loads(result.stdout)] == [0, 1, 2]


def test_send_reads_stdin(opssage, httpserver):
    """`-` stands for stdin."""
    httpserver.expect_request("/api/v1/alerts", json=PLAIN).respond_with_json(receipt(), 202)

    result = opssage("send", "-", "--url", httpserver.url_for(""), input=json.dumps(PLAIN))

    assert result.exit_code == 0, result.output


def test_send_passes_the_token_on(send, httpserver):
    """--token becomes a bearer token."""
    httpserver.expect_request(
        "/api/v1/alerts", headers={"Authorization": "Bearer sesame"}
    ).respond_with_json(receipt(), 202)

    assert send(PLAIN, "--token", "sesame").exit_code == 0


def test_send_wait_shows_the_diagnosis(send, httpserver, incident):
    """The stages go to stderr, the diagnosis to stdout."""
    httpserver.expect_request("/api/v1/alerts").respond_with_json(receipt(), 202)
    httpserver.expect_oneshot_request(f"/api/v1/incidents/{ID}").respond_with_json(
        incident(status="pending", diagnostic_report=None), headers={"ETag": '"1"'}
    )
    httpserver.expect_oneshot_request(
        f"/api/v1/incidents/{ID}", headers={"If-None-Match": '"1"'}
    ).respond_with_data(status=304)
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(incident())

    result = send(PLAIN, "--wait")

    assert result.exit_code == 0, result.output
    assert "accepted" in result.stderr
    assert "diagnosed" in result.stderr
    assert "[E3] 12 log lines say access denied" in result.stdout


def test_send_wait_tells_an_inconclusive_diagnosis_by_its_code(send, httpserver, incident):
    """A script sees 10 when the evidence was not enough."""
    httpserver.expect_request("/api/v1/alerts").respond_with_json(receipt(), 202)
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(
        incident(report={"verdict": "insufficient_evidence"})
    )

    assert send(PLAIN, "--wait").exit_code == 10


def test_send_wait_tells_that_the_alerts_are_stored_when_it_may_not_read(send, httpserver):
    """Who sends again because of the 403 would count a repeat."""
    httpserver.expect_request("/api/v1/alerts").respond_with_json(receipt(), 202)
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(
        {"title": "Forbidden", "detail": "this token may only post"}, 403
    )

    result = send(PLAIN, "--wait")

    assert result.exit_code == 6
    assert "Forbidden (403): this token may only post" in result.stderr
    assert "the alerts are stored" in result.stderr
    assert "--scope ingest --scope read" in result.stderr


def test_send_wait_tells_only_steps_that_happen_meanwhile(send, httpserver, incident):
    """Alerts that join a running incident find some of its steps done."""
    collected = {"incident_id": ID, "status": "context_collected", "change": "repeated"}
    httpserver.expect_request("/api/v1/alerts").respond_with_json(
        receipt(incidents=[collected]), 202
    )
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(incident())

    _, *said = send(PLAIN, "--wait").stderr.splitlines()

    assert [line.split("  ")[0] for line in said] == [
        "evidence collected",
        "knowledge added",
        "diagnosed",
    ]


def test_send_wait_marks_a_diagnosis_made_before_the_alerts_came(send, httpserver, incident):
    """An old verdict does not pass for one of these alerts; the way to a fresh one is told."""
    over = {"incident_id": ID, "status": "completed", "change": "joined"}
    httpserver.expect_request("/api/v1/alerts").respond_with_json(receipt(incidents=[over]), 202)
    window = {"end": "2026-11-23T03:02:00.000000Z"}
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(
        incident(primary_context={"window": window})
    )

    result = send(PLAIN, "--wait")

    assert result.stderr == (
        f"joined incident {ID}, which was diagnosed before these alerts came; alerts that it did "
        "not have are looked into after diagnose.cooldown_seconds, "
        f"`opssage retry {ID}` diagnoses it anew at once\n"
    )
    assert result.stdout.splitlines()[1] == (
        "  Diagnosed   before these alerts came, on evidence until 2026-11-23 03:02:00Z"
    )


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ("opened", "pending", ""),
        ("joined", "pending", f"joined incident {ID}\n"),
        ("joined", "failed", f"`opssage retry {ID}` runs it on at once\n"),
        ("joined", "completed", f"joined incident {ID}, which was diagnosed before"),
        ("reopened", "completed", f"reopened incident {ID}, which was diagnosed before"),
        ("resolved", "completed", f"incident {ID} is resolved\n"),
        ("ended", "completed", f"noted in incident {ID}, of which other alerts fire\n"),
        ("repeated", "completed", f"counted as a repeat in incident {ID}: nothing new in it\n"),
    ],
)
def test_send_tells_what_the_alerts_mean(send, httpserver, change, status, said):
    """A retry is advised only where there is something new to look at."""
    touched = {"incident_id": ID, "status": status, "change": change}
    httpserver.expect_request("/api/v1/alerts").respond_with_json(receipt(incidents=[touched]), 202)

    result = send(PLAIN)

    assert result.exit_code == 0
    assert said in result.stderr
    advised = change in {"joined", "reopened"} and status != "pending"
    assert ("opssage retry" in result.stderr) == advised


@pytest.mark.parametrize(
    ("document", "ignored", "said"),
    [
        (WEBHOOK, 1, "1 alert kept without an incident, by ingest.ignore"),
        (WEBHOOK, 2, "`opssage alerts` lists them"),
        (ENDED, 0, "over when first heard of: kept, and no incident was opened"),
        (WEBHOOK, 0, "taken, and no incident was opened"),
        ({**PLAIN, "status": "resolved"}, 0, "over when first heard of"),
    ],
)
def test_send_says_why_no_incident_was_opened(send, httpserver, document, ignored, said):
    """Ignored, or over already: kept all the same."""
    for door in ("webhooks/alertmanager", "alerts"):
        httpserver.expect_request(f"/api/v1/{door}").respond_with_json(
            receipt(incidents=[], ignored=ignored), 202
        )

    result = send(document)

    assert result.exit_code == 0
    assert said in result.stderr


def test_send_wait_gives_up_after_the_timeout(send, httpserver, incident):
    """A script sees 7, and the message says how far it came."""
    httpserver.expect_request("/api/v1/alerts").respond_with_json(receipt(), 202)
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(
        incident(status="context_collected", diagnostic_report=None)
    )

    result = send(PLAIN, "--wait", "--timeout", "0")

    assert result.exit_code == 7
    assert f"not diagnosed within 0 s: {ID} (context_collected)" in result.stderr


def test_send_wait_as_json_is_the_incidents(send, httpserver, incident):
    """--json gives what the API answered."""
    httpserver.expect_request("/api/v1/alerts").respond_with_json(receipt(), 202)
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(incident())

    assert json.loads(send(PLAIN, "--wait", "--json").stdout) == [incident()]


def test_send_names_the_alerts_that_were_rejected(send, httpserver):
    """The good ones are taken all the same."""
    rejected = [{"index": 1, "reason": "alerts[1].startsAt: Missing data"}]
    httpserver.expect_request("/api/v1/webhooks/alertmanager").respond_with_json(
        receipt(rejected=rejected), 202
    )

    result = send(WEBHOOK)

    assert result.exit_code == 0
    assert result.stderr == "alert 1 rejected: alerts[1].startsAt: Missing data\n"


def test_send_tells_how_many_more_alerts_were_rejected(send, httpserver):
    """Nobody takes the first hundred for all."""
    rejected = [{"index": 0, "reason": "alerts[0].startsAt: Missing data"}]
    httpserver.expect_request("/api/v1/webhooks/alertmanager").respond_with_json(
        receipt(rejected=rejected, rejected_more=29_900), 202
    )

    said = send(WEBHOOK).stderr.splitlines()

    assert said[-1] == "and 29900 more, which the server has not kept"


def test_send_fails_when_no_alert_was_taken(send, httpserver):
    """Nothing accepted is a failure."""
    answer = receipt(incidents=[], accepted=0, rejected=[{"index": 0, "reason": "bad"}])
    httpserver.expect_request("/api/v1/webhooks/alertmanager").respond_with_json(answer, 202)

    assert send(WEBHOOK).exit_code == 1


def test_send_tells_the_fields_of_a_problem(send, httpserver):
    """What the server says of each field reaches the person."""
    problem = {
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "the alert has fields that cannot be taken",
        "errors": {"json": {"severity": ["Not a string."], "labels": {"a": ["Too long."]}}},
        "request_id": "r1",
    }
    httpserver.expect_request("/api/v1/alerts").respond_with_json(
        problem, 422, content_type="application/problem+json"
    )

    result = send(PLAIN)

    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "Error: Unprocessable Entity (422): the alert has fields that cannot be taken",
        "  json.severity: Not a string.",
        "  json.labels.a: Too long.",
        "  request id r1",
    ]


@pytest.mark.parametrize(("text", "why"), [("{", "is not JSON"), ("7", "is not an alert")])
def test_send_refuses_what_is_no_alert(send, text, why):
    """A file of another kind is a wrong use."""
    result = send(text)

    assert result.exit_code == 2
    assert why in result.stderr


@pytest.mark.parametrize("header", ["X-Signed-At", None])
def test_send_signs_as_grafana_does(send, httpserver, tmp_path, header):
    """What the door checks fits, with and without the time."""
    named = f", timestamp_header: {header}" if header else ""
    (tmp_path / "config.yaml").write_text(
        f"ingest: {{grafana: {{secret: sesame-sesame-sesame{named}}}}}\n"
    )
    settings = load(tmp_path / "config.yaml").ingest.grafana
    asked = []
    httpserver.expect_request("/api/v1/webhooks/grafana").respond_with_handler(
        lambda request: asked.append(request) or Response(json.dumps(receipt()), 202)
    )

    result = send({**WEBHOOK, "version": "1"})

    (request,) = asked
    assert result.exit_code == 0, result.output
    check_signature(request.data, request.headers.get, settings, time.time())
    assert (header in request.headers) is bool(header)
