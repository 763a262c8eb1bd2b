"""Subjects and the course of their series in words a person can check."""

from collections.abc import Mapping
from datetime import UTC, datetime

from opssage.units import quantity
from tasks.collect.series import Reading

_NAMED: tuple[tuple[str, str], ...] = (
    ("pvc", "volume claim"),
    ("pod", "pod"),
    ("service", "service"),
    ("workload", "workload"),
    ("node", "node"),
    ("instance", "instance"),
    ("job", "job"),
    ("namespace", "namespace"),
)


def time_of_day(at: datetime) -> str:
    """Return the time of day in UTC: `03:02:40Z`."""
    return at.astimezone(UTC).strftime("%H:%M:%SZ")


def whom(subject: Mapping[str, str]) -> str:
    """Return the most telling part of a subject: `pod web-1 (shop)`."""
    for key, word in _NAMED:
        if name := subject.get(key):
            text = f"{word} {name}"
            break
    else:
        return "the whole system"
    if peer := subject.get("peer"):
        text += f" to {peer}"
    if mountpoint := subject.get("mountpoint"):
        text += f" at {mountpoint}"
    namespace = subject.get("namespace")
    return f"{text} ({namespace})" if namespace and key != "namespace" else text


def course(title: str, subject: Mapping[str, str], reading: Reading, unit: str) -> str:
    """Return the course of a series in one sentence."""
    head = f"{title} of {whom(subject)}"
    before, after = reading.before, reading.after
    if after is None:
        return f"{head}: no samples since onset" + (
            f", median {quantity(before.median, unit)} before" if before else ""
        )
    since = f"median {quantity(after.median, unit)}, peak {quantity(after.max, unit)}"
    if before is None:
        began = f" appeared at {_at(reading.onset_at)}" if reading.onset_at is not None else ""
        return f"{head}{began}: {since}; no baseline to compare with"
    usual = f"median {quantity(before.median, unit)}"
    if reading.onset_at is None:
        return f"{head} stayed in its baseline: {usual}, then {since}"
    return f"{head} left its baseline at {_at(reading.onset_at)}: {usual}, then {since}"


def _at(seconds: float) -> str:
    return time_of_day(datetime.fromtimestamp(seconds, UTC))
