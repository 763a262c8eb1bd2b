"""One series read: what was normal, what it did since, and when it left."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isfinite
from statistics import median

Point = tuple[float, float | None]

SPREADS = 5.0
"""A departure is more than this many robust standard deviations from the baseline's median."""

MAD_TO_SIGMA = 1.4826
"""Makes the median absolute deviation of normal noise equal its standard deviation
(Rousseeuw and Croux, "Alternatives to the Median Absolute Deviation", 1993)."""

MIN_BASELINE = 3  #: points; fewer show no normal life
SUSTAINED = 2  #: points in a row; a single one may be a scrape gone wrong
RETURN = 4  #: points after which a departure has ended
PASSED_SECONDS = 300.0
"""What was over so long before the onset did not bring it about: as long as rules usually look."""

GAP_SECONDS = 120.0  #: without any sample; a restart of Prometheus takes no longer
ENOUGH = 12  #: points before onset, from which what is normal can be told

STRETCHES = 12
"""Of the baseline, in which a chart shows no more than the highest and the lowest point."""

_TAIL = 0.1  #: of the baseline on either side is not believed: spikes, or the fault's beginning


@dataclass(frozen=True, kw_only=True, slots=True)
class Tolerance:
    """What counts as a difference: in the series' unit, and as a share of the median."""

    floor: float
    share: float = 0.25
    absent_is_zero: bool = False  #: no sample means nothing happened, not that nobody looked
    starts_from_nothing: bool = False  #: what appears while others are known left zero


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """The times, in unix seconds, that all series of an investigation are read by."""

    history_from: float  #: of the first sample of any series
    calm_until: float  #: what comes before is the baseline
    onset: float
    is_slow: bool = False  #: a point stands for minutes: one that has come to stay is a departure


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """A stretch of a series in four numbers."""

    median: float
    max: float
    min: float
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A series against its own baseline."""

    points: tuple[Point, ...]
    before: Statistics | None  #: None when there was no normal life to compare with
    after: Statistics | None  #: since the departure, or since onset when there is none
    last: float | None
    onset_at: float | None  #: unix seconds of the first sustained departure
    deviation: float  #: farthest distance from the baseline; above 1 is outside the tolerance


def on_grid(
    samples: Sequence[tuple[float, float]], *, start: float, end: float, step: float
) -> tuple[Point, ...]:
    """Return one point per step; None where there is no sample, or none that is finite."""
    values = {round((at - start) / step): value for at, value in samples}
    return tuple(
        (
            start + index * step,
            value if (value := values.get(index)) is not None and isfinite(value) else None,
        )
        for index in range(floor((end - start) / step + 1e-9) + 1)
    )


def unbroken_from(times: Sequence[float], *, step: float, onset: float) -> float | None:
    """Return since when there has been a history without a gap; `times` are those of all series.

    While nothing at all was scraped, things may have become others. A gap that leaves too little
    before `onset` to tell what is normal is looked over.
    """
    longest = max(GAP_SECONDS, RETURN * step)
    begins = [
        after
        for before, after in pairwise(times)
        if after - before > longest and after <= onset - ENOUGH * step
    ]
    return max(begins, default=times[0] if times else None)


def read(points: Sequence[Point], times: Times, tolerance: Tolerance) -> Reading:
    """Compare what came after the calm with what was before."""
    known = _known(points, absent_is_zero=tolerance.absent_is_zero)
    baseline = [value for at, value in known if at < times.calm_until]
    if len(baseline) < MIN_BASELINE:
        return _without_baseline(points, known, times, tolerance)
    band = _Band.around(baseline, tolerance)
    departed = band.departure(
        [(at, value) for at, value in known if at >= times.calm_until],
        lasting_until=times.onset - PASSED_SECONDS,
        is_slow=times.is_slow,
    )
    since = times.onset if departed is None else departed
    after = [value for at, value in known if at >= since]
    deviation = max((band.distance(value) for value in after), default=0.0)
    return _reading(points, baseline, after, departed, deviation)


def _without_baseline(
    points: Sequence[Point],
    known: Sequence[tuple[float, float]],
    times: Times,
    tolerance: Tolerance,
) -> Reading:
    appeared = (
        tolerance.starts_from_nothing
        and len(known) >= SUSTAINED
        and known[0][0] > times.history_from
    )
    since = known[0][0] if appeared else times.onset
    after = [value for at, value in known if at >= since]
    deviation = max((abs(value) for value in after), default=0.0) / tolerance.floor
    departed = since if appeared and deviation > 1 else None
    return _reading(points, None, after, departed, deviation)


def _known(points: Sequence[Point], *, absent_is_zero: bool) -> list[tuple[float, float]]:
    if absent_is_zero:
        return [(at, value or 0.0) for at, value in points]
    return [(at, value) for at, value in points if value is not None]


def _reading(
    points: Sequence[Point],
    before: list[float] | None,
    after: list[float],
    departed: float | None,
    deviation: float,
) -> Reading:
    return Reading(
        points=tuple(points),
        before=_statistics(before or []),
        after=_statistics(after),
        last=next((value for _, value in reversed(points) if value is not None), None),
        onset_at=departed,
        deviation=deviation,
    )


def _statistics(values: list[float]) -> Statistics | None:
    if not values:
        return None
    return Statistics(median=median(values), max=max(values), min=min(values), count=len(values))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Band:
    """Where a series stays while life is normal."""

    center: float
    width: float
    low: float
    high: float

    @classmethod
    def around(cls, baseline: list[float], tolerance: Tolerance) -> "_Band":
        center = median(baseline)
        spread = MAD_TO_SIGMA * median(abs(value - center) for value in baseline)
        width = max(SPREADS * spread, tolerance.floor, tolerance.share * abs(center))
        ordered = sorted(baseline)
        tail = floor(_TAIL * len(ordered))
        return cls(
            center=center,
            width=width,
            low=min(center - width, ordered[tail]),
            high=max(center + width, ordered[-1 - tail]),
        )

    def distance(self, value: float) -> float:
        return abs(value - self.center) / self.width

    def departure(
        self, points: Sequence[tuple[float, float]], *, lasting_until: float, is_slow: bool
    ) -> float | None:
        """Return when the departure began that still lasted at `lasting_until`, or came later.

        One that was over by then is another story than the one that is looked into.
        """
        stays: list[_Stay] = []
        for index, (at, value) in enumerate(points):
            side = (value > self.high) - (value < self.low)
            if side and not (stays and stays[-1].goes_on(index, at, side)):
                stays.append(_Stay(since=at, until=at, side=side, index=index))
        return next(
            (
                stay.since
                for stay in stays
                if stay.until >= lasting_until
                and (stay.longest >= SUSTAINED or (is_slow and stay.until == points[-1][0]))
            ),
            None,
        )


@dataclass(kw_only=True, slots=True)
class _Stay:
    """A time that a series spends on one side of its band, short returns included."""

    since: float
    until: float
    side: int
    index: int  #: of its last point
    run: int = 1
    longest: int = 1

    def goes_on(self, index: int, at: float, side: int) -> bool:
        """Take the point in, if it belongs to this stay."""
        if side != self.side or index - self.index > RETURN:
            return False
        self.run = self.run + 1 if index == self.index + 1 else 1
        self.longest = max(self.longest, self.run)
        self.index, self.until = index, at
        return True


def thinned(points: Sequence[Point], *, until: float, digits: int) -> list[list[float | None]]:
    """Return the points as JSON, with so many significant digits.

    Before `until` only those that a chart shows: of a run of equal values the first and the last,
    and of each stretch the lowest and the highest.
    """
    calm = [point for point in points if point[0] < until]
    kept = [*_outline(_without_runs(calm)), *points[len(calm) :]]
    return [[short(at, 15), None if value is None else short(value, digits)] for at, value in kept]


def short(value: float, digits: int) -> float:
    """Return a value with so many significant digits, as a whole number if it is one."""
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded.is_integer() else rounded


def _without_runs(points: Sequence[Point]) -> list[Point]:
    return [
        (at, value)
        for index, (at, value) in enumerate(points)
        if index in {0, len(points) - 1}
        or value != points[index - 1][1]
        or value != points[index + 1][1]
    ]


def _outline(points: Sequence[Point]) -> list[Point]:
    """Return the first and the last point, all gaps, and of each stretch both extremes."""
    size = ceil(len(points) / STRETCHES)
    if size <= 2:  # noqa: PLR2004 - no more than the two that would stay
        return list(points)
    kept = {0, len(points) - 1}
    for begin in range(0, len(points), size):
        known = [
            (value, begin + offset)
            for offset, (_, value) in enumerate(points[begin : begin + size])
            if value is not None
        ]
        if known:
            kept |= {min(known)[1], max(known)[1]}
    return [point for index, point in enumerate(points) if index in kept or point[1] is None]
