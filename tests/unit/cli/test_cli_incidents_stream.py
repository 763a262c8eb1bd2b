"""`opssage incidents --all`: any number of incidents, as they arrive."""

import csv
import io
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from werkzeug import Response

from cli.client import Client

ID = "019a0000-0000-7000-8000-000000000001"


def pages(httpserver, rows: int, **query) -> list[str]:
    """Serve a list of so many incidents in pages of 200; returns the cursors asked for."""
    asked = []

    def answer(request):
        start = int(request.args.get("cursor", 0))
        asked.append(str(start))
        assert request.args.get("limit") == "200"
        assert {name: request.args.get(name) for name in query} == query
        items = [{"incident_id": str(number)} for number in range(start, min(start + 200, rows))]
        more = str(start + 200) if start + 200 < rows else None
        return Response(json.dumps({"items": items, "next_cursor": more}))

    httpserver.expect_request("/api/v1/incidents").respond_with_handler(answer)
    return asked


def test_all_incidents_stream_as_json_lines(opssage, httpserver):
    """--all walks every page of the filter, and writes a document a line."""
    asked = pages(httpserver, 450, severity="critical", archived="true", service="cart")

    result = opssage(
        *("incidents", "--all", "--format", "jsonl", "--archived", "--url", httpserver.url_for("")),
        *("--severity", "critical", "--service", "cart"),
    )

    assert result.exit_code == 0, result.output
    assert asked == ["0", "200", "400"]
    assert [json.loads(line)["incident_id"] for line in result.stdout.splitlines()] == [
        str(number) for number in range(450)
    ]


def test_a_page_is_asked_for_when_the_one_before_is_used_up(httpserver):
    """A million incidents cost the memory of two hundred."""
    asked = pages(httpserver, 1_000_000)

    with Client(httpserver.url_for("")) as client:
        found = client.every_incident({})
        assert asked == []
        list(itertools.islice(found, 200))
        assert asked == ["0"]
        next(found)
        assert asked == ["0", "200"]


def test_rows_are_written_before_the_next_page_is_asked_for(opssage, httpserver, incident):
    """What came is there, whatever becomes of the rest; the code tells that there is more."""
    first = {"items": [incident()], "next_cursor": "older"}

    for form in ("jsonl", "csv"):
        httpserver.clear()
        httpserver.expect_ordered_request("/api/v1/incidents").respond_with_json(first)
        httpserver.expect_ordered_request("/api/v1/incidents").respond_with_data("no", 503)
        words = ("incidents", "--all", "--format", form, "--url", httpserver.url_for(""))
        result = opssage(*words)

        assert (result.exit_code, ID in result.stdout) == (4, True)


def test_incidents_as_csv_have_a_header(opssage, httpserver, incident):
    """One row an incident; nothing in it steers a terminal or is computed by a spreadsheet."""
    odd = incident(alert_name='=HYPERLINK("x")', root_cause="a,\x1b b", namespace=None)
    httpserver.expect_request("/api/v1/incidents").respond_with_json(
        {"items": [odd], "next_cursor": None}
    )

    result = opssage("incidents", "--format", "csv", "--url", httpserver.url_for(""))

    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert result.stdout.startswith(
        "incident_id,status,created_at,updated_at,resolved_at,archived_at,alert_name,severity,"
        "namespace,service,sender,receiver,revision,previous_id,confidence_score,root_cause\n"
    )
    assert row["incident_id"] == ID
    assert (row["alert_name"], row["namespace"]) == ('\'=HYPERLINK("x")', "")
    assert (row["root_cause"], row["confidence_score"]) == ("a,  b", "0.86")


def test_a_json_document_does_not_stream(opssage):
    """An array is whole or nothing, so --all wants lines."""
    result = opssage("incidents", "--all", "--json")

    assert result.exit_code == 2
    assert "jsonl" in result.stderr


def test_a_query_that_is_refused_writes_no_heading(opssage, httpserver):
    """A file of headings alone would pass for an empty answer; the option at fault is named."""
    problem = {
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "",
        "errors": {"query": {"created_after": ["Not a valid datetime."]}},
    }
    httpserver.expect_request("/api/v1/incidents").respond_with_json(problem, 422)

    for words in (("--all",), ()):
        result = opssage(
            *("incidents", *words, "--format", "csv", "--created-after", "soon"),
            *("--url", httpserver.url_for("")),
        )
        assert (result.exit_code, result.stdout) == (2, "")
        assert "--created-after: Not a valid datetime." in result.stderr


def test_an_empty_list_as_csv_is_its_heading(opssage, httpserver):
    """Nothing found is an answer."""
    pages(httpserver, 0)

    result = opssage("incidents", "--all", "--format", "csv", "--url", httpserver.url_for(""))

    assert result.stdout.startswith("incident_id,")
    assert len(result.stdout.splitlines()) == 1


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_reader_that_has_enough_ends_the_list(httpserver, tmp_path, form):
    """`opssage incidents --all | head` ends as any command before `head`: 141, without a word."""
    pages(httpserver, 100_000)
    words = ("incidents", "--all", "--format", form, "--url", httpserver.url_for(""))

    assert cut_off(words, tmp_path) == (141, b"")


def test_a_reader_that_has_enough_ends_a_diagnosis(httpserver, tmp_path, incident):
    """What people read is cut off in the same way."""
    many = [{"evidence_id": f"E{number}", "statement": "x" * 999} for number in range(200)]
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(
        incident(report={"supporting_evidence": many})
    )
    httpserver.expect_request(f"/api/v1/incidents/{ID}/alerts").respond_with_json(
        {"items": [], "next_cursor": None}
    )

    assert cut_off(("show", ID, "--url", httpserver.url_for("")), tmp_path) == (141, b"")


def cut_off(words, folder):
    """Run `opssage` until its first line has been read; returns its code and what it said."""
    with subprocess.Popen(
        [sys.executable, "-c", "from cli.main import main; main()", *words, "--token", "x"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout.readline()
        running.stdout.close()
        said = running.stderr.read()
        return running.wait(), said
