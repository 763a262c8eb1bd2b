import json

import pytest

ID = "019a0000-0000-7000-8000-000000000001"


def test_incidents_asks_for_the_chosen_statuses(opssage, httpserver, incident):
    """--status may be repeated, --limit bounds the list; piped rows are tab-separated."""
    httpserver.expect_request(
        "/api/v1/incidents", query_string="status=failed&status=completed&limit=2"
    ).respond_with_json({"items": [incident()], "next_cursor": None})

    result = opssage(
        *("incidents", "--url", httpserver.url_for("")),
        *("--status", "failed", "--status", "completed", "--limit", "2"),
    )

    assert result.exit_code == 0, result.output
    assert result.stdout.split("\t")[:6] == [
        *(ID, "completed", "critical"),
        *("PodCrashLooping", "shop", "checkout"),
    ]


def test_incidents_as_json_is_the_list(opssage, httpserver, incident):
    """--json gives the items, before or after the command's name."""
    httpserver.expect_request("/api/v1/incidents").respond_with_json(
        {"items": [incident()], "next_cursor": None}
    )

    for words in (("--json", "incidents"), ("incidents", "--json")):
        result = opssage("--url", httpserver.url_for(""), *words)
        assert json.loads(result.stdout) == [incident()]


def test_incidents_leaves_out_what_could_steer_a_terminal(opssage, httpserver, incident):
    """Escape sequences in an alert's name are shown as spaces."""
    httpserver.expect_request("/api/v1/incidents").respond_with_json(
        {"items": [incident(alert_name="A\x1b[2J\tB")], "next_cursor": None}
    )

    result = opssage("incidents", "--url", httpserver.url_for(""))

    assert result.stdout.split("\t")[3] == "A [2J B"


def test_show_prints_the_diagnosis_for_a_person(opssage, httpserver, incident):
    """Verdict, cause, evidence and steps, one a line."""
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(incident())

    result = opssage("show", ID, "--url", httpserver.url_for(""))

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "PodCrashLooping  critical  shop/checkout",
        "  Verdict     fault · configuration · confidence 0.86 (high)",
        "  Root cause  The database of checkout refuses its password",
        "  Component   service/checkout",
        "  Spread      service/checkout → service/web",
        "  Evidence    [E3] 12 log lines say access denied",
        "  Do now      1. Correct the secret (risk: low)",
        "                 $ kubectl edit secret checkout",
        "                 then: the pods become ready",
        f"  Incident    {httpserver.url_for(f'/api/v1/incidents/{ID}')}",
    ]


def test_show_tells_why_an_investigation_failed(opssage, httpserver, incident):
    """The recorded error is shown, and the code is 1."""
    failed = incident(
        status="failed",
        diagnostic_report=None,
        last_error={"class": "KeyError", "message": "'window'"},
    )
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(failed)

    result = opssage("show", ID, "--url", httpserver.url_for(""))

    assert result.exit_code == 1
    assert "  Failed      KeyError: 'window'" in result.stdout


def test_watch_follows_to_the_end(opssage, httpserver, incident):
    """Each status is told once on stderr; the diagnosis comes last on stdout."""
    for status in ("pending", "context_collected", "context_enriched"):
        httpserver.expect_ordered_request(f"/api/v1/incidents/{ID}").respond_with_json(
            incident(status=status, diagnostic_report=None)
        )
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(incident())

    result = opssage("watch", ID, "--url", httpserver.url_for(""))

    assert result.exit_code == 0, result.output
    assert [line.split("  ")[0] for line in result.stderr.splitlines()] == [
        "accepted",
        "evidence collected",
        "knowledge added",
        "diagnosed",
    ]
    assert "Root cause" in result.stdout


@pytest.mark.parametrize(("status", "code"), [(401, 6), (403, 6), (404, 5), (503, 4), (500, 1)])
def test_an_error_of_the_server_has_its_exit_code(opssage, httpserver, status, code):
    """A script can tell a missing incident from a missing token and a server in trouble."""
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_data("no", status)

    assert opssage("show", ID, "--url", httpserver.url_for("")).exit_code == code


def test_a_server_that_is_not_there_has_its_exit_code(opssage):
    """The message says how to start one."""
    result = opssage("incidents", "--url", "http://127.0.0.1:1")

    assert result.exit_code == 4
    assert "opssage up" in result.stderr


def test_an_address_that_is_no_url_is_a_wrong_use(opssage):
    """The message shows what was given."""
    result = opssage("incidents", "--url", "ftp://127.0.0.1")

    assert result.exit_code == 2
    assert "ftp://127.0.0.1 is not a URL" in result.stderr


def test_the_address_comes_from_the_settings(opssage, httpserver, tmp_path):
    """Without --url the configured public URL and token are used."""
    (tmp_path / "config.yaml").write_text(
        f"web: {{public_url: '{httpserver.url_for('').rstrip('/')}'}}\n"
        "auth: {mode: token, token: sesame-sesame-sesame-sesame-0123}\n"
    )
    httpserver.expect_request(
        "/api/v1/incidents", headers={"Authorization": "Bearer sesame-sesame-sesame-sesame-0123"}
    ).respond_with_json({"items": [], "next_cursor": None})

    result = opssage("incidents")

    assert result.exit_code == 0, result.output
