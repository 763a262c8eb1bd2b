"""What the names of metrics and labels tell of their values, where nobody has described them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tasks.collect.plan.tolerances import (
    AMOUNT,
    BYTES,
    CORES,
    LATENCY,
    LATENCY_BETWEEN,
    RATE,
    RATIO,
    UNKNOWN,
)
from tasks.collect.series import Tolerance

_WORD = re.compile(r"[a-z]+\d*|\d+")
_HIGH = frozenset({"p99", "p95", "p999", "0.99", "0.95", "0.999", "99", "95"})
_PERCENT_FROM = 1.5  #: a share that is larger is written in percent


@dataclass(frozen=True, kw_only=True, slots=True)
class Sort:
    """A sort of value, and the words that name it."""

    signal: str
    title: str
    unit: str
    tolerance: Tolerance
    words: frozenset[str]
    beside: frozenset[str] = frozenset()  #: of these at least one must be there too
    of_rates: bool = False  #: counters alone say it
    is_share: bool = False
    is_complement: bool = False  #: of the share that the signal is


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SORTS = (
    Sort(
        signal="error_ratio",
        title="error ratio",
        unit="ratio",
        tolerance=RATIO,
        words=_words("availability success"),
        beside=_words("availability rate ratio percent percentage share"),
        is_share=True,
        is_complement=True,
    ),
    Sort(
        signal="error_ratio",
        title="error ratio",
        unit="ratio",
        tolerance=RATIO,
        words=_words("error errors failure failures failed fault faults"),
        beside=_words("rate ratio percent percentage share"),
        is_share=True,
    ),
    Sort(
        signal="errors",
        title="errors",
        unit="",
        tolerance=AMOUNT,
        words=_words("error errors failure failures failed fault faults exceptions timeouts"),
    ),
    Sort(
        signal="latency",
        title="latency",
        unit="seconds",
        tolerance=LATENCY_BETWEEN,
        words=_words("latency latencies duration elapsed rtt responsetime"),
    ),
    Sort(
        signal="request_rate",
        title="request rate",
        unit="per_second",
        tolerance=RATE,
        words=_words("requests calls queries invocations rps qps throughput"),
        of_rates=True,
    ),
    Sort(
        signal="requests",
        title="requests",
        unit="",
        tolerance=AMOUNT,
        words=_words("requests calls queries invocations rps qps throughput load traffic"),
    ),
    Sort(
        signal="cpu_usage",
        title="CPU usage",
        unit="cores",
        tolerance=CORES,
        words=_words("cpu"),
        beside=_words("seconds"),
        of_rates=True,
    ),
    Sort(
        signal="memory_usage",
        title="memory",
        unit="bytes",
        tolerance=BYTES,
        words=_words("memory mem rss heap"),
        beside=_words("bytes"),
    ),
)
"""Best first. The words are those of https://prometheus.io/docs/practices/naming/ and of clouds."""

_UNITS: Mapping[str, float] = {
    "ms": 1e-3,
    "milliseconds": 1e-3,
    "millis": 1e-3,
    "us": 1e-6,
    "microseconds": 1e-6,
    "ns": 1e-9,
    "nanoseconds": 1e-9,
}
"""Word of a metric's name → seconds. Without one a time is in seconds, Prometheus' base unit."""

MEASURED = ("metric", "metric_name", "measure", "measurement", "indicator")
"""Labels that say what is measured, where one metric stands for many."""

_STATISTIC = ("quantile", "stat", "statistic", "percentile", "aggregation")


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a series is, as far as its names tell."""

    signal: str
    title: str
    unit: str
    tolerance: Tolerance
    factor: float = 1.0  #: makes its values those of the unit
    is_share: bool = False
    is_complement: bool = False

    def values(self, known: Iterable[float]) -> "Conversion":
        """Return how values are read, when these are all there are."""
        in_percent = self.is_share and max(map(abs, known), default=0.0) > _PERCENT_FROM
        return Conversion(
            factor=0.01 if in_percent else self.factor, is_complement=self.is_complement
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """Makes values those of a signal."""

    factor: float
    is_complement: bool

    def __call__(self, value: float) -> float:
        """Return the value of the signal."""
        return 1 - self.factor * value if self.is_complement else self.factor * value


def told(metric: str, labels: Mapping[str, str], *, is_rate: bool) -> Told:
    """Return what a series is."""
    measured = " ".join((metric, *(labels[name] for name in MEASURED if name in labels)))
    words = words_of(measured)
    statistics = frozenset(labels[name].lower() for name in _STATISTIC if name in labels)
    sort = next((sort for sort in SORTS if _fits(sort, words, is_rate=is_rate)), None)
    if sort is None:
        plain = next((labels[name] for name in MEASURED if name in labels), metric)
        return Told(signal=plain, title=plain, unit="", tolerance=UNKNOWN)
    is_high = sort.signal == "latency" and bool(statistics & _HIGH)
    return Told(
        signal="latency_p99" if is_high else sort.signal,
        title="high percentile of latency" if is_high else sort.title,
        unit="per_second" if is_rate and not sort.unit else sort.unit,
        tolerance=LATENCY if is_high else sort.tolerance,
        factor=_factor(words) if sort.unit == "seconds" else 1.0,
        is_share=sort.is_share,
        is_complement=sort.is_complement,
    )


def is_golden(metric: str) -> bool:
    """Say whether a name tells of latency, errors, traffic or use."""
    words = words_of(metric)
    return any(sort.words & words for sort in SORTS)


def words_of(text: str) -> frozenset[str]:
    """Return the words of a name, whatever its style."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()
    return frozenset(_WORD.findall(apart))


def _fits(sort: Sort, words: frozenset[str], *, is_rate: bool) -> bool:
    if sort.of_rates and not is_rate:
        return False
    if sort.is_share and is_rate:
        return False
    return bool(sort.words & words) and (not sort.beside or bool(sort.beside & words))


def _factor(words: frozenset[str]) -> float:
    return next((factor for unit, factor in _UNITS.items() if unit in words), 1.0)
