"""What could not be seen: said with what a person can run instead."""

from unit.diagnose.evidence_factory import alert, diagnosed

from opssage.diagnosis import Verdict
from opssage.evidence import NO_VALUE, SourceReport, SourceStatus
from tasks.diagnose.coverage import gaps

FAILED, SKIPPED = SourceStatus.FAILED, SourceStatus.SKIPPED


def report(source, status=FAILED, error="no connection", **changes):
    """A line of the ledger."""
    return SourceReport(source=source, status=status, error=error, **changes)


def checks(*reports):
    """What is advised."""
    return [check for gap in gaps(reports) for check in gap.next_checks]


def test_what_was_not_answered_can_be_run_by_hand():
    """Shell commands, one for each reason: what a person wants, what failed, what was spared."""
    told = checks(
        report("loki", SKIPPED, "no way in", query="x", by_hand="logcli query '{x=\"y\"}'"),
        report("loki", query="labels", by_hand="logcli labels"),
        report("loki", query="labels again", by_hand="logcli labels again"),
        report("loki", SKIPPED, "labels unknown", by_hand="logcli query '{a=\"b[5m]\"}'"),
    )

    assert told == [
        "Ask loki by hand: logcli query '{a=\"b[5m]\"}'",
        "Ask loki by hand: logcli labels",
        "Ask loki by hand: logcli query '{x=\"y\"}'",
    ]


def test_of_many_reasons_few_are_worth_a_command():
    """The ledger has them all."""
    assert len(checks(*(report("prometheus", error=f"{n}", by_hand=f"{n}") for n in range(9)))) == 3


def test_one_command_for_two_reasons_is_told_once():
    """Whatever went wrong, it is the same question."""
    told = checks(*(report("loki", error=error, by_hand="logcli labels") for error in "ab"))

    assert told == ["Ask loki by hand: logcli labels"]


def test_without_a_command_the_query_has_to_do():
    """It is no command, and not called one. Without a query the source itself is looked at."""
    assert checks(report("fake", query="up")) == ["Ask fake for up"]
    assert checks(report("fake")) == ["See why fake does not answer"]


def test_a_command_with_a_secret_is_left_out():
    """Masked it may fall apart, and a shell would run what fell out."""
    told = checks(report("fake", query="up", by_hand="""ask 'pwd='"'"'; touch x #'"""))

    assert told == ["Ask fake for up"]


def test_a_source_nobody_configured_may_not_exist():
    """To configure it is said first; its command helps where it does."""
    told = checks(report("loki", SourceStatus.NOT_CONFIGURED, by_hand="logcli labels"))

    assert told == ["Configure loki, or look there by hand: logcli labels"]
    assert checks(report("fake", SourceStatus.NOT_CONFIGURED)) == [
        "Configure fake, or look there by hand"
    ]


def test_with_all_sources_dead_the_report_says_what_to_run():
    """No verdict is guessed, and each source has its command."""
    dead = [report(name, by_hand=f"ask {name}") for name in ("kubernetes", "loki", "prometheus")]

    told = diagnosed(alert("HighErrorRate", service="web"), sources=dead)

    assert told.verdict is Verdict.INSUFFICIENT_EVIDENCE
    for each in dead:
        assert f"Ask {each.source} by hand: ask {each.source}" in told.next_checks
        assert f"{each.source} answered 0 of 1 questions" in told.root_cause


def statements(*reports):
    """What is said of what could not be seen."""
    return [gap.statement for gap in gaps(reports)]


def test_a_source_of_another_cluster_holds_nothing_on_the_places():
    """That it tells its labels and metrics is no evidence of them."""
    empty = SourceStatus.EMPTY
    told = statements(
        report("prometheus", SourceStatus.OK, query="/api/v1/label/__name__/values"),
        report("prometheus", empty, query='errors{service="web"}'),
        report("loki", SourceStatus.OK, query="labels"),
        report("loki", empty, query='{app="web"}'),
    )

    assert told == [
        "loki holds nothing on the places asked about",
        "prometheus holds nothing on the places asked about",
    ]


def test_a_prometheus_that_does_not_evaluate_the_rule_is_told():
    """Confidence does not fall for it: an alert may be over."""
    own = report("prometheus", SourceStatus.EMPTY, error=NO_VALUE, query="errors")
    nodes = report("prometheus", SourceStatus.OK, query="node_load1")

    (gap,) = gaps([own, nodes])

    assert gap.statement == "prometheus has no value of the alert's own expression"
    assert gap.factor == 1.0


def test_a_command_says_what_it_leaves_out_where_that_was_refused():
    """Credentials never stand in a report."""
    told = checks(
        report(
            "prometheus", error="not allowed: check the credentials (HTTP 401)", by_hand="curl x"
        )
    )

    assert told == [
        "Ask prometheus by hand: curl x  # add the source's credentials (-u or -H) and --cacert"
    ]
