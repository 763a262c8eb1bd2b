"""Sources that are away are left alone, and waited for only a while."""

from dataclasses import dataclass, field

import pytest
from unit.collect.stand_ins import make_alert, make_scope

from opssage.evidence import SourceReport, SourceStatus
from tasks.collect import Answer, outage
from tasks.collect.outages import FAILURES_TO_REST, REST_SECONDS, Guarded
from tasks.collect.source import RuleFacts


@dataclass
class Moody:
    """A source that is up or down as told."""

    is_up: bool = False
    name: str = "prometheus"
    asked: int = 0

    def ask(self, scope, deadline):
        """Answer by mood."""
        self.asked += 1
        first, rest = SourceStatus.FAILED, SourceStatus.SKIPPED
        if self.is_up:
            first, rest = SourceStatus.EMPTY, SourceStatus.FAILED
        error = "" if self.is_up else "no connection: refused"
        return Answer(
            reports=tuple(
                SourceReport(source=self.name, status=s, error=error) for s in (first, rest)
            )
        )


@dataclass
class Clock:
    """Seconds that pass when told."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Bench:
    """A guarded source on a clock."""

    source: Moody = field(default_factory=Moody)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self):
        self.guarded = Guarded(self.source, self.clock)

    def ask(self, times=1):
        """Ask several times; return the last answer."""
        for _ in range(times):
            answer = self.guarded.ask(None, 0.0)
        return answer


@pytest.fixture
def bench():
    """A source that is down."""
    return Bench()


def test_a_source_that_keeps_failing_is_not_asked_for_a_while(bench):
    """The ledger says so; nobody waits for its time-outs."""
    bench.ask(FAILURES_TO_REST)

    answer = bench.ask()

    assert bench.source.asked == FAILURES_TO_REST
    assert answer.reports[0].status is SourceStatus.FAILED
    assert answer.reports[0].error == (
        "not asked: it has failed 2 times in a row, the last time with: no connection: refused"
    )


def test_a_rested_source_is_asked_again(bench):
    """One answer, even an empty one, ends its rest for good."""
    bench.ask(FAILURES_TO_REST)
    bench.clock.seconds += REST_SECONDS
    bench.source.is_up = True

    assert bench.ask().reports[0].status is SourceStatus.EMPTY

    assert bench.guarded.failing_seconds is None


def test_an_outage_is_when_all_sources_fail():
    """One that answers is enough to go on with."""
    down, up = Bench(), Bench(Moody(is_up=True, name="loki"))
    down.ask()
    up.ask()

    assert outage([down.guarded, up.guarded], 60) is None
    assert outage([down.guarded], 60) == "prometheus"


def test_an_old_outage_is_not_waited_for(bench):
    """What has been away for long, or was never there, delays no diagnosis."""
    for _ in range(7):
        bench.ask()
        bench.clock.seconds += REST_SECONDS

    assert outage([bench.guarded], 60) is None


def test_without_a_guarded_source_there_is_no_outage(bench):
    """A site without sources is diagnosed at once; so is one that was not asked yet."""
    assert outage([], 60) is None
    assert outage([Moody()], 60) is None
    assert outage([bench.guarded], 60) is None


def test_rest_does_not_make_an_outage_older(bench):
    """The source may be back: what has not been asked does not fail."""
    bench.ask(FAILURES_TO_REST)
    bench.clock.seconds += REST_SECONDS - 1

    assert bench.guarded.failing_seconds == 0
    assert outage([bench.guarded], 5) == "prometheus"


def test_a_failure_long_after_another_begins_a_new_outage(bench):
    """Nobody asked meanwhile, so nobody knows that it was away all the time."""
    bench.ask()
    bench.clock.seconds += 3600
    bench.ask()

    assert outage([bench.guarded], 60) == "prometheus"


def test_a_source_that_saw_nothing_itself_does_not_end_an_outage(bench):
    """Alertmanager answers while Prometheus is away: there is still nothing to diagnose by."""
    hearsay = Guarded(Moody(), is_witness=False)
    bench.ask()

    assert outage([bench.guarded, hearsay], 60) == "prometheus"


@dataclass
class Silent(Moody):
    """A source that says nothing about rules either."""

    def rule_facts(self, alerts, deadline):
        """Wait in vain."""
        report = SourceReport(source=self.name, status=SourceStatus.FAILED, error="too slow")
        return RuleFacts(reports=(report,), is_silent=True)


def test_a_source_that_is_silent_about_the_rules_is_not_waited_for_again():
    """Its one silence counts as one failure, and the ledger has why."""
    bench = Bench(Silent())
    scope = make_scope(make_alert())

    bench.guarded.rule_facts(scope.alerts, 0.0)
    answer = bench.guarded.ask(scope, 0.0)

    assert bench.source.asked == 0
    assert bench.guarded.failing_seconds == 0
    (report,) = answer.reports
    assert report.error == "not asked: it did not answer about the rules (too slow)"


def test_silence_about_one_incident_is_not_held_against_the_next():
    """Nor is the same incident given up when it is looked into again."""
    bench = Bench(Silent())
    scope, other = make_scope(make_alert()), make_scope(make_alert({"alertname": "B"}))
    bench.guarded.rule_facts(scope.alerts, 0.0)

    for asked in (other, scope, scope):
        bench.clock.seconds += REST_SECONDS
        bench.guarded.ask(asked, 0.0)

    assert bench.source.asked == 2
