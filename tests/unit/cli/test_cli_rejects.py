import json

import pytest

ID = "019a0000-0000-7000-8000-000000000001"
SENT = {"labels": {"alertname": "Down", "pod": 7}}
CORRECTED = {"labels": {"alertname": "Down", "pod": "7"}}
RECEIPT = {
    "incidents": [{"incident_id": ID, "status": "pending", "url": f"/api/v1/incidents/{ID}"}],
    "accepted": 1,
    "duplicates": 0,
    "rejected": [],
}


def reject(**changes):
    return {
        "reject_id": 7,
        "received_at": "2026-11-23T03:00:00.000000Z",
        "last_seen_at": "2026-11-23T04:00:00.000000Z",
        "deliveries": 12,
        "sender": "default",
        "reason": "alerts[0].labels.pod: Not a string.",
        "incident_id": None,
        "raw": json.dumps(SENT),
        "envelope": {"group_key": "{}:{}", "receiver": "ops"},
        **changes,
    }


@pytest.fixture
def run(opssage, httpserver):
    """Run `opssage rejects` against the server; returns click's result."""
    return lambda *words, **more: opssage(
        "rejects", "--url", httpserver.url_for(""), *words, **more
    )


def test_rejects_are_lines_newest_first(run, httpserver):
    """Number, time, sender, how often, why, and the incident if any, between tabs."""
    httpserver.expect_request(
        "/api/v1/rejects", query_string="limit=50&taken=false"
    ).respond_with_json({"items": [reject()], "next_cursor": None})

    result = run()

    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "7\t2026-11-23T04:00:00.000000Z\tdefault\t12\talerts[0].labels.pod: Not a string.\t\n"
    )


def test_rejects_asks_for_what_was_chosen(run, httpserver):
    """A cut list says so, on stderr."""
    httpserver.expect_request(
        "/api/v1/rejects", query_string="limit=1&taken=true&sender=b"
    ).respond_with_json({"items": [reject()], "next_cursor": "7"})

    result = run("--taken", "--sender", "b", "--limit", "1", "--json")

    assert json.loads(result.stdout) == [reject()]
    assert "there are older ones: --limit" in result.stderr


def test_rejects_show_tells_why_and_what(run, httpserver):
    """For a person: the facts, then what was sent."""
    httpserver.expect_request("/api/v1/rejects/7").respond_with_json(reject(incident_id=ID))

    assert run("show", "7").stdout.splitlines() == [
        "Reject      7",
        "Reason      alerts[0].labels.pod: Not a string.",
        "Sender      default",
        "Received    2026-11-23T03:00:00.000000Z",
        "Last seen   2026-11-23T04:00:00.000000Z",
        "Deliveries  12",
        "Group       {}:{}",
        "Receiver    ops",
        f"Taken as    {ID}",
        *json.dumps(SENT, indent=2).splitlines(),
    ]


def test_rejects_show_raw_is_what_was_sent(run, httpserver):
    """To be corrected in a file and sent back."""
    httpserver.expect_request("/api/v1/rejects/7").respond_with_json(reject())

    assert json.loads(run("show", "7", "--raw").stdout) == SENT


def test_rejects_show_leaves_out_what_could_steer_a_terminal(run, httpserver):
    """A body that could not be read may hold anything."""
    odd = reject(raw="{\x1b[2J", envelope=None)
    httpserver.expect_request("/api/v1/rejects/7").respond_with_json(odd)

    assert run("show", "7").stdout.splitlines()[-1] == "{ [2J"


@pytest.mark.parametrize("stdin", [True, False])
def test_rejects_ingest_sends_the_corrected_alert(run, httpserver, tmp_path, stdin):
    """From a file or from stdin; the answer is the incident it went to."""
    httpserver.expect_request(
        "/api/v1/rejects/7/ingest", method="POST", json=CORRECTED
    ).respond_with_json(RECEIPT, 202)
    file = tmp_path / "alert.json"
    file.write_text(json.dumps(CORRECTED))

    result = run("ingest", "7", "-" if stdin else file, input=json.dumps(CORRECTED))

    assert result.exit_code == 0, result.output
    assert result.stdout == f"{ID}\tpending\t{httpserver.url_for(f'/api/v1/incidents/{ID}')}\n"


def test_rejects_ingest_without_a_file_tries_again_what_was_sent(run, httpserver):
    """The request has no body; --json answers the receipt."""
    httpserver.expect_request("/api/v1/rejects/7/ingest", method="POST", data="").respond_with_json(
        RECEIPT, 202
    )

    assert json.loads(run("ingest", "7", "--json").stdout) == RECEIPT


def test_rejects_ingest_says_when_no_incident_was_opened(run, httpserver):
    """The alert was over."""
    httpserver.expect_request("/api/v1/rejects/7/ingest").respond_with_json(
        {**RECEIPT, "incidents": []}, 202
    )

    result = run("ingest", "7")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "no incident was opened" in result.stderr


def test_rejects_ingest_names_what_is_still_wrong(run, httpserver):
    """Exit code 1, with the field."""
    problem = {
        "title": "Unprocessable Entity",
        "detail": "it cannot be taken as it is; errors says why",
        "errors": {"raw": {"labels": {"pod": ["Not a string."]}}},
    }
    httpserver.expect_request("/api/v1/rejects/7/ingest").respond_with_json(problem, 422)

    result = run("ingest", "7")

    assert result.exit_code == 1
    assert "raw.labels.pod: Not a string." in result.stderr


@pytest.mark.parametrize("text", ["", "{"])
def test_rejects_ingest_refuses_a_file_that_is_no_json(run, text):
    """A wrong use: nothing is sent, least of all what was sent before."""
    result = run("ingest", "7", "-", input=text)

    assert result.exit_code == 2
    assert "is not JSON" in result.stderr


def test_rejects_delete_deletes(run, httpserver):
    """The word is on stderr, and with --json the answer on stdout."""
    answer = {"status": "deleted", "reject_id": 7}
    httpserver.expect_request("/api/v1/rejects/7", method="DELETE").respond_with_json(answer)

    assert run("delete", "7").stderr == "reject 7 is deleted\n"
    assert json.loads(run("delete", "7", "--json").stdout) == answer


@pytest.mark.parametrize("words", [("show", "7"), ("ingest", "7"), ("delete", "7")])
def test_an_unknown_reject_is_not_found(run, httpserver, words):
    """Exit code 5."""
    problem = {"title": "Not Found", "detail": "there is no reject 7"}
    httpserver.expect_request("/api/v1/rejects/7").respond_with_json(problem, 404)
    httpserver.expect_request("/api/v1/rejects/7/ingest").respond_with_json(problem, 404)

    result = run(*words)

    assert result.exit_code == 5
    assert "there is no reject 7" in result.stderr
