"""Numbers and subjects in words a person can check."""

from collections.abc import Mapping
from datetime import UTC, datetime

from tasks.collect.series import Reading

_BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
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


def amount(value: float, unit: str) -> str:
    """Return a value in its unit, three significant digits."""
    if unit == "ratio":
        return f"{value * 100:.3g} %"
    if unit == "bytes":
        power = 0
        while abs(value) >= 1024 and power < len(_BYTE_UNITS) - 1:  # noqa: PLR2004 - IEC prefixes
            value, power = value / 1024, power + 1
        return f"{value:.4g} {_BYTE_UNITS[power]}"
    suffix = {"seconds": " s", "cores": " cores", "per_second": "/s"}.get(unit, "")
    return f"{value:.4g}{suffix}"


def clock(at: datetime) -> str:
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
            f", median {amount(before.median, unit)} before" if before else ""
        )
    since = f"median {amount(after.median, unit)}, peak {amount(after.max, unit)}"
    if before is None:
        began = f" appeared at {_at(reading.onset_at)}" if reading.onset_at is not None else ""
        return f"{head}{began}: {since}; no baseline to compare with"
    if reading.onset_at is None:
        return f"{head} stayed in its baseline: median {amount(before.median, unit)}, then {since}"
    left = f"{head} left its baseline at {_at(reading.onset_at)}"
    return f"{left}: median {amount(before.median, unit)}, then {since}"


def _at(seconds: float) -> str:
    return clock(datetime.fromtimestamp(seconds, UTC))
