import io
import json
from datetime import UTC, datetime

import pytest
from rich.console import Console
from werkzeug import Response

from cli import running
from cli.commands.incidents import show

ID = "019a0000-0000-7000-8000-000000000001"


@pytest.fixture(autouse=True)
def alerts(httpserver):
    """Serve a list of the incident's alerts, which has none until a test fills it."""
    found = {"items": [], "next_cursor": None}
    httpserver.expect_request(f"/api/v1/incidents/{ID}/alerts").respond_with_handler(
        lambda _: Response(json.dumps(found))
    )
    return found


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


@pytest.mark.parametrize(
    ("words", "query"),
    [
        (("--q", "out of memory"), "q=out+of+memory"),
        (("--open",), "open=true"),
        (("--resolved",), "open=false"),
        (("--unacked",), "acked=false"),
        (("--sort", "last-changed"), "sort=-updated_at"),
        (("--sort", "newest", "--sender", "a"), "sender=a"),
        (("--archived",), "archived=true"),
        (("--updated-since", "2026-11-23T03:00:00Z"), "updated_since=2026-11-23T03%3A00%3A00Z"),
    ],
)
def test_incidents_asks_for_what_the_options_say(opssage, httpserver, words, query):
    """One option, one parameter; what is not asked for is not said."""
    httpserver.expect_request(
        "/api/v1/incidents", query_string=f"{query}&limit=50"
    ).respond_with_json({"items": [], "next_cursor": None})

    result = opssage("incidents", *words, "--url", httpserver.url_for(""))

    assert result.exit_code == 0, result.output


def test_incidents_fills_its_limit_from_short_pages(opssage, httpserver, incident):
    """A search may lead on before it has found enough."""
    for cursor, items, following in (
        ("", [incident()], "a"),
        ("&cursor=a", [], "b"),
        ("&cursor=b", [incident()], "c"),
    ):
        left = 2 if not cursor else 1
        httpserver.expect_ordered_request(
            "/api/v1/incidents", query_string=f"q=x{cursor}&limit={left}"
        ).respond_with_json({"items": items, "next_cursor": following})

    result = opssage("incidents", "--q", "x", "--limit", "2", "--url", httpserver.url_for(""))

    assert len(result.stdout.splitlines()) == 2, result.output
    assert "there are more" in result.stderr


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


def test_incidents_are_readable_on_80_columns(incident):
    """Age, name, severity and place; the whole id and how it stands; the cause, cut."""
    console = Console(file=io.StringIO(), width=80)
    now = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)
    cause = "The database of checkout refuses the password that its secret has held since Monday"

    show(incident(root_cause=cause, resolved_at="2026-11-23T04:00:00Z"), now, console)

    assert console.file.getvalue().splitlines() == [
        "2h    PodCrashLooping  critical  shop/checkout",
        f"      {ID}  completed  resolved  confidence 0.86",
        f"      {cause[:73]}…",
    ]


def test_incidents_tell_why_one_was_given_up(incident):
    """The error stands where the cause would."""
    console = Console(file=io.StringIO(), width=80)
    error = {"class": "KeyError", "message": "'window'", "attempts": 5}
    failed = incident(status="failed", root_cause=None, confidence_score=None, last_error=error)

    show(failed, datetime(2026, 11, 23, 3, 0, 9, tzinfo=UTC), console)

    _, *lines = console.file.getvalue().splitlines()
    assert lines == [f"      {ID}  failed", "      KeyError: 'window' (attempts: 5)"]


@pytest.mark.parametrize(("cursor", "hinted"), [("older", True), (None, False)])
def test_incidents_hints_at_further_ones(opssage, httpserver, incident, cursor, hinted):
    """A list that was cut says so, on stderr."""
    httpserver.expect_request("/api/v1/incidents").respond_with_json(
        {"items": [incident()], "next_cursor": cursor}
    )

    result = opssage("incidents", "--limit", "1", "--url", httpserver.url_for(""))

    assert ("there are more: --all" in result.stderr) is hinted


def test_show_prints_the_diagnosis_for_a_person(opssage, httpserver, incident):
    """Verdict, cause, evidence and steps, one a line."""
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(incident())

    result = opssage("show", ID, "--url", httpserver.url_for(""))

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "PodCrashLooping  critical  shop/checkout",
        "  Status      completed · firing · opened 2026-11-23 03:00:00Z",
        "  Verdict     fault · configuration · confidence 0.86 (high)",
        "  Root cause  The database of checkout refuses its password",
        "  Component   service/checkout",
        "  Spread      service/checkout, then service/web",
        "  Evidence    [E3] 12 log lines say access denied",
        "  Do now      1. Correct the secret (risk: low)",
        "                 $ kubectl edit secret checkout",
        "                 then: the pods become ready",
        f"  Incident    {httpserver.url_for(f'/api/v1/incidents/{ID}')}",
    ]


