"""What people read. The texts are examples of whole messages."""

from dataclasses import replace
from uuid import UUID

import pytest
from factories import NOON

from opssage.incident import Incident, Status
from opssage.notification import Event
from tasks.notify import message, trial

BASE_URL = "https://sage.example.com"
REPORT = {
    "verdict": "fault",
    "category": "configuration",
    "recommended_remediation": {
        "short_term_actions": [
            {"action": "Delete the pod", "risk": "high"},
            {
                "action": "Correct the value",
                "risk": "low",
                "command": "kubectl edit configmap checkout",
                "verify": "the pods become ready",
            },
        ]
    },
    "next_checks": [],
}
ANSWERED = Incident(
    incident_id=UUID("019a0000-0000-7000-8000-000000000001"),
    status=Status.COMPLETED,
    created_at=NOON,
    updated_at=NOON,
    alert_name="PodCrashLooping",
    severity="critical",
    namespace="shop",
    service="checkout",
    root_cause="The value of DATABASE_URL is invalid",
    confidence_score=0.86,
    diagnostic_report=REPORT,
)
GIVEN_UP = replace(
    ANSWERED,
    status=Status.FAILED,
    root_cause=None,
    confidence_score=None,
    diagnostic_report=None,
    last_error={"class": "SourceError", "message": "no route", "stage": "collect", "attempts": 5},
)


def told(incident=ANSWERED, event=Event.COMPLETED, revision=1):
    return message(incident, event, revision, BASE_URL)


def test_answer_says_what_to_know_and_what_to_do():
    """Verdict, cause, confidence, the first safe step, what it is about and where to read on."""
    sent = told()

    assert sent.title == (
        "[critical] PodCrashLooping on shop/checkout: The value of DATABASE_URL is invalid"
    )
    assert sent.body == (
        "Verdict: fault, configuration\n"
        "Root cause: The value of DATABASE_URL is invalid\n"
        "Confidence: high (0.86)\n"
        "Do first: Correct the value (risk: low)\n"
        "Command: kubectl edit configmap checkout\n"
        "Then: the pods become ready\n"
        "Alert: PodCrashLooping, critical\n"
        "Where: shop/checkout\n"
        "Opened: 2026-11-23 12:00:00Z\n"
        "Details: https://sage.example.com/api/v1/incidents/019a0000-0000-7000-8000-000000000001"
    )


def test_failure_says_why_and_how_to_run_it_again():
    """The class of the error and its message."""
    sent = told(GIVEN_UP, Event.FAILED)

    assert sent.title == "[critical] PodCrashLooping on shop/checkout: could not be diagnosed"
    assert sent.body.startswith(
        "Error: SourceError: no route\n"
        "Stage: collect\n"
        "Attempts: 5\n"
        "To run it again: opssage retry 019a0000-0000-7000-8000-000000000001\n"
    )


def test_reopened_incident_says_what_it_was_before():
    """Whoever knew the earlier answer need not look it up."""
    sent = told(event=Event.REOPENED)

    assert sent.title.endswith(": fires again")
    assert sent.body.startswith("Earlier answer: The value of DATABASE_URL is invalid\n")


@pytest.mark.parametrize(
    ("verdict", "headline"),
    [
        ("healthy", "nothing is wrong"),
        ("insufficient_evidence", "not enough evidence to tell the cause"),
    ],
)
def test_title_claims_no_cause_without_one(verdict, headline):
    """A guess does not become a headline."""
    report = {**REPORT, "verdict": verdict, "next_checks": ["Connect Loki"]}

    sent = told(replace(ANSWERED, diagnostic_report=report))

    assert sent.title.endswith(f": {headline}")
    assert "Check next: Connect Loki" in sent.body


@pytest.mark.parametrize(
    ("score", "words"), [(0.8, "high (0.80)"), (0.5, "medium (0.50)"), (0.2, "low (0.20)")]
)
def test_confidence_comes_in_words_and_number(score, words):
    """The words are those of `opssage show`."""
    assert f"Confidence: {words}" in told(replace(ANSWERED, confidence_score=score)).body


def test_only_risky_steps_come_with_their_risk():
    """Nobody is sent to do something dangerous unwarned."""
    steps = {"short_term_actions": [{"action": "Fail over", "risk": "high"}]}
    report = {**REPORT, "recommended_remediation": steps}

    assert (
        "Do first: Fail over (risk: high)" in told(replace(ANSWERED, diagnostic_report=report)).body
    )


def test_late_message_names_both_revisions():
    """It tells of the one it was owed for, and that there is a newer one."""
    newer = replace(ANSWERED, revision=3, status=Status.CONTEXT_COLLECTED)

    assert (
        "Revision: 2; revision 3 has begun since: context collected" in told(newer, revision=2).body
    )
    assert "Revision: 3\n" in told(newer, revision=3).body


def test_failure_that_was_run_again_still_reads():
    """Its error has gone from the row by then."""
    again = replace(GIVEN_UP, status=Status.PENDING, last_error=None)

    body = told(again, Event.FAILED).body

    assert body.startswith("Error: kept in the incident's timeline; it has been run again since\n")
    assert "To run it again" not in body


def test_failure_is_not_told_with_a_later_answer():
    """What was found since belongs to a message of its own."""
    answered = replace(ANSWERED, revision=2)

    assert ANSWERED.root_cause not in told(answered, Event.FAILED).body


def test_secrets_are_masked():
    """Wherever they stand: in an error, in a cause, in a label."""
    error = {"class": "OperationalError", "message": "login failed: password=hunter2hunter2"}
    failed = replace(GIVEN_UP, last_error=error, service="token=abcdefgh12345678")

    sent = told(failed, Event.FAILED)

    assert "hunter2" not in sent.body
    assert "abcdefgh12345678" not in sent.title + sent.body


def test_values_stay_one_line_and_short():
    """An alert cannot add lines to a message, nor steer a terminal."""
    name = "Down\nRoot cause: me\x1b[31m" + "x" * 2000

    sent = told(replace(ANSWERED, alert_name=name))

    assert "\n" not in sent.title
    assert len(sent.title) == 150
    assert [line[:11] for line in sent.body.splitlines()].count("Root cause:") == 1
    assert "\x1b" not in sent.body
    assert max(map(len, sent.body.splitlines())) < 700


def test_trial_says_where_it_comes_from():
    """A test message that arrives tells which OpsSage sent it."""
    assert BASE_URL in trial(BASE_URL).body
