"""Evaluation of a parsed expression, one rule per kind of node.

What no rule knows is refused with its name, never answered with a guess.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import numpy as np
import promql_parser as ast

from cli.replay.promql.aggregates import REDUCTIONS, SELECTIONS, reduce_groups, select_best
from cli.replay.promql.operators import (
    ARITHMETIC,
    COMPARISON,
    SETS,
    Matching,
    between_vectors,
    combine_sets,
    compute,
    with_scalar,
)
from cli.replay.promql.quantile import histogram_quantile
from cli.replay.promql.ranges import FUNCTIONS, KEEPS_NAME, Windows
from cli.replay.promql.vectors import (
    Column,
    Scalar,
    Steps,
    Value,
    Vector,
    drop,
    grouped,
    keep,
    nameless,
    united,
)
from cli.replay.series import NAME, Labels, SeriesSet, as_labels, selector_matchers
from opssage.errors import UnsupportedQueryError

LOOKBACK_MS = 300_000
"""How old a sample may be to count as current; Prometheus' default `query.lookback-delta`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """One query's series and the times (milliseconds) at which it is evaluated."""

    series: SeriesSet
    steps: Steps

    def of(self, node: Any) -> Value:
        """Evaluate a node of the syntax tree.

        Raises UnsupportedQueryError for a construct outside the family, EvaluationError when
        the series do not allow the operation.
        """
        rule = _RULES.get(type(node))
        if rule is None:
            raise _unsupported(_NODE_NAMES.get(type(node), type(node).__name__))
        return rule(self, node)

    def vector(self, node: Any) -> Vector:
        """Evaluate a node that the parser has checked to be a vector."""
        return cast("Vector", self.of(node))

    def scalar(self, node: Any) -> Scalar:
        """Evaluate a node that the parser has checked to be a scalar."""
        return cast("Scalar", self.of(node))

    def shifted(self, offset: timedelta | None) -> Steps:
        """Return the steps moved back by an offset."""
        return self.steps if offset is None else self.steps - milliseconds(offset)


def milliseconds(duration: timedelta) -> int:
    """Return a duration in whole milliseconds."""
    return duration // timedelta(milliseconds=1)


def _unsupported(construct: str) -> UnsupportedQueryError:
    return UnsupportedQueryError(f"unsupported: {construct}")


def _vector_selector(evaluation: Evaluation, node: ast.VectorSelector) -> Vector:
    """Take the latest sample at or before each step, unless it is too old."""
    if node.at is not None:
        raise _unsupported("@ modifier")
    times = evaluation.shifted(node.offset)
    result = []
    for series in evaluation.series.select(selector_matchers(node)):
        index = np.searchsorted(series.times, times, side="right") - 1
        latest = np.maximum(index, 0)
        present = (index >= 0) & (times - series.times[latest] <= LOOKBACK_MS)
        result.append(Column(as_labels(series.labels), series.values[latest], present))
    return united(result)


def _range_function(evaluation: Evaluation, node: ast.Call) -> Vector:
    matrix = node.args[0]
    while isinstance(matrix, ast.ParenExpr):
        matrix = matrix.expr
    if not isinstance(matrix, ast.MatrixSelector):
        raise _unsupported(_NODE_NAMES.get(type(matrix), type(matrix).__name__))
    selector = matrix.vector_selector
    if selector.at is not None:
        raise _unsupported("@ modifier")
    name = node.func.name
    right, range_ms = evaluation.shifted(selector.offset), milliseconds(matrix.range)
    result = []
    for series in evaluation.series.select(selector_matchers(selector)):
        labels = as_labels(series.labels)
        answer = FUNCTIONS[name](Windows.of(series, right, range_ms))
        result.append(Column(labels if name in KEEPS_NAME else nameless(labels), *answer))
    return united(result)


def _histogram_quantile(evaluation: Evaluation, node: ast.Call) -> Vector:
    quantile, vector = node.args
    return histogram_quantile(evaluation.scalar(quantile), evaluation.vector(vector))


def _vector(evaluation: Evaluation, node: ast.Call) -> Vector:
    values = evaluation.scalar(node.args[0])
    return [Column((), values, np.ones(len(values), dtype=np.bool_))]


def _time(evaluation: Evaluation, node: ast.Call) -> Scalar:
    del node
    return evaluation.steps / 1000


_CALLS: Mapping[str, Callable[[Evaluation, ast.Call], Value]] = {
    **dict.fromkeys(FUNCTIONS, _range_function),
    "histogram_quantile": _histogram_quantile,
    "vector": _vector,
    "time": _time,
}


def _call(evaluation: Evaluation, node: ast.Call) -> Value:
    rule = _CALLS.get(node.func.name)
    if rule is None:
        raise _unsupported(f"function {node.func.name}()")
    return rule(evaluation, node)


def _aggregate(evaluation: Evaluation, node: ast.AggregateExpr) -> Vector:
    operator, modifier = str(node.op), node.modifier
    names = () if modifier is None else tuple(modifier.labels)
    without = modifier is not None and modifier.type == ast.AggModifierType.Without

    def key(labels: Labels) -> Labels:
        return drop(labels, (NAME, *names)) if without else keep(labels, names)

    if operator not in REDUCTIONS and operator not in SELECTIONS:
        raise _unsupported(f"aggregation {operator}")
    groups = grouped(evaluation.vector(node.expr), key)
    if operator in REDUCTIONS:
        return reduce_groups(operator, groups)
    return select_best(operator, groups, evaluation.scalar(node.param))


def _matching(modifier: ast.BinModifier | None) -> Matching:
    if modifier is None:
        return Matching()
    if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
        raise _unsupported("fill modifier")
    labels = modifier.matching
    many = {
        str(ast.VectorMatchCardinality.ManyToOne): "left",
        str(ast.VectorMatchCardinality.OneToMany): "right",
    }.get(str(modifier.card), "")
    return Matching(
        on=labels is not None and labels.type == ast.LabelModifierType.Include,
        names=() if labels is None else tuple(labels.labels),
        many=many,
        include=tuple(modifier.group_labels or ()),
    )


def _binary(evaluation: Evaluation, node: ast.BinaryExpr) -> Value:
    operator, modifier = str(node.op), node.modifier
    if operator not in SETS and operator not in ARITHMETIC and operator not in COMPARISON:
        raise _unsupported(f"operator {operator}")
    as_bool = modifier is not None and modifier.return_bool
    left, right = evaluation.of(node.lhs), evaluation.of(node.rhs)
    if isinstance(left, list) and isinstance(right, list):
        if operator in SETS:
            return combine_sets(operator, left, right, _matching(modifier))
        return between_vectors(operator, left, right, _matching(modifier), as_bool=as_bool)
    if isinstance(left, list):
        scalar = cast("Scalar", right)
        return with_scalar(operator, left, scalar, scalar_first=False, as_bool=as_bool)
    if isinstance(right, list):
        scalar = cast("Scalar", left)
        return with_scalar(operator, right, scalar, scalar_first=True, as_bool=as_bool)
    return compute(operator, cast("Scalar", left), cast("Scalar", right), as_bool=as_bool)[0]


def _negative(evaluation: Evaluation, node: ast.UnaryExpr) -> Value:
    value = evaluation.of(node.expr)
    if isinstance(value, list):
        return united(Column(nameless(each.labels), -each.values, each.present) for each in value)
    return -cast("Scalar", value)


def _number(evaluation: Evaluation, node: ast.NumberLiteral) -> Scalar:
    return np.full(len(evaluation.steps), node.val)


_RULES: Mapping[type, Callable[[Evaluation, Any], Value]] = {
    ast.VectorSelector: _vector_selector,
    ast.Call: _call,
    ast.AggregateExpr: _aggregate,
    ast.BinaryExpr: _binary,
    ast.UnaryExpr: _negative,
    ast.ParenExpr: lambda evaluation, node: evaluation.of(node.expr),
    ast.NumberLiteral: _number,
    ast.StringLiteral: lambda _, node: cast("str", node.val),
}

_NODE_NAMES: Mapping[type, str] = {
    ast.MatrixSelector: "range vector selector outside a range function",
    ast.SubqueryExpr: "subquery",
}
