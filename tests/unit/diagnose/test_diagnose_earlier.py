"""What an earlier revision found is told where this one has no verdict."""

from unit.diagnose.evidence_factory import alert, context, errors, rollout

from opssage.diagnosis import EarlierAnswer, Verdict
from opssage.evidence import SourceReport, SourceStatus
from opssage.knowledge import EnhancedContext
from opssage.settings import DiagnoseSettings
from tasks.diagnose import diagnose

WEB = alert("ErrorsHigh", namespace="shop", service="web")
EARLIER = EarlierAnswer(
    revision=1,
    verdict=Verdict.FAULT,
    root_cause="The pods of web crash on a bad [config].",
    confidence_score=0.97,
)
DEAD = [SourceReport(source="prometheus", status=SourceStatus.FAILED, error="no connection")]


def diagnosed(*evidence, sources=()):
    return diagnose(
        context(*evidence, sources=sources), EnhancedContext(earlier=EARLIER), DiagnoseSettings()
    )


def test_earlier_answer_is_told_when_sources_are_away():
    """Nobody loses a diagnosis because somebody asked again."""
    report = diagnosed(WEB, sources=DEAD)

    told = "Before, revision 1 found a fault, on the evidence it had: The pods of web crash"
    assert report.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert told in report.root_cause
    assert "(confidence 0.97)" in report.root_cause
    assert any(step.startswith(told) for step in report.reasoning_steps)


def test_earlier_answer_is_handed_on():
    """A third look without evidence still tells of the first."""
    assert diagnosed(WEB, sources=DEAD).earlier == EARLIER


def test_earlier_answer_is_not_told_beside_a_verdict():
    """What is known by now replaces it."""
    report = diagnosed(WEB, errors("web"), rollout("web"))

    assert report.verdict is Verdict.FAULT
    assert (report.earlier, "revision 1" in report.root_cause) == (None, False)