def test_show_tells_an_archived_incident(opssage, httpserver, incident):
    """Nothing will happen to it any more."""
    past = incident(
        resolved_at="2026-11-23T04:00:00.000000Z", archived_at="2026-12-23T04:00:00.000000Z"
    )
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(past)

    said = opssage("show", ID, "--url", httpserver.url_for("")).stdout

    assert (
        "  Status      completed · resolved 2026-11-23 04:00:00Z · opened 2026-11-23 03:00:00Z"
        " · archived 2026-12-23 04:00:00Z\n"
    ) in said


def test_show_tells_alerts_of_a_blind_rule_apart(opssage, httpserver, incident, alerts):
    """They say nothing of what the rule looks at; and an alert may come without a name."""
    alerts["items"] = [
        {"status": "firing", "alert_class": kind} for kind in ("no_data", "condition")
    ]
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(incident(alert_name=""))

    said = opssage("show", ID, "--url", httpserver.url_for("")).stdout.splitlines()

    assert said[0] == "(no name)  critical  shop/checkout"
    assert "  Alerts      1 firing, 1 firing for want of data" in said


@pytest.mark.parametrize(
    ("cursor", "line"),
    [
        (None, "  Alerts      2 firing, 1 resolved"),
        ("a", "  Alerts      2 firing, 1 resolved, and more"),
    ],
)
def test_show_counts_the_alerts(opssage, httpserver, incident, alerts, cursor, line):
    """Up to a page of them."""
    alerts["items"] = [{"status": status} for status in ("resolved", "firing", "firing")]
    alerts["next_cursor"] = cursor
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(incident())

    said = opssage("show", ID, "--url", httpserver.url_for("")).stdout

    assert said.splitlines()[2] == line


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"acked_at": "2026-11-23T03:10:00Z", "acked_by": "ada"},
            "  Acked       by ada · 2026-11-23 03:10:00Z",
        ),
        ({"flap_count": 2, "flapping": False}, "  Reopened    2×"),
        (
            {"flap_count": 6, "flapping": True},
            "  Reopened    6×: flapping, and not diagnosed again by itself",
        ),
        ({"truncated_alerts": 5}, "  Partial     its sender left out up to 5 alerts"),
    ],
)
def test_show_tells_what_bears_on_a_diagnosis(opssage, httpserver, incident, changes, line):
    """Who looks after it, whether it comes back, and whether all of it is known."""
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(incident(**changes))

    said = opssage("show", ID, "--url", httpserver.url_for("")).stdout

    assert said.splitlines()[2] == line


def test_show_orders_the_spread_by_distance_from_the_root(opssage, httpserver, incident):
    """The victims are a list: one does not pass the trouble on to the next."""
    path = ["node/worker-2", "service/search-api", "service/catalog-api", "service/web"]
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(
        incident(report={"propagation": path})
    )

    said = opssage("show", ID, "--url", httpserver.url_for("")).stdout

    assert (
        "  Spread      node/worker-2, then service/search-api, service/catalog-api, service/web\n"
        in said
    )


def test_show_tells_the_event_and_whose_it_is(opssage, httpserver, incident):
    """Where it began, the way from there, and the other incidents."""
    members = [
        {
            "incident_id": "i2",
            "alert_name": "DbDown",
            "component": "service/db",
            "reason": "neighbour",
        },
        {"incident_id": ID, "alert_name": "A", "component": "service/web", "reason": "itself"},
    ]
    event = {
        "members": members,
        "likely_root": {"component": "service/db"},
        "path": ["service/db", "service/web"],
    }
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(
        incident(report={"owner": "team-a"}, enhanced_context={"event": event})
    )

    said = opssage("show", ID, "--url", httpserver.url_for("")).stdout

    assert (
        "  Event       of 2 incidents, began at service/db · service/db → service/web\n"
        "  Linked      i2  DbDown of service/db (neighbour)\n" in said
    )
    assert "  Component   service/checkout · owner: team-a\n" in said


@pytest.mark.parametrize(
    ("verdict", "lines"),
    [
        ("fault", ["Or else     8 %  A wrong limit", "            <1 %  Something else"]),
        (
            "insufficient_evidence",
            [
                "Possible    91 %  A wrong password",
                "            8 %  A wrong limit",
                "            <1 %  Something else",
            ],
        ),
    ],
)
def test_show_names_the_other_causes(opssage, httpserver, incident, verdict, lines):
    """The runners-up to a verdict; all leads where there is none."""
    causes = (("A wrong password", 0.91), ("A wrong limit", 0.084), ("Something else", 0.0023))
    ranked = [{"title": title, "probability": chance} for title, chance in causes]
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(
        incident(report={"verdict": verdict, "hypotheses": ranked})
    )

    said = opssage("show", ID, "--url", httpserver.url_for("")).stdout

    assert "".join(f"  {line}\n" for line in lines) in said


