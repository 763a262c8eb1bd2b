"""What stands out, and what is missing."""

from unit.collect.stand_ins import ONSET

from opssage.evidence import Evidence, EvidenceKind, SourceReport, SourceStatus
from tasks.collect.analysis import first_sight
from tasks.collect.targets import Targets

SOMEWHERE = Targets(namespaces=("shop",))


def item(kind, summary, **data):
    return Evidence(kind=kind, source="s", summary=summary, observed_at=ONSET, data=data)


def metric(summary, deviation, onset_at="2026-11-23T03:00:00Z"):
    return item(EvidenceKind.METRIC, summary, deviation=deviation, onset_at=onset_at)


def failed(by_hand, error="too slow"):
    return SourceReport(source="prom", status=SourceStatus.FAILED, error=error, by_hand=by_hand)


def test_observations_are_the_strongest_departures():
    """What stayed in its baseline is no observation."""
    seen = [metric("calm", 0.4, onset_at=None), metric("weak", 2.0), metric("strong", 9.0)]

    assert first_sight(seen, [], SOMEWHERE).observations == ("strong", "weak")


def test_observations_count_new_errors_and_earlier_rollouts():
    """Lines and changes stand beside metrics."""
    line = {"count_before": 0, "count_after": 4, "level": "error"}
    seen = [
        metric("metric", 5.0),
        item(EvidenceKind.LOG, "new error", **line),
        item(EvidenceKind.LOG, "known", **{**line, "count_before": 4}),
        item(EvidenceKind.CHANGE, "rollout", seconds_before_onset=60.0),
        item(EvidenceKind.CHANGE, "too late", seconds_before_onset=-60.0),
    ]

    assert first_sight(seen, [], SOMEWHERE).observations == ("rollout", "new error", "metric")


def test_missing_information_names_a_fault_once():
    """With one command to run by hand, as far as there is one."""
    reports = [failed("ask 1"), failed("ask 2"), failed("ask 3", "refused"), failed("", "gone")]

    assert first_sight([], reports, SOMEWHERE).missing_information == (
        "prom did not answer: too slow; to run by hand (and 1 more like it): ask 1",
        "prom did not answer: refused; to run by hand: ask 3",
        "prom did not answer: gone",
    )


def test_missing_information_has_no_command_that_a_mask_would_break():
    """What is told goes through the redaction again, as a whole."""
    report = failed("""ask 'pwd='"'"'; touch x #'""")

    (line,) = first_sight([], [report], SOMEWHERE).missing_information

    assert line == "prom did not answer: too slow"


def test_missing_information_says_that_no_place_is_named():
    """The sender's rule keeps no labels, which is worth mending."""
    (line,) = first_sight([], [], Targets()).missing_information

    assert line.startswith("the alerts name no namespace")


def test_empty_answers_are_not_missing():
    """A source that has no such metric has answered."""
    report = SourceReport(source="prom", status=SourceStatus.EMPTY, query="up")

    assert first_sight([], [report], SOMEWHERE).missing_information == ()
