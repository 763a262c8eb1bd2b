"""Values of an expression at every step of a query at once.

A scalar is an array with one number per step. A vector is a list of columns: one label set
each, its number per step, and at which steps it is there. Prometheus tells "absent" from
"NaN"; so does the mask.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cli.replay.series import NAME, Labels
from opssage.errors import OpsSageError

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
Steps = NDArray[np.int64]


class EvaluationError(OpsSageError):
    """The query is understood, but these series do not allow it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One label set of a vector over all steps."""

    labels: Labels
    values: Numbers
    present: Mask


Vector = list[Column]
Scalar = Numbers
Value = Vector | Scalar | str


def keep(labels: Labels, names: Iterable[str]) -> Labels:
    """Return only the named labels."""
    wanted = frozenset(names)
    return tuple(pair for pair in labels if pair[0] in wanted)


def drop(labels: Labels, names: Iterable[str]) -> Labels:
    """Return all but the named labels."""
    unwanted = frozenset(names)
    return tuple(pair for pair in labels if pair[0] not in unwanted)


def nameless(labels: Labels) -> Labels:
    """Return the labels without the metric's name."""
    return drop(labels, (NAME,))


def grouped(vector: Vector, key: Callable[[Labels], Labels]) -> dict[Labels, Vector]:
    """Sort columns into groups by a part of their labels, in order of appearance."""
    groups: dict[Labels, Vector] = {}
    for column in vector:
        groups.setdefault(key(column.labels), []).append(column)
    return groups


def stacked(columns: Sequence[Column]) -> tuple[Numbers, Mask]:
    """Return the values and masks of columns as two arrays, one row per column."""
    return (
        np.stack([column.values for column in columns]),
        np.stack([column.present for column in columns]),
    )


def somewhere(present: Mask) -> Mask:
    """Return at which steps any row of a stacked mask is present."""
    steps: Mask = np.logical_or.reduce(present)
    return steps


def united(
    columns: Iterable[Column],
    complaint: str = "vector cannot contain metrics with the same labelset",
) -> Vector:
    """Join columns of equal labels that take turns, and leave out those never present.

    Raises EvaluationError with `complaint` when two of them are present at the same step.
    """
    result = []
    candidates = [column for column in columns if column.present.any()]
    for labels, same in grouped(candidates, lambda labels: labels).items():
        if len(same) == 1:
            result.append(same[0])
            continue
        values, present = stacked(same)
        if (present.sum(axis=0) > 1).any():
            raise EvaluationError(complaint)
        joined = np.where(present, values, 0).sum(axis=0)
        result.append(Column(labels, joined, somewhere(present)))
    return result