def test_show_tells_why_an_incident_does_not_move(opssage, httpserver, incident):
    """The error of the last attempt, how many there were, and what became of the alerts."""
    stuck = incident(
        status="context_collected",
        diagnostic_report=None,
        resolved_at="2026-11-23T03:20:00.000000Z",
        last_error={"class": "OSError", "message": "no runbooks", "attempts": 2},
    )
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(stuck)

    result = opssage("show", ID, "--url", httpserver.url_for(""))

    _, status, error, _ = result.stdout.splitlines()
    assert status == (
        "  Status      context collected · resolved 2026-11-23 03:20:00Z"
        " · opened 2026-11-23 03:00:00Z"
    )
    assert error == "  Last error  OSError: no runbooks (attempts: 2)"


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


def test_watch_has_no_steps_to_tell_of_a_diagnosed_incident(opssage, httpserver, incident):
    """They happened before anybody watched."""
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(incident())

    result = opssage("watch", ID, "--url", httpserver.url_for(""))

    assert (result.exit_code, result.stderr) == (0, "")
    assert "Root cause" in result.stdout


def test_retry_starts_an_incident_anew(opssage, httpserver, incident):
    """Id, status and address, as `send` tells them."""
    httpserver.expect_request(f"/api/v1/incidents/{ID}/retry", method="POST").respond_with_json(
        incident(status="pending", diagnostic_report=None), 202
    )

    result = opssage("retry", ID, "--url", httpserver.url_for(""))

    assert result.exit_code == 0, result.output
    assert result.stdout == f"{ID}\tpending\t{httpserver.url_for(f'/api/v1/incidents/{ID}')}\n"


def test_retry_wait_shows_the_diagnosis(opssage, httpserver, incident):
    """The code is that of the diagnosis."""
    httpserver.expect_request(f"/api/v1/incidents/{ID}/retry", method="POST").respond_with_json(
        incident(status="pending", diagnostic_report=None), 202
    )
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(
        incident(report={"verdict": "insufficient_evidence"})
    )

    result = opssage("retry", ID, "--wait", "--url", httpserver.url_for(""))

    assert result.exit_code == 10
    assert result.stderr.startswith("accepted ")
    assert "not enough evidence" in result.stdout


def test_retry_says_why_it_cannot(opssage, httpserver):
    """An incident that is being worked on is left alone."""
    why = f"incident {ID} is still being worked on; wait for it"
    httpserver.expect_request(f"/api/v1/incidents/{ID}/retry", method="POST").respond_with_json(
        {"title": "Conflict", "detail": why}, 409, content_type="application/problem+json"
    )

    result = opssage("retry", ID, "--url", httpserver.url_for(""))

    assert (result.exit_code, result.stderr) == (1, f"Error: Conflict (409): {why}\n")


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


def test_the_address_comes_from_the_stack_on_a_data_folder(opssage, httpserver, tmp_path):
    """`up --data DIR` is found with `--data DIR`, whatever the environment says."""
    httpserver.expect_request("/api/v1/incidents").respond_with_json(
        {"items": [], "next_cursor": None}
    )
    data = tmp_path / "elsewhere"

    with running.claimed(data):
        running.announce(data, {"OPSSAGE_PUBLIC_URL": httpserver.url_for("").rstrip("/")})
        env = {"OPSSAGE_PUBLIC_URL": "http://127.0.0.1:1"}
        result = opssage("incidents", "--data", data, env=env)

    assert result.exit_code == 0, result.output


def test_a_data_folder_without_a_stack_is_told(opssage, tmp_path):
    """Nothing else is asked instead."""
    result = opssage("incidents", "--data", tmp_path)

    assert result.exit_code == 4
    assert f"no `opssage up` of yours is ready on {tmp_path}" in result.stderr


def test_show_does_not_name_the_unknown_where_nothing_else_is_possible(
    opssage, httpserver, incident
):
    """That it is 100 % something unknown reads as a finding."""
    unknown = {"cause": "something_else", "title": "Something unknown", "probability": 1.0}
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(
        incident(report={"verdict": "insufficient_evidence", "hypotheses": [unknown]})
    )

    said = opssage("show", ID, "--url", httpserver.url_for("")).stdout

    assert "Possible" not in said
