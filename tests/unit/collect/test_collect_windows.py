"""The window of an investigation."""

from datetime import timedelta

from unit.collect.stand_ins import ONSET, make_alert

from opssage.incident import AlertStatus
from tasks.collect.windows import calm_until, window_of

MINUTE = timedelta(minutes=1)


def window(*alerts, active_since=None, widest_range_seconds=0.0, now=ONSET + 60 * MINUTE):
    return window_of(
        alerts,
        active_since=active_since or {},
        widest_range_seconds=widest_range_seconds,
        baseline_seconds=1800,
        settle_seconds=120,
        now=now,
    )


def test_window_starts_a_baseline_and_the_widest_range_before_onset():
    """A rule over ten minutes needs ten minutes more to be drawn."""
    found = window(make_alert(), widest_range_seconds=600)

    assert found.onset == ONSET
    assert found.start == ONSET - 40 * MINUTE


def test_window_ends_when_things_have_settled():
    """Two minutes after the newest alert, however late the work begins."""
    late = make_alert({"alertname": "Late"}, starts_at=ONSET + 5 * MINUTE)

    assert window(make_alert(), late).end == ONSET + 7 * MINUTE


def test_window_never_waits_for_the_future():
    """An alert that has just come in is looked at as it is."""
    assert window(make_alert(), now=ONSET + MINUTE).end == ONSET + MINUTE


def test_window_onset_is_when_the_condition_became_true():
    """`startsAt` is that time plus the rule's `for`."""
    alert = make_alert()

    found = window(alert, active_since={alert.fingerprint: ONSET - 15 * MINUTE})

    assert found.onset == ONSET - 15 * MINUTE


def test_window_onset_is_the_earliest_firing_alert():
    """Resolved alerts do not date the trouble."""
    resolved = make_alert(
        {"alertname": "Old"}, starts_at=ONSET - 30 * MINUTE, status=AlertStatus.RESOLVED
    )
    second = make_alert({"alertname": "Second"}, starts_at=ONSET + 3 * MINUTE)

    assert window(resolved, second, make_alert()).onset == ONSET


def test_window_ignores_an_alert_that_has_fired_for_days():
    """A stale alert in the group must not stretch the window over days."""
    stale = make_alert({"alertname": "Stale"}, starts_at=ONSET - 3000 * MINUTE)

    assert window(stale, make_alert()).onset == ONSET


def test_window_of_a_rule_over_weeks_is_bounded():
    """An error budget over thirty days is not drawn over thirty days."""
    found = window(make_alert(), widest_range_seconds=30 * 86400)

    assert found.start == ONSET - timedelta(days=1) - 30 * MINUTE


def test_window_of_a_sender_whose_clock_is_ahead_is_not_inverted():
    """An alert from the future starts now."""
    found = window(make_alert(), now=ONSET - MINUTE)

    assert found.start < found.onset <= found.end


def test_calm_ends_earlier_when_the_rules_for_is_unknown():
    """Half of the baseline is given up, as the condition may have held for that long."""
    found = window(make_alert())

    known = calm_until(found, baseline_seconds=1800, onset_is_known=True)
    unknown = calm_until(found, baseline_seconds=1800, onset_is_known=False)

    assert (known, unknown) == (ONSET - 5 * MINUTE, ONSET - 15 * MINUTE)
