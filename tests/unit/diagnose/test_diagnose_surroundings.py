"""What was reported to have changed, and what else fires, as a diagnosis reads it."""

import pytest
from unit.diagnose.evidence_factory import (
    alert,
    diagnosed,
    edge,
    errors,
    metric,
    nearby,
    reported,
    rollout,
)

from opssage.diagnosis import Verdict

WEB = alert("ErrorsHigh", namespace="shop", service="web")


def actions(report):
    """Return what to do at once, sentence by command."""
    return {each.action: each.command for each in report.recommended_remediation.short_term_actions}


def test_a_reported_deploy_is_read_as_a_rollout_is():
    """With who did it; it is undone by running what ran before."""
    told = {"from": "1.7.3", "to": "1.8.0", "by": "ann"}

    report = diagnosed(WEB, errors("web"), reported("deploy", "web", **told))

    assert report.hypotheses[0].cause == "deploy_regression"
    assert "120 s after the deploy 1.7.3 → 1.8.0" in report.root_cause
    assert any("of web by ann" in each for each in report.reasoning_steps)
    assert any("before the deploy 1.7.3 → 1.8.0" in each for each in actions(report))


def test_one_change_that_two_sources_saw_is_one_finding():
    """What was reported says who; both are cited."""
    report = diagnosed(WEB, errors("web"), rollout("web"), reported("deploy", "web", by="ann"))

    told = next(each for each in report.reasoning_steps if "deploy of web by ann" in each)
    assert "(and 1 more alike)" in told
    assert "[E4, E3]" in told


@pytest.mark.parametrize("kind", ["flag", "config", "migration"])
def test_what_no_rollout_changed_is_taken_back_by_who_did_it(kind):
    """No command rolls anything back."""
    told = {"from": "off", "to": "on", "summary": "new-cart [E9]"}

    report = diagnosed(WEB, errors("web"), reported(kind, "web", **told))

    assert report.hypotheses[0].cause == "deploy_regression"
    found = actions(report)
    assert f"Take back what was changed of web: {kind} off → on, new-cart (E9)" in found
    assert not any("rollout undo" in command for command in found.values())


@pytest.mark.parametrize("kind", ["scale", "infrastructure", "other"])
def test_a_change_of_another_kind_is_no_regression(kind):
    """It changed nothing of what the service does."""
    report = diagnosed(WEB, errors("web"), reported(kind, "web"))

    assert all(each.cause != "deploy_regression" for each in report.hypotheses)


def test_another_alert_does_not_have_to_be_explained():
    """Only the incident's own weigh against a cause that does not reach them."""
    evidence = [WEB, errors("web"), rollout("web")]
    alone = diagnosed(*evidence)

    beside = diagnosed(*evidence, nearby("DiskFull", node="n9", relation="elsewhere"))

    assert beside.root_cause == alone.root_cause
    assert beside.confidence_score == alone.confidence_score
    assert diagnosed(*evidence, alert("DiskFull", node="n9")).confidence_score < (
        alone.confidence_score
    )


@pytest.mark.parametrize(("starts", "counts"), [(60, True), (-7200, False)])
def test_another_alert_of_the_same_time_speaks_for_its_component(starts, counts):
    """One of hours ago is of another trouble."""
    evidence = [
        WEB,
        errors("web"),
        errors("pay"),
        metric("edge_error_ratio", edge("web", "pay"), 0, 0.4),
    ]

    def of_pay(report):
        return sum(
            each.probability for each in report.hypotheses if each.component == "service/pay"
        )

    fires = nearby("PayDown", starts=starts, namespace="shop", service="pay")
    report = diagnosed(*evidence, fires)

    assert (of_pay(report) > of_pay(diagnosed(*evidence))) is counts
    told = [
        each for each in report.supporting_evidence if "another alert PayDown" in each.statement
    ]
    assert bool(told) is counts


def test_who_depends_on_the_root_and_alerts_too_is_a_victim():
    """Though it is not of this incident."""
    report = diagnosed(
        WEB,
        errors("web"),
        rollout("web"),
        nearby("FrontSlow", namespace="shop", service="front"),
        calls={"front": ("web",)},
    )

    assert report.propagation == ("service/web", "service/front")


def test_what_was_changed_is_told_even_if_nothing_else_was_seen():
    """It is what a person would look at first."""
    report = diagnosed(WEB, reported("deploy", "web"), nearby("PayDown", service="pay"))

    assert report.verdict is Verdict.INSUFFICIENT_EVIDENCE
    told = " ".join(report.reasoning_steps)
    assert "deploy of web at" in told
    assert "another alert PayDown is firing for pay" in told
