"""Aggregation over the columns of a vector: sum, max, topk and their kin."""

from collections.abc import Callable, Mapping

import numpy as np

from cli.replay.promql.vectors import (
    Column,
    Mask,
    Numbers,
    Scalar,
    Vector,
    somewhere,
    stacked,
    united,
)
from cli.replay.series import Labels


def _sum(values: Numbers, present: Mask) -> Numbers:
    total: Numbers = np.where(present, values, 0.0).sum(axis=0)
    return total


def _count(values: Numbers, present: Mask) -> Numbers:
    del values
    number: Numbers = present.sum(axis=0, dtype=np.float64)
    return number


def _avg(values: Numbers, present: Mask) -> Numbers:
    return _sum(values, present) / np.maximum(_count(values, present), 1)


def _max(values: Numbers, present: Mask) -> Numbers:
    largest: Numbers = np.fmax.reduce(np.where(present, values, np.nan))
    return largest


def _min(values: Numbers, present: Mask) -> Numbers:
    smallest: Numbers = np.fmin.reduce(np.where(present, values, np.nan))
    return smallest


def _group(values: Numbers, present: Mask) -> Numbers:
    del present
    return np.ones(values.shape[1])


REDUCTIONS: Mapping[str, Callable[[Numbers, Mask], Numbers]] = {
    "sum": _sum,
    "avg": _avg,
    "max": _max,
    "min": _min,
    "count": _count,
    "group": _group,
}
"""Operators that make one column of a group."""

SELECTIONS: Mapping[str, int] = {"topk": -1, "bottomk": 1}
"""Operators that keep some columns of a group, and the sign that sorts the best first."""


def reduce_groups(operator: str, groups: Mapping[Labels, Vector]) -> Vector:
    """Return one column per group."""
    result = []
    for labels, columns in groups.items():
        values, present = stacked(columns)
        result.append(Column(labels, REDUCTIONS[operator](values, present), somewhere(present)))
    return united(result)


def select_best(operator: str, groups: Mapping[Labels, Vector], count: Scalar) -> Vector:
    """Return, per group and step, the `count` columns with the largest or smallest values."""
    result = []
    for columns in groups.values():
        values, present = stacked(columns)
        usable = present & ~np.isnan(values)
        order = np.where(usable, SELECTIONS[operator] * values, np.inf)
        order = np.where(present, order, np.nan)  # argsort puts what is absent last
        rank = np.argsort(np.argsort(order, axis=0, kind="stable"), axis=0, kind="stable")
        chosen = present & (rank < count)
        result += [
            Column(column.labels, column.values, kept)
            for column, kept in zip(columns, chosen, strict=True)
        ]
    return united(result)
