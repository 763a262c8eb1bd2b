"""`opssage ack`: somebody looks after an incident."""

import json

import pytest

ID = "019a0000-0000-7000-8000-000000000001"


@pytest.fixture
def ack(opssage, httpserver):
    """Run `opssage ack` against the server; returns click's result."""
    return lambda *words: opssage("ack", ID, "--url", httpserver.url_for(""), *words)


@pytest.mark.parametrize(("words", "sent"), [((), {}), (("--note", "mine"), {"note": "mine"})])
def test_ack_says_who_looks_after_an_incident(ack, httpserver, incident, words, sent):
    """With what others should know."""
    httpserver.expect_request(
        f"/api/v1/incidents/{ID}/ack", method="PUT", json=sent
    ).respond_with_json(incident(acked_at="2026-11-23T03:10:00Z", acked_by="ada"))

    result = ack(*words)

    assert (result.exit_code, result.stdout) == (0, ""), result.output
    assert result.stderr == f"incident {ID} is looked after by ada\n"


def test_ack_is_taken_back(ack, httpserver, incident):
    """--undo frees the incident for others; --json shows it."""
    freed = incident(acked_at=None, acked_by=None)
    httpserver.expect_request(f"/api/v1/incidents/{ID}/ack", method="DELETE").respond_with_json(
        freed
    )

    assert ack("--undo").stderr == f"nobody looks after incident {ID}\n"
    assert json.loads(ack("--undo", "--json").stdout) == freed


def test_ack_takes_no_note_back(ack):
    """A wrong use."""
    assert ack("--undo", "--note", "mine").exit_code == 2
