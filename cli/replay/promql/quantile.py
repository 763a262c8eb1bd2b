"""Quantiles of classic histograms: cumulative buckets told apart by the label `le`."""

import math
from collections.abc import Sequence

import numpy as np

from cli.replay.promql.vectors import (
    Column,
    Numbers,
    Scalar,
    Vector,
    drop,
    grouped,
    nameless,
    somewhere,
    stacked,
    united,
)
from cli.replay.series import Labels

_LE = "le"


def histogram_quantile(quantile: Scalar, vector: Vector) -> Vector:
    """Estimate a quantile per histogram and step, linear within the bucket it falls in.

    Source of the rules: `bucketQuantile` in prometheus/prometheus 2.42, promql/quantile.go.
    """
    buckets = [column for column in vector if not math.isnan(_bound(column.labels))]
    return united(
        _column(quantile, labels, sorted(columns, key=lambda column: _bound(column.labels)))
        for labels, columns in grouped(buckets, _histogram).items()
    )


def _histogram(labels: Labels) -> Labels:
    return nameless(drop(labels, (_LE,)))


def _bound(labels: Labels) -> float:
    """Return a bucket's upper bound; NaN for a series that is no bucket."""
    try:
        return float(dict(labels).get(_LE, "nan"))
    except ValueError:
        return math.nan


def _column(quantile: Scalar, labels: Labels, columns: Sequence[Column]) -> Column:
    bounds = np.array([_bound(column.labels) for column in columns])
    counts, present = stacked(columns)
    there = somewhere(present)
    result = np.full(len(there), math.nan)
    for step in np.flatnonzero(there):
        rows = present[:, step]
        result[step] = bucket_quantile(float(quantile[step]), bounds[rows], counts[rows, step])
    return Column(labels, result, there)


def bucket_quantile(quantile: float, bounds: Numbers, counts: Numbers) -> float:
    """Return the quantile of one histogram; `bounds` rise, `counts` are cumulative."""
    if quantile < 0 or quantile > 1:
        return math.copysign(math.inf, quantile)
    if math.isnan(quantile) or not math.isinf(bounds[-1]):
        return math.nan
    uppers, starts = np.unique(bounds, return_index=True)
    totals = np.fmax.accumulate(np.add.reduceat(counts, starts))
    if len(uppers) < 2 or totals[-1] == 0:  # noqa: PLR2004 - a finite bucket and +Inf
        return math.nan
    rank = quantile * totals[-1]
    index = int(np.searchsorted(totals[:-1], rank, side="left"))
    if index == len(uppers) - 1:
        return float(uppers[-2])
    if index == 0 and uppers[0] <= 0:
        return float(uppers[0])
    lower, below = (uppers[index - 1], totals[index - 1]) if index else (0.0, 0.0)
    with np.errstate(all="ignore"):
        share = (rank - below) / (totals[index] - below)
    return float(lower + (uppers[index] - lower) * share)
