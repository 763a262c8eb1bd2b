"""Curves over time: how a number of a recording moves, and its repeatable noise."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
MIB, GIB = float(1 << 20), float(1 << 30)
Shape = float | Sequence[Sequence[float]] | Mapping[str, Any]
"""How a number moves, times in seconds relative to the moment the alert is delivered.

A number stays as it is. A list of `[time, value]` points is joined by straight lines and flat
outside. `{steps: [[time, value], …]}` holds each value until the next point.
"""


def drawn(shape: Shape, times: Numbers) -> Numbers:
    """Return the value of a shape at every time."""
    if isinstance(shape, int | float):
        return np.full(len(times), float(shape))
    if isinstance(shape, Mapping):
        points = np.array(shape["steps"], dtype=np.float64)
        held = np.searchsorted(points[:, 0], times, side="right") - 1
        return np.asarray(points[np.maximum(held, 0), 1])
    points = np.array(shape, dtype=np.float64)
    return np.interp(times, points[:, 0], points[:, 1])


def seed_of(text: str) -> int:
    """Return the number that stands for a text wherever chance is needed."""
    return zlib.crc32(text.encode())


def uniform(seed: int, count: int) -> Numbers:
    """Return `count` numbers in [0, 1) that look random and are the same on every machine.

    Source: splitmix64, Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
    OOPSLA 2014.
    """
    gamma = 0x9E3779B97F4A7C15
    state = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(gamma) + np.uint64(
        seed * gamma & 0xFFFFFFFFFFFFFFFF
    )
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def wobble(seed: int, count: int, relative: float) -> Numbers:
    """Return factors around 1, at most `relative` away, the middle ones more often."""
    if relative == 0:
        return np.ones(count)
    numbers = uniform(seed, 2 * count)
    return 1.0 + relative * (numbers[:count] + numbers[count:] - 1.0)


def share_below(limit: float, p50: Numbers, p99: Numbers) -> Numbers:
    """Return the share of values below `limit` when median and 99th percentile are known.

    A log-logistic distribution: skewed as latencies are, and with a closed form.
    """
    if np.isinf(limit):
        return np.ones_like(p50)
    steepness = np.log(99.0) / np.log(p99 / p50)
    return np.asarray(1.0 / (1.0 + (limit / p50) ** -steepness))
