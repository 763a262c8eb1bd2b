"""Which stretch of time an investigation looks at."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from opssage.evidence import Window
from opssage.incident import Alert, AlertStatus

SAME_TROUBLE = timedelta(hours=1)
"""An alert older than this before the newest one does not date the trouble looked at."""

LONGEST_LOOKBACK_SECONDS = 86_400.0
"""Rules over weeks (error budgets) do not stretch the window to weeks."""

GUARD_SECONDS = 300.0
"""A rule's condition averages over some minutes, so its fault is that much older at most times."""


def window_of(
    alerts: Sequence[Alert],
    *,
    active_since: Mapping[str, datetime],
    widest_range_seconds: float,
    baseline_seconds: float,
    settle_seconds: float,
    now: datetime,
) -> Window:
    """Return the window for these alerts.

    `active_since` holds, by fingerprint, when an alert's condition became true: `starts_at` less
    the rule's `for`. An alert that is not in it counts from its `starts_at`.
    """
    firing = [alert for alert in alerts if alert.status is AlertStatus.FIRING] or list(alerts)
    newest = max(alert.starts_at for alert in firing)
    fresh = [alert for alert in firing if alert.starts_at >= newest - SAME_TROUBLE]
    onset = min(
        now,
        *(min(alert.starts_at, active_since.get(alert.fingerprint, newest)) for alert in fresh),
    )
    lookback = baseline_seconds + min(widest_range_seconds, LONGEST_LOOKBACK_SECONDS)
    return Window(
        start=onset - timedelta(seconds=lookback),
        end=max(onset, min(now, newest + timedelta(seconds=settle_seconds))),
        onset=onset,
    )


def calm_until(window: Window, *, baseline_seconds: float, onset_is_known: bool) -> datetime:
    """Return the time up to which life was normal.

    That is `GUARD_SECONDS` before onset when the rules' `for` is known. When it is not, half of
    the baseline is given up for it: the median `for` of the kube-prometheus rules is 15 minutes.
    """
    guard = min(GUARD_SECONDS, baseline_seconds / 3) if onset_is_known else baseline_seconds / 2
    return window.onset - timedelta(seconds=guard)
