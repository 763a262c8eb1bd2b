"""Asking several at once."""

from threading import Event
from time import monotonic

import pytest

from tasks.collect.concurrency import give_up_after, run_all


def test_results_come_in_the_order_of_the_calls():
    """Whoever is ready first."""
    first_may_go = Event()

    def first():
        first_may_go.wait(5)
        return "first"

    def second():
        first_may_go.set()
        return "second"

    assert run_all([first, second], workers=2, deadline=monotonic() + 5) == ("first", "second")


def test_hung_call_is_left_behind():
    """The others' results are returned at the deadline."""
    never = Event()

    results = run_all([never.wait, lambda: "here"], workers=2, deadline=monotonic() + 0.4)

    assert results == (None, "here")
    never.set()


def test_waiting_calls_are_not_begun_after_the_deadline():
    """The one worker was busy until then."""
    never, begun = Event(), []

    results = run_all([never.wait, lambda: begun.append(1)], workers=1, deadline=monotonic() + 0.05)
    never.set()

    assert results == (None, None)
    assert begun == []


def test_error_of_a_call_is_raised_to_the_asker():
    """A programming error must not look like a slow source."""

    def broken():
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_all([broken], workers=1, deadline=monotonic() + 5)


def test_nothing_to_call_returns_at_once():
    """No source, no thread."""
    assert run_all([], workers=0, deadline=monotonic()) == ()


def test_who_has_no_limit_is_given_up():
    """The look-up of a name may take for ever; its thread is left behind."""
    never = Event()

    assert give_up_after(0.01, never.wait) is None
    never.set()


def test_an_error_in_time_is_raised_here():
    """As if the call had been made in this thread."""
    with pytest.raises(ZeroDivisionError):
        give_up_after(5, lambda: 1 / 0)
    assert give_up_after(5, lambda: 1) == 1
