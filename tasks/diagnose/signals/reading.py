"""A metric's series in the few numbers that signals are judged by."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from opssage.evidence import Evidence
from tasks.diagnose.case import time_of

_ENOUGH_POINTS = 2
_MEBI = 1024 * 1024
_SECOND = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One series: where it stands since its onset, and where it stood before."""

    level: float  #: median since the series' own onset, or since the incident's
    peak: float
    last: float
    base: float | None  #: median of the baseline; None when there is none
    onset_at: datetime | None


def read(item: Evidence, onset: datetime) -> Reading | None:
    """Return a metric's reading; None when it has no value after onset."""
    after = item.data.get("after") or {}
    own_onset = time_of(item.data.get("onset_at"))
    values = values_since(item, own_onset or onset)
    level = median(values) if len(values) >= _ENOUGH_POINTS else _number(after, "median")
    if level is None:
        return None
    peak = _number(after, "max")
    last = _number(item.data, "last")
    return Reading(
        level=level,
        peak=max(values, default=level) if peak is None else peak,
        last=level if last is None else last,
        base=base_of(item),
        onset_at=own_onset,
    )


def base_of(item: Evidence) -> float | None:
    """Return the median of a metric's baseline; None when it has none."""
    return _number(item.data.get("before") or {}, "median")


def values_since(item: Evidence, start: datetime) -> list[float]:
    """Return the values at or after `start`, in order of time, gaps left out."""
    points = item.data.get("points") or ()
    return [float(value) for at, value in points if value is not None and at >= start.timestamp()]


def ramp(value: float, low: float, full: float) -> float:
    """Return 0 at `low`, 1 at `full`, linear in between and clipped outside."""
    return min(1.0, max(0.0, (value - low) / (full - low)))


def quantity(value: float, unit: str) -> str:
    """Return a value as a person reads it: `35%`, `250 ms`, `1.5 GiB`, `0.8 cores`."""
    if unit == "ratio":
        return f"{value * 100:.3g}%"
    if unit == "seconds":
        return f"{value:.3g} s" if value >= _SECOND else f"{value * 1000:.3g} ms"
    if unit == "bytes":
        mebi = value / _MEBI
        return f"{mebi / 1024:.3g} GiB" if mebi >= 1024 else f"{mebi:.3g} MiB"  # noqa: PLR2004 - MiB in a GiB
    if unit == "per_second":
        return f"{value:.3g}/s"
    return f"{value:.3g} cores" if unit == "cores" else f"{value:.3g}"


def _number(data: Mapping[str, Any], key: str) -> float | None:
    value = data.get(key)
    return float(value) if isinstance(value, int | float) else None
