"""Quantiles of classic histograms."""

import math

import numpy as np
import pytest

from cli.replay.promql.quantile import bucket_quantile


def quantile(q: float, buckets: dict[float, float]) -> float:
    """Return a quantile of cumulative counts by upper bound."""
    return bucket_quantile(q, np.array(list(buckets)), np.array(list(buckets.values())))


@pytest.mark.parametrize(
    ("q", "expected"),
    [(0.5, 0.1), (0.75, 0.3), (0.9, 0.45), (0.25, 0.05), (0.0, 0.0), (0.99, 0.5), (1.0, 0.5)],
)
def test_a_quantile_is_linear_within_its_bucket(q, expected):
    """Half the requests below 0.1, all but 5 % below 0.5; above that only its bound is known."""
    found = quantile(q, {0.1: 50, 0.3: 75, 0.5: 100 - 5, math.inf: 100})

    assert found == pytest.approx(expected)


def test_counts_that_fall_are_taken_as_level():
    """Rates of neighbouring buckets may disagree by a rounding error."""
    assert quantile(0.5, {1: 10, 2: 9.999, math.inf: 10}) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("q", "buckets", "expected"),
    [
        (-0.1, {1: 1, math.inf: 1}, -math.inf),
        (1.1, {1: 1, math.inf: 1}, math.inf),
        (0.5, {1: 0, math.inf: 0}, math.nan),
        (0.5, {1: 5, 2: 5}, math.nan),
        (0.5, {math.inf: 5}, math.nan),
        (math.nan, {1: 5, math.inf: 5}, math.nan),
        (0.5, {-1: 5, math.inf: 5}, -1.0),
    ],
)
def test_quantiles_that_cannot_be_told(q, buckets, expected):
    """Infinity outside 0 … 1, NaN without observations or an upper bucket."""
    assert quantile(q, buckets) == pytest.approx(expected, nan_ok=True)


def test_histograms_are_told_apart_by_their_other_labels(series, answer):
    """One quantile each; a series without a bound is no bucket."""
    buckets = [
        series("b", [count], service=service, le=bound)
        for service, counts in (("cart", (4, 4)), ("web", (1, 4)))
        for bound, count in zip(("2", "+Inf"), counts, strict=True)
    ]
    stray = series("b", [9], service="cart", le="much")

    found = answer("histogram_quantile(0.5, b)", *buckets, stray, at=[0])

    assert found == {"service=cart": [1.0], "service=web": [2.0]}
