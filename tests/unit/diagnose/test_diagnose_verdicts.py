import pytest
from unit.diagnose.evidence_factory import (
    ALL_ANSWERED,
    alert,
    context,
    diagnosed,
    errors,
    log,
    metric,
    rollout,
    service,
)

from opssage.diagnosis import Verdict
from opssage.evidence import SourceReport, SourceStatus
from opssage.knowledge import EnhancedContext
from opssage.settings import DiagnoseSettings
from tasks.diagnose import diagnose

WEB = alert("ErrorsHigh", namespace="shop", service="web")
ABOVE = {"op": ">", "value": 0.05}


def own_signal(level: float, name: str = "web"):
    return metric("alert_signal", service(name), 0.01, level, threshold=ABOVE)


def test_alert_whose_signal_stays_within_bounds_is_healthy():
    """The alert's own signal was read, is calm, and nothing else deviates."""
    report = diagnosed(WEB, own_signal(0.02))

    assert (report.verdict, report.category) == (Verdict.HEALTHY, "none")
    assert report.root_cause_component is None
    assert [each.evidence_id for each in report.supporting_evidence] == ["E2"]


def test_alert_whose_signal_is_over_its_threshold_is_not_healthy():
    """An alert that is right about its signal is never explained away."""
    report = diagnosed(WEB, own_signal(0.4))

    assert report.verdict is Verdict.INSUFFICIENT_EVIDENCE


def test_calm_signal_beside_a_deviation_is_not_healthy():
    """When anything else is out of order, a calm signal does not make it healthy."""
    report = diagnosed(WEB, own_signal(0.02), errors("api"))

    assert report.verdict is not Verdict.HEALTHY


def test_calm_signal_beside_a_deviation_is_not_healthy_at_any_bar():
    """No setting turns a deviation into health."""
    slight = metric("error_ratio", service("web"), 0, 0.021)
    evidence = context(WEB, own_signal(0.02), slight)

    report = diagnose(evidence, EnhancedContext(), DiagnoseSettings(min_confidence=0.0))

    assert report.verdict is not Verdict.HEALTHY


def test_one_series_over_the_threshold_is_enough_against_health():
    """An alert with a calm and a crossing series is right about the crossing one."""
    report = diagnosed(WEB, own_signal(0.02), own_signal(0.4))

    assert report.verdict is Verdict.INSUFFICIENT_EVIDENCE


def test_alerts_are_healthy_only_when_each_signal_was_read():
    """One calm signal says nothing of the alert on another service."""
    report = diagnosed(WEB, alert("ErrorsHigh", namespace="shop", service="api"), own_signal(0.02))

    assert report.verdict is Verdict.INSUFFICIENT_EVIDENCE


def test_weak_evidence_is_told_as_a_lead():
    """Below the bar the strongest lead and what is missing are told, and no component is named."""
    loki_off = SourceReport(source="loki", status=SourceStatus.NOT_CONFIGURED, error="no URL")

    report = diagnosed(WEB, errors("web"), sources=[ALL_ANSWERED[1], loki_off])

    assert report.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert "Strongest lead: The fault lies in service/web" in report.root_cause
    assert "loki was not asked" in report.root_cause
    assert (report.root_cause_component, report.confidence_score <= 0.3) == (None, True)


@pytest.mark.parametrize("status", [SourceStatus.FAILED, SourceStatus.NOT_CONFIGURED])
def test_source_that_told_nothing_lowers_confidence(status):
    """The same evidence is worth less when a source told nothing, and the report says so."""
    evidence = [WEB, errors("web"), rollout("web")]
    missing = SourceReport(source="loki", status=status, query="{app='web'}", error="HTTP 503")

    whole, part = diagnosed(*evidence), diagnosed(*evidence, sources=[ALL_ANSWERED[1], missing])

    assert part.confidence_score < whole.confidence_score
    assert "loki" in part.reasoning_steps[-1]
    assert any("loki" in each for each in part.next_checks)


def test_source_that_failed_costs_more_than_one_that_is_not_there():
    """Silence of a source that should answer is worse than a source nobody set up."""
    evidence = [WEB, errors("web"), rollout("web")]

    failed, absent = (
        diagnosed(*evidence, sources=[SourceReport(source="loki", status=status)])
        for status in (SourceStatus.FAILED, SourceStatus.NOT_CONFIGURED)
    )

    assert failed.confidence_score < absent.confidence_score


def test_rollout_before_onset_supports_a_regression():
    """A change shortly before the errors makes a regression the verdict."""
    report = diagnosed(WEB, errors("web"), rollout("web", before_onset=120))

    assert report.hypotheses[0].cause == "deploy_regression"
    assert "120 s after the rollout" in report.root_cause


def test_rollout_at_the_onset_is_told_as_such():
    """A change in the very second of the trouble is not told as 0 s before it."""
    report = diagnosed(WEB, errors("web"), rollout("web", before_onset=0))

    (change,) = [each for each in report.supporting_evidence if "rollout" in each.statement]
    assert change.statement.endswith(", as the trouble began")


def test_rollout_after_onset_does_not_support_a_regression():
    """A change that came when the errors were there already is no cause of them."""
    report = diagnosed(WEB, errors("web"), rollout("web", before_onset=-180))

    assert all(each.cause != "deploy_regression" for each in report.hypotheses)
    assert report.verdict is Verdict.INSUFFICIENT_EVIDENCE


def test_rollout_after_the_component_already_failed_is_no_cause():
    """The component's own onset counts, when it is earlier than the alerts'."""
    report = diagnosed(
        WEB,
        errors(
            "web",
        ),
        metric("latency_p99", service("web"), 0.1, 2, onset=-400),
        rollout("web"),
    )

    assert all(each.cause != "deploy_regression" for each in report.hypotheses)


def test_rollout_refutes_what_it_came_after():
    """A rollout after onset is told as speaking against a regression of the keys."""
    lines = log("web", "JWT signature verification failed")

    report = diagnosed(WEB, errors("web"), lines, rollout("web", before_onset=-180))

    assert any("after the trouble began" in each.statement for each in report.hypotheses[0].refutes)


def test_rollout_long_before_onset_does_not_support_a_regression():
    """A change of three hours ago explains nothing new."""
    report = diagnosed(WEB, errors("web"), rollout("web", before_onset=10800))

    assert all(each.cause != "deploy_regression" for each in report.hypotheses)


def test_rejected_hypotheses_say_what_refutes_them():
    """A cause that was considered and dropped is told with the evidence against it."""
    report = diagnosed(
        WEB, errors("web"), log("web", "x509: certificate has expired"), rollout("web")
    )

    rejected = next(each for each in report.hypotheses if each.cause == "deploy_regression")
    assert "certificate has expired" in rejected.refutes[0].statement


def test_probabilities_of_all_hypotheses_leave_room_for_the_unknown():
    """What is shown adds up to at most one, with a share for causes outside the catalogue."""
    report = diagnosed(WEB, errors("web"), rollout("web"))

    assert sum(each.probability for each in report.hypotheses) == pytest.approx(1, abs=0.01)
    assert any(each.cause == "something_else" for each in report.hypotheses)
