"""Recorded values as the samples that a Prometheus would have scraped, in OpenMetrics."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

SCRAPE_SECONDS = 15
LONGEST_GAP_SECONDS = 180

Labels = Mapping[str, str]
Values = Sequence[tuple[float, float]]
"""Unix seconds and value, in order of time."""

END = "# EOF\n"


def samples(name: str, labels: Labels, values: Values) -> Iterator[str]:
    """Yield each value at its own time."""
    text = _pairs(labels)
    for at, value in values:
        yield f"{name}{{{text}}} {value!r} {at:.0f}\n"


def gauge(name: str, labels: Labels, values: Values) -> Iterator[str]:
    """Yield scrapes of what keeps each value until the next one."""
    for (at, value), until in zip(values, _ends(values), strict=True):
        yield from _line(name, labels, at, until, value)


def counter(name: str, labels: Labels, rates: Values) -> Iterator[str]:
    """Yield scrapes of the integral of rates; each holds for the time before it was read."""
    total = 0.0
    for (begin, _), (at, rate) in pairwise(rates):
        if at - begin <= LONGEST_GAP_SECONDS:
            yield from _line(name, labels, begin, at, total, slope=rate)
            total += rate * (at - begin)


def _ends(values: Values) -> Iterator[float]:
    for (at, _), (after, _) in pairwise(values):
        yield after if after - at <= LONGEST_GAP_SECONDS else at + 60
    if values:
        yield values[-1][0] + 60


def _line(
    name: str, labels: Labels, begin: float, end: float, value: float, slope: float = 0.0
) -> Iterator[str]:
    """Yield the samples of a straight line from `begin` up to `end`."""
    first = math.ceil(begin / SCRAPE_SECONDS) * SCRAPE_SECONDS
    moments = range(first, math.ceil(end), SCRAPE_SECONDS)
    if not moments:
        return
    text = _pairs(labels)
    for moment in moments:
        yield f"{name}{{{text}}} {value + slope * (moment - begin)!r} {moment}\n"


def _pairs(labels: Labels) -> str:
    return ",".join(f"{key}={json.dumps(text)}" for key, text in labels.items())
