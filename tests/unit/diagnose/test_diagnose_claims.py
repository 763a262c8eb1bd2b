"""What must not be claimed: lines without harm, harmless rollouts, health that nobody looked at."""

import pytest
from unit.diagnose.evidence_factory import (
    ALL_ANSWERED,
    alert,
    at,
    diagnosed,
    errors,
    log,
    metric,
    rollout,
    service,
)

from opssage.diagnosis import Verdict
from opssage.evidence import SourceReport, SourceStatus

WEB = alert("ErrorsHigh", namespace="shop", service="web")
LOKI, PROMETHEUS = ALL_ANSWERED
REPLICAS = {"namespace": "shop", "workload": "web"}
YAML_ERROR = "yaml: line 4: mapping values are not allowed in this context"
JWT = "JWT signature verification failed"
DEFAULTS = "invalid configuration file ignored, using defaults"


def own_signal(**data):
    return metric(
        "alert_signal", service("web"), 0.01, 0.01, threshold={"op": ">", "value": 0.05}, **data
    )


def answers(source: str, status: SourceStatus, count: int) -> list[SourceReport]:
    return [
        SourceReport(source=source, status=status, query=f"query {number}", error="HTTP 503")
        for number in range(count)
    ]


UNHARMED = {
    "a line once": [log("web", DEFAULTS, after=1)],
    "a line five times at warning": [log("web", DEFAULTS, after=5, level="warning")],
    "a success and a rollout": [
        log("web", "webhook signature verification ok", level="info"),
        rollout("web"),
    ],
    "a success": [log("web", "signature check passed for release 3.8.0")],
    "a rejected token and a rollout": [
        log("web", JWT, after=1),
        rollout("web", before_onset=600),
    ],
    "many rejected tokens and a rollout": [log("web", JWT), rollout("web", before_onset=600)],
    "a duration": [log("web", "getaddrinfo took 3ms")],
    "a count of 0": [log("web", "0 pending migrations, nothing to do")],
    "a false": [log("web", "deadlock detected=false")],
    "a line of a service elsewhere": [log("reports", YAML_ERROR, after=5)],
    "a rollout that replaces a replica": [
        metric("replicas_unavailable", REPLICAS, 0, 1),
        rollout("web"),
    ],
    "a rollout that replaces two replicas": [
        metric("replicas_unavailable", REPLICAS, 0, 2),
        rollout("web"),
    ],
    "a rejected token, a rollout and the replica it replaces": [
        log("web", JWT, after=1),
        metric("replicas_unavailable", REPLICAS, 0, 1),
        rollout("web"),
    ],
    "a rollout a while ago and a little latency": [
        metric("latency_p99", service("web"), 0.1, 0.16),
        rollout("web", before_onset=840),
    ],
}


@pytest.mark.parametrize("name", UNHARMED)
def test_fault_is_not_claimed_without_harm(name):
    """What hurts nobody, or next to nobody, is a lead at most."""
    report = diagnosed(WEB, *UNHARMED[name])

    assert report.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert report.confidence_score <= 0.3
    assert report.hypotheses[0].cause == "something_else"


def test_lead_without_harm_says_so():
    """The reader is told that the lead rests on words alone."""
    report = diagnosed(WEB, log("web", JWT), rollout("web"))

    assert "Strongest lead: Authentication key regression in service/web" in report.root_cause
    assert "nothing measured shows harm to web or to what depends on it" in report.root_cause


@pytest.mark.parametrize(
    "harm",
    [
        errors("web"),
        metric("restarts", service("web"), 0, 3),
        metric("latency_p99", service("web"), 0.1, 1.2),
        metric("edge_error_ratio", {**service("front"), "peer": "web"}, 0, 0.4),
        own_signal(points=[[at(15 * step).timestamp(), 0.4] for step in range(16)]),
    ],
    ids=lambda item: item.data["signal"],
)
def test_line_beside_harm_is_a_fault(harm):
    """The same line explains a harm that is seen, at the component or at its callers."""
    report = diagnosed(WEB, log("web", JWT), rollout("web"), harm)

    assert (report.verdict, report.root_cause_component) == (Verdict.FAULT, "service/web")


def test_harm_at_a_caller_is_harm_enough():
    """A service nobody measures is at fault for the errors of those that call it."""
    report = diagnosed(
        alert("ErrorsHigh", service="front"),
        errors("front"),
        log("web", "x509: certificate has expired"),
        calls={"front": ("web",)},
    )

    assert report.root_cause_component == "service/web"


def test_harm_elsewhere_is_no_harm_to_a_service_apart():
    """The errors of the alerting service are not explained by a line of one it does not call."""
    report = diagnosed(
        WEB, errors("web"), log("reports", YAML_ERROR), calls={"web": ("db",), "x": ("reports",)}
    )

    assert report.root_cause_component != "service/reports"


