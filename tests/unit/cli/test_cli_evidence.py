"""`opssage evidence`: what a diagnosis rests on, in a terminal."""

import json

import pytest

ID = "019a0000-0000-7000-8000-000000000001"
POINTS = [[n * 15, n] for n in range(100)]
LOG = {
    "evidence_id": "E2",
    "kind": "log",
    "source": "loki",
    "summary": "12 lines say\x1b[2J access denied",
    "observed_at": "2026-11-23T03:00:07.000000Z",
    "subject": {"service": "web"},
    "query": '{app="web"}',
    "window": None,
    "data": {"examples": ["access denied for ann"], "first_at": None},
}
METRIC = {
    **LOG,
    "evidence_id": "E1",
    "kind": "metric",
    "source": "prometheus",
    "summary": "errors rose",
    "data": {"points": POINTS, "last": 99},
}
DEAD = {
    "source": "prometheus",
    "status": "failed",
    "query": "up",
    "duration_seconds": 0.25,
    "error": "no connection",
    "by_hand": 'curl -s "$PROMETHEUS_URL/api/v1/query" --data-urlencode query=up',
}


@pytest.fixture
def evidence(opssage, httpserver, incident):
    """Run `opssage evidence` on an incident with two pieces; returns click's result."""
    collected = {"metrics": [METRIC], "logs": [LOG], "events": []}
    context = {"evidence_collected": collected, "sources": [DEAD]}
    cited = [{"evidence_id": "E2", "statement": "access denied"}]
    document = incident(primary_context=context, report={"supporting_evidence": cited})
    httpserver.expect_request(f"/api/v1/incidents/{ID}").respond_with_json(document)
    return lambda *words: opssage("evidence", ID, *words, "--url", httpserver.url_for(""))


def test_evidence_is_listed_with_what_the_diagnosis_cites(evidence):
    """One line each; what came with logs cannot steer a terminal."""
    result = evidence()

    assert result.exit_code == 0, result.output
    assert [line.split("\t") for line in result.stdout.splitlines()] == [
        ["E1", "metric", "prometheus", "2026-11-23T03:00:07Z", "", "errors rose"],
        ["E2", "log", "loki", "2026-11-23T03:00:07Z", "yes", "12 lines say [2J access denied"],
    ]


def test_one_piece_of_evidence_is_shown_whole(evidence):
    """By the id that a diagnosis cites, in either case."""
    said = evidence("e2").stdout

    assert "access denied for ann" in said
    assert "{app=" in said
    assert "\x1b" not in said


def test_points_of_a_series_are_thinned(evidence):
    """Nobody reads a hundred; JSON has them all."""
    assert "every 9th of 100" in evidence("E1").stdout
    assert json.loads(evidence("E1", "--json").stdout)["data"]["points"] == POINTS


def test_ledger_has_what_to_run_by_hand(evidence):
    """With the credentials that the commands leave out named, not told."""
    result = evidence("--ledger")

    assert result.stdout == "prometheus\tfailed\t0.25\tup\tno connection\n"
    assert DEAD["by_hand"] in result.stderr
    assert "--cacert" in result.stderr


@pytest.mark.parametrize(("words", "code"), [(("E9",), 5), (("E1", "--ledger"), 2)])
def test_evidence_that_is_not_there_is_an_error(evidence, words, code):
    """With the way out."""
    assert evidence(*words).exit_code == code
