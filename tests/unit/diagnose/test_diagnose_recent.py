"""A change before the trouble is told, whether or not anything else is known."""

from unit.diagnose.evidence_factory import alert, diagnosed, errors, reported

from opssage.diagnosis import Verdict
from opssage.evidence import SourceReport, SourceStatus

WEB = alert("ErrorsHigh", namespace="shop", service="web")
NOTHING_ELSE = [
    SourceReport(source=name, status=SourceStatus.NOT_CONFIGURED, error="not set")
    for name in ("kubernetes", "loki", "prometheus")
]


def deploy(**told):
    """A deploy of web, as a pipeline reports it."""
    values = {"from": "3.0", "to": "3.1", "by": "ann", **told}
    return reported("deploy", "web", **{"before_onset": 242, **values})


def test_change_is_the_lead_where_nothing_else_is_known():
    """It is no verdict: nothing shows that it did harm."""
    report = diagnosed(WEB, deploy(), sources=NOTHING_ELSE)

    assert report.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert "Changed before: deploy 3.0 → 3.1 of web by ann at " in report.root_cause
    assert "242 s before the trouble began" in report.root_cause
    assert "Nothing beyond the alerts" not in report.root_cause


def test_change_that_is_told_is_cited():
    """And what to look at comes first of the checks."""
    report = diagnosed(WEB, deploy(), sources=NOTHING_ELSE)

    (cited,) = report.supporting_evidence
    assert cited.statement.startswith("deploy 3.0 → 3.1 of web")
    assert report.next_checks[0].startswith("See what the deploy 3.0 → 3.1 of ")


def test_change_after_the_trouble_began_is_no_lead():
    """It may be somebody's attempt to mend it."""
    report = diagnosed(WEB, deploy(before_onset=-600), sources=NOTHING_ELSE)

    assert "Changed before" not in report.root_cause
    assert report.supporting_evidence == ()


def test_change_that_is_the_cause_is_not_told_beside_it():
    """The verdict accounts for it."""
    report = diagnosed(WEB, errors("web"), deploy())

    assert report.verdict is Verdict.FAULT
    assert "Changed before" not in report.root_cause
