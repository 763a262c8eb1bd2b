"""What could not be seen: said with what a person can run instead."""

from unit.diagnose.evidence_factory import alert, diagnosed

from opssage.diagnosis import Verdict
from opssage.evidence import SourceReport, SourceStatus
from tasks.diagnose.coverage import gaps

FAILED, SKIPPED = SourceStatus.FAILED, SourceStatus.SKIPPED


def report(source, status=FAILED, error="no connection", **changes):
    """A line of the ledger."""
    return SourceReport(source=source, status=status, error=error, **changes)


def checks(*reports):
    """What is advised."""
    return [check for gap in gaps(reports) for check in gap.next_checks]


def test_what_was_not_answered_can_be_run_by_hand():
    """Shell commands, one for each reason, what failed before what was spared."""
    told = checks(
        report("loki", SKIPPED, "labels unknown", by_hand="logcli query '{a=\"b[5m]\"}'"),
        report("loki", query="labels", by_hand="logcli labels"),
        report("loki", query="labels again", by_hand="logcli labels again"),
    )

    assert told == [
        "Ask loki by hand: logcli labels",
        "Ask loki by hand: logcli query '{a=\"b[5m]\"}'",
    ]


def test_of_many_reasons_few_are_worth_a_command():
    """The ledger has them all."""
    assert len(checks(*(report("prometheus", error=f"{n}", by_hand=f"{n}") for n in range(9)))) == 3


def test_one_command_for_two_reasons_is_told_once():
    """Whatever went wrong, it is the same question."""
    told = checks(*(report("loki", error=error, by_hand="logcli labels") for error in "ab"))

    assert told == ["Ask loki by hand: logcli labels"]


def test_without_a_command_the_query_has_to_do():
    """And without a query the source itself is looked at."""
    assert checks(report("fake", query="up")) == ["Ask fake by hand: up"]
    assert checks(report("fake")) == ["See why fake does not answer"]


def test_a_source_nobody_configured_may_not_exist():
    """Nobody is sent to a system that the site may not have."""
    told = checks(report("loki", SourceStatus.NOT_CONFIGURED, by_hand="logcli labels"))

    assert told == ["Configure loki, or look there by hand"]


def test_with_all_sources_dead_the_report_says_what_to_run():
    """No verdict is guessed, and each source has its command."""
    dead = [report(name, by_hand=f"ask {name}") for name in ("kubernetes", "loki", "prometheus")]

    told = diagnosed(alert("HighErrorRate", service="web"), sources=dead)

    assert told.verdict is Verdict.INSUFFICIENT_EVIDENCE
    for each in dead:
        assert f"Ask {each.source} by hand: ask {each.source}" in told.next_checks
        assert f"{each.source} answered 0 of 1 questions" in told.root_cause