def test_doubt_about_the_answer_is_told():
    """What speaks against the fault that is named is told next to it."""
    report = diagnosed(WEB, errors("reports"), log("reports", JWT), rollout("reports"))

    assert any(each.startswith("Against it: does not explain") for each in report.reasoning_steps)


@pytest.mark.parametrize("level", ["warning", "info"])
def test_line_below_error_level_is_believed_less(level):
    """What the program itself makes less of weighs less."""
    loud, quiet = (
        diagnosed(WEB, errors("web"), log("web", DEFAULTS, level=each)) for each in ("error", level)
    )

    assert quiet.confidence_score < loud.confidence_score


UNSEEN = {
    "most of prometheus": [LOKI, PROMETHEUS, *answers("prometheus", SourceStatus.FAILED, 39)],
    "one question": [LOKI, PROMETHEUS, *answers("prometheus", SourceStatus.FAILED, 1)],
    "loki": [PROMETHEUS, *answers("loki", SourceStatus.FAILED, 1)],
}


@pytest.mark.parametrize("name", UNSEEN)
def test_health_is_not_claimed_while_a_question_failed(name):
    """Nobody can say that all is well who could not look."""
    report = diagnosed(WEB, own_signal(), sources=UNSEEN[name])

    assert report.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert report.confidence_score <= 0.3
    assert "HTTP 503" in report.root_cause


def test_trouble_that_passed_is_not_health():
    """Minutes of errors are told as over, not as nothing."""
    points = [[at(15 * step).timestamp(), 0.9 if step < 16 else 0.01] for step in range(24)]

    report = diagnosed(WEB, own_signal(points=points))

    assert report.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert "The trouble has passed" in report.root_cause
    assert report.hypotheses[0].cause == "recovered"


def test_confidence_follows_the_share_of_answers():
    """Each question without an answer costs its share."""
    evidence = [WEB, errors("web"), log("web", JWT)]

    scores = [
        diagnosed(
            *evidence,
            sources=[
                LOKI,
                *answers("prometheus", SourceStatus.OK, 40 - failed),
                *answers("prometheus", SourceStatus.FAILED, failed),
            ],
        ).confidence_score
        for failed in (0, 1, 20, 39, 40)
    ]

    assert scores == sorted(set(scores), reverse=True)
    assert scores[1] > 0.95 * scores[0]


@pytest.mark.parametrize("source", ["loki", "prometheus"])
def test_source_that_holds_nothing_is_not_full_coverage(source):
    """Answers that are all empty say nothing, and the report says so."""
    empty = answers(source, SourceStatus.EMPTY, 5)
    other = [each for each in ALL_ANSWERED if each.source != source]

    whole, part = (
        diagnosed(WEB, own_signal(), sources=sources)
        for sources in (ALL_ANSWERED, [*other, *empty])
    )

    assert part.confidence_score < whole.confidence_score
    assert any(f"{source} holds nothing" in each for each in part.reasoning_steps)


@pytest.mark.parametrize(
    ("line", "cause"),
    [(JWT, "auth_key_regression"), ("invalid credentials", "credentials_rejected")],
)
def test_causes_of_credentials_weigh_alike(line, cause):
    """Keys and passwords that are turned away are the same kind of sign."""
    known = diagnosed(WEB, errors("web"), log("web", line), rollout("web"))
    other = diagnosed(WEB, errors("web"), log("web", JWT), rollout("web"))

    assert known.hypotheses[0].cause == cause
    assert known.confidence_score == other.confidence_score


@pytest.mark.parametrize("line", [JWT, "invalid credentials"])
def test_callers_that_are_turned_away_accuse_what_they_call(line):
    """A service whose callers log rejected credentials is suspected though it logs nothing."""
    report = diagnosed(
        alert("A", service="back"),
        errors("back"),
        log("front", line),
        rollout("back"),
        calls={"front": ("back",)},
    )

    suspected = [each for each in report.hypotheses if each.category == "credentials"]
    assert "service/back" in {each.component for each in suspected}


def test_service_that_rejects_credentials_and_the_one_that_shows_them_are_both_suspected():
    """Which of the two changed is left to the other evidence: here the rollout of one."""
    line = log("web", "401 Unauthorized from http://ledger:8080/pay")
    changed = {
        name: diagnosed(WEB, errors("web"), line, rollout(name)) for name in ("web", "ledger")
    }

    assert changed["web"].root_cause_component == "service/web"
    assert changed["web"].root_cause.startswith("ledger rejects the credentials of service/web")
    assert "service/ledger rejects the credentials of" in "".join(
        each.title for each in changed["ledger"].hypotheses
    )
