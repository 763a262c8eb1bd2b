"""Functions over a range of samples: rate, increase and the `_over_time` family.

A range holds the samples from its left to its right edge, both included, as in Prometheus 2.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from cli.replay.promql.vectors import Mask, Numbers, Steps
from cli.replay.series import Series

Indices = Steps


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """For every step, which samples of one series the range holds."""

    series: Series
    left: Steps  #: the range's edges, milliseconds
    right: Steps
    first: Indices  #: index of the range's first sample
    end: Indices  #: index after its last sample

    @classmethod
    def of(cls, series: Series, right: Steps, range_ms: int) -> "Windows":
        """Find the samples of each range that ends at a time of `right`."""
        left = right - range_ms
        return cls(
            series=series,
            left=left,
            right=right,
            first=np.searchsorted(series.times, left, side="left"),
            end=np.searchsorted(series.times, right, side="right"),
        )

    @property
    def count(self) -> Indices:
        """Number of samples in each range."""
        return self.end - self.first


Answer = tuple[Numbers, Mask]
RangeFunction = Callable[[Windows], Answer]


def _edges(windows: Windows, least: int) -> tuple[Indices, Indices, Mask]:
    """Return the indices of first and last sample, and where there are `least` samples."""
    enough = windows.count >= least
    return np.where(enough, windows.first, 0), np.where(enough, windows.end - 1, 0), enough


def _running(steps: Numbers) -> Numbers:
    """Return the running total of what happens between neighbouring samples."""
    return np.concatenate(([0.0], np.cumsum(steps)))


def _resets(values: Numbers) -> Numbers:
    """Return what a counter had reached before each of its falls, as a running total."""
    return _running(np.where(values[1:] < values[:-1], values[:-1], 0.0))


def _extrapolated(windows: Windows, *, counter: bool, per_second: bool) -> Answer:
    """Return the difference over each range, stretched to the range's edges.

    Source of the rules: `extrapolatedRate` in prometheus/prometheus 2.42, promql/functions.go.
    """
    first, last, enough = _edges(windows, 2)
    times, values = windows.series.times, windows.series.values
    result = values[last] - values[first]
    if counter:
        resets = _resets(values)
        result = result + (resets[last] - resets[first])
    sampled = np.where(enough, (times[last] - times[first]) / 1000, 1.0)
    between = sampled / np.maximum(windows.count - 1, 1)
    to_start = (times[first] - windows.left) / 1000
    to_end = (windows.right - times[last]) / 1000
    if counter:
        rising = (result > 0) & (values[first] >= 0)
        to_zero = sampled * values[first] / np.where(rising, result, 1.0)
        to_start = np.where(rising & (to_zero < to_start), to_zero, to_start)
    covered = sampled + sum(
        np.where(gap < between * 1.1, gap, between / 2) for gap in (to_start, to_end)
    )
    result = result * (covered / sampled)
    return result / _range_seconds(windows) if per_second else result, enough


def _range_seconds(windows: Windows) -> Numbers:
    return (windows.right - windows.left) / 1000


def _instant(windows: Windows, *, counter: bool, per_second: bool) -> Answer:
    """Return the difference of each range's last two samples."""
    _, last, enough = _edges(windows, 2)
    times, values = windows.series.times, windows.series.values
    before = np.maximum(last - 1, 0)
    result = values[last] - values[before]
    if counter:
        result = np.where(values[last] < values[before], values[last], result)
    seconds = np.where(enough, (times[last] - times[before]) / 1000, 1.0)
    return result / seconds if per_second else result, enough


def _occurrences(windows: Windows, happens: Callable[[Numbers, Numbers], Mask]) -> Answer:
    """Count the neighbouring samples of each range for which `happens(earlier, later)`."""
    first, last, enough = _edges(windows, 1)
    values = windows.series.values
    total = _running(happens(values[:-1], values[1:]).astype(np.float64))
    return total[last] - total[first], enough


def _changed(earlier: Numbers, later: Numbers) -> Mask:
    return np.not_equal(later, earlier) & ~(np.isnan(later) & np.isnan(earlier))


def _fell(earlier: Numbers, later: Numbers) -> Mask:
    return np.less(later, earlier)


def _over_time(windows: Windows, reduce: Callable[[Numbers], float]) -> Answer:
    """Apply `reduce` to the samples of each range."""
    enough = windows.count >= 1
    result = np.zeros(len(enough))
    for index in np.flatnonzero(enough):
        result[index] = reduce(windows.series.values[windows.first[index] : windows.end[index]])
    return result, enough


def _count(windows: Windows) -> Answer:
    return windows.count.astype(np.float64), windows.count >= 1


def _last(windows: Windows) -> Answer:
    _, last, enough = _edges(windows, 1)
    return windows.series.values[last], enough


FUNCTIONS: Mapping[str, RangeFunction] = {
    "rate": partial(_extrapolated, counter=True, per_second=True),
    "increase": partial(_extrapolated, counter=True, per_second=False),
    "delta": partial(_extrapolated, counter=False, per_second=False),
    "irate": partial(_instant, counter=True, per_second=True),
    "idelta": partial(_instant, counter=False, per_second=False),
    "changes": partial(_occurrences, happens=_changed),
    "resets": partial(_occurrences, happens=_fell),
    "avg_over_time": partial(_over_time, reduce=np.mean),
    "max_over_time": partial(_over_time, reduce=np.fmax.reduce),
    "min_over_time": partial(_over_time, reduce=np.fmin.reduce),
    "sum_over_time": partial(_over_time, reduce=np.sum),
    "count_over_time": _count,
    "last_over_time": _last,
}
"""The range functions that are evaluated here."""

KEEPS_NAME = frozenset({"last_over_time"})
"""Range functions whose result is still called as its metric."""
