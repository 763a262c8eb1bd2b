"""What goes on a tape, and what a replay makes of it."""

from threading import Event
from time import monotonic

from opssage.evidence import SourceReport, SourceStatus
from tasks.collect import Answer
from tasks.collect.concurrency import run_all
from tasks.collect.outages import FAILURES_TO_REST, Guarded
from tasks.collect.tape import (
    UNFINISHED,
    Exchange,
    Request,
    noting,
    recording,
    replaying,
    settled,
    time_for,
)

ASKED = Request(source="loki", method="GET", path="/labels", params={})


def test_a_question_is_on_the_tape_from_its_beginning():
    """What has not ended is a fault; whichever thread asked."""
    with recording() as tape:
        with noting(ASKED):
            (begun,) = tape.exchanges
        with noting(ASKED) as note:
            run_all([lambda: note(Exchange(request=ASKED, status=200))], workers=1, deadline=soon())

    assert begun == Exchange(request=ASKED, fault=UNFINISHED)
    assert [exchange.status for exchange in tape.exchanges] == [None, 200]


def soon() -> float:
    """A deadline that nobody meets."""
    return monotonic() + 5


def test_without_a_tape_nothing_is_settled_but_by_what_is():
    """Tools that ask sources themselves need no tape."""
    assert settled("spared", value=True, usual=False) is True
    assert time_for(20) == 20


def test_what_goes_as_usual_is_not_recorded():
    """A tape holds what a replay could not know."""
    with recording() as tape:
        settled("spared", value=False, usual=False)
        settled("spared", value=True, usual=False)

    assert list(tape.matters.values()) == [True]


def in_two_calls(values: dict[int, bool]) -> tuple[bool, ...]:
    """Settle a matter in each of two calls that run at once."""
    calls = [lambda n=n: settled("spared", value=values[n], usual=False) for n in values]
    return run_all(calls, workers=2, deadline=soon())


def test_a_replay_settles_each_matter_as_it_was_settled_then():
    """Calls are told by their number, so the order of threads does not count."""
    with recording() as tape:
        then = in_two_calls({0: False, 1: True})

    with replaying(tape.matters):
        assert in_two_calls({0: True, 1: False}) == then == (False, True)


def test_a_call_that_came_late_comes_late_in_a_replay():
    """Though it answers at once there, and there is time for everything."""
    never = Event()
    with recording() as tape:
        then = run_all([never.wait, lambda: "here"], workers=2, deadline=monotonic() + 0.05)
    never.set()

    with replaying(tape.matters):
        again = run_all([never.wait, lambda: "here"], workers=2, deadline=monotonic() + time_for(0))

    assert again == then == (None, "here")


class Down:
    """A source that fails."""

    name = "loki"

    def ask(self, scope, deadline):
        """Answer that nobody answers."""
        report = SourceReport(source="loki", status=SourceStatus.FAILED, error="no connection")
        return Answer(reports=(report,))


def test_a_source_that_was_left_alone_is_left_alone_in_a_replay():
    """What it had done to others before is not in the recording; that it rested is."""
    resting = Guarded(Down())
    for _ in range(FAILURES_TO_REST):
        resting.ask(None, soon())
    with recording() as tape:
        then = resting.ask(None, soon())

    with replaying(tape.matters):
        again = Guarded(Down()).ask(None, soon())

    assert again == then
    assert "2 times in a row" in then.reports[0].error
