"""Binary operators: arithmetic, comparison and set operators, and how two vectors match.

Source of the matching rules: `VectorBinop` in prometheus/prometheus 2.42, promql/engine.go.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cli.replay.promql.vectors import (
    Column,
    EvaluationError,
    Mask,
    Numbers,
    Scalar,
    Vector,
    drop,
    grouped,
    keep,
    nameless,
    somewhere,
    stacked,
    united,
)
from cli.replay.series import Labels

ARITHMETIC: Mapping[str, Callable[[Numbers, Numbers], Numbers]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
}
COMPARISON: Mapping[str, Callable[[Numbers, Numbers], Mask]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}
SETS = frozenset({"and", "or", "unless"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Matching:
    """Which columns of two vectors belong together, and what the result is called."""

    on: bool = False  #: match on `names` only; otherwise on all labels but these
    names: tuple[str, ...] = ()
    many: str = ""  #: "left" or "right": the side of which many match one of the other
    include: tuple[str, ...] = ()  #: labels the result takes from the one side

    def key(self, labels: Labels) -> Labels:
        """Return the part of the labels that must be equal."""
        return keep(labels, self.names) if self.on else nameless(drop(labels, self.names))

    def result(self, many: Labels, one: Labels) -> Labels:
        """Return the labels of a matched pair's result."""
        labels = many
        if not self.many:
            labels = keep(many, self.names) if self.on else drop(many, self.names)
        taken = keep(one, self.include)
        return tuple(sorted((*drop(labels, self.include), *taken)))


def compute(
    operator: str, left: Numbers, right: Numbers, *, as_bool: bool
) -> tuple[Numbers, Mask | None]:
    """Apply an operator to numbers; a filter also answers which of them to keep."""
    with np.errstate(all="ignore"):
        if operator in ARITHMETIC:
            return ARITHMETIC[operator](left, right), None
        holds = COMPARISON[operator](left, right)
    return (holds.astype(np.float64), None) if as_bool else (left, holds)


def with_scalar(
    operator: str, vector: Vector, scalar: Scalar, *, scalar_first: bool, as_bool: bool
) -> Vector:
    """Apply an operator between each column and a scalar."""
    result = []
    for column in vector:
        left, right = (scalar, column.values) if scalar_first else (column.values, scalar)
        values, kept = compute(operator, left, right, as_bool=as_bool)
        if kept is None:
            result.append(Column(nameless(column.labels), values, column.present))
        else:
            result.append(replace(column, present=column.present & kept))
    return united(result)


def between_vectors(
    operator: str, left: Vector, right: Vector, matching: Matching, *, as_bool: bool
) -> Vector:
    """Apply an operator to the pairs that match.

    Raises EvaluationError when a label set of the one side is not unique.
    """
    many, one = (right, left) if matching.many == "right" else (left, right)
    if not (many and one):
        return []
    side = "left" if matching.many == "right" else "right"
    anything = somewhere(stacked(many)[1])
    ones = grouped(one, matching.key)
    for key, columns in ones.items():
        _check_unique(key, columns, side, anything)
    names_result = operator in COMPARISON and not as_bool
    found: dict[Labels, Vector] = {}
    for first, second in _pairs(many, ones, matching):
        lhs, rhs = (second, first) if matching.many == "right" else (first, second)
        values, kept = compute(operator, lhs.values, rhs.values, as_bool=as_bool)
        present = first.present & second.present & (True if kept is None else kept)
        many_labels = first.labels if names_result else nameless(first.labels)
        labels = matching.result(many_labels, second.labels)
        found.setdefault(matching.key(first.labels), []).append(Column(labels, values, present))
    return united(_without_doubles(found, matching))


def _pairs(
    many: Vector, ones: Mapping[Labels, Vector], matching: Matching
) -> Iterator[tuple[Column, Column]]:
    for first in many:
        for second in ones.get(matching.key(first.labels), ()):
            if (first.present & second.present).any():
                yield first, second


def _check_unique(key: Labels, columns: Sequence[Column], side: str, anything: Mask) -> None:
    """Refuse two columns of the one side present at a step where the other has anything."""
    for index, column in enumerate(columns):
        for earlier in columns[:index]:
            if (column.present & earlier.present & anything).any():
                raise EvaluationError(
                    f"found duplicate series for the match group {written(key)} on the {side} "
                    f"hand-side of the operation: [{written(column.labels)}, "
                    f"{written(earlier.labels)}];many-to-many matching not allowed: matching "
                    "labels must be unique on one side"
                )


def _without_doubles(found: Mapping[Labels, Vector], matching: Matching) -> Iterator[Column]:
    complaint = "multiple matches for labels: " + (
        "grouping labels must ensure unique matches"
        if matching.many
        else "many-to-one matching must be explicit (group_left/group_right)"
    )
    for columns in found.values():
        if not matching.many and (stacked(columns)[1].sum(axis=0) > 1).any():
            raise EvaluationError(complaint)
        yield from united(columns, complaint)


def combine_sets(operator: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    """Evaluate `and`, `or` and `unless`: which columns are there at which steps."""
    in_left, in_right = _presence(left, matching), _presence(right, matching)
    if operator == "or":
        return united([*left, *_masked(right, in_left, matching, wanted=False)])
    return united(_masked(left, in_right, matching, wanted=operator == "and"))


def _presence(vector: Vector, matching: Matching) -> dict[Labels, Mask]:
    """Return, per match key, the steps at which any column has it."""
    return {
        key: somewhere(stacked(columns)[1])
        for key, columns in grouped(vector, matching.key).items()
    }


def _masked(
    vector: Vector, presence: Mapping[Labels, Mask], matching: Matching, *, wanted: bool
) -> Iterator[Column]:
    """Keep each column where its match key is present (or, not `wanted`, absent)."""
    for column in vector:
        there = presence.get(matching.key(column.labels), np.zeros_like(column.present))
        yield replace(column, present=column.present & (there == wanted))


def written(labels: Labels) -> str:
    """Return a label set as Prometheus writes it in its messages."""
    pairs = ", ".join(f'{name}="{value}"' for name, value in labels)
    return f"{{{pairs}}}"
