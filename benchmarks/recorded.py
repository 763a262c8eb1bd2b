"""What a set of recorded faults is to the benchmarks: samples, alerts and where it was."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from opssage.changes import ReportedChange


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A fault, and the alert that is all that anybody is told of it."""

    name: str
    began_at: datetime  #: nobody is told
    fired_at: datetime
    labels: Mapping[str, str]  #: of the alert
    root: str  #: the service at fault
    moves: tuple[str, ...] | None = ("",)
    """Parts of the names of the signals that it moves; None when no metric shows it."""
    changes: tuple[ReportedChange, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """A set: every case is on one timeline."""

    cases: Sequence[Case]
    samples: Callable[[], Iterator[str]]  #: lines of OpenMetrics
    settle_seconds: int = 120  #: how long after the alert the series may be looked at
    calls: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Who calls whom, where the set tells it apart from the metrics."""


def moment(seconds: float) -> datetime:
    """Return the time of unix seconds."""
    return datetime.fromtimestamp(seconds, UTC)


def number(text: str | None) -> float | None:
    """Return the finite number in a cell."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
