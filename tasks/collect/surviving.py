"""Which labels an expression leaves on its result: those that its alerts can carry."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import promql_parser as ast

from tasks.collect.promql import parsed

_NO_LABELS: frozenset[str] = frozenset()
_SCALARS = frozenset({"time", "vector", "scalar", "pi", "year", "month", "hour", "minute"})
_CHOOSING = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
_WRITING = frozenset({"label_replace", "label_join"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Surviving:
    """The labels of a result: either those of `only`, or all of its metrics' but `dropped`."""

    only: frozenset[str] | None = None
    dropped: frozenset[str] = _NO_LABELS
    added: frozenset[str] = _NO_LABELS  #: from elsewhere, besides all others
    metrics: tuple[str, ...] = ()  #: whose labels they are, when `only` is None

    def of(self, labels: Iterable[str]) -> frozenset[str]:
        """Return what is left of a metric's labels."""
        whole = frozenset(labels)
        return (whole & self.only if self.only is not None else whole - self.dropped) | self.added

    @property
    def certain(self) -> frozenset[str]:
        """The labels that are on the result whatever its metrics carry."""
        return (self.only or _NO_LABELS) | self.added

    def without(self, labels: Iterable[str]) -> "Surviving":
        """Return what is left when these are taken away."""
        gone = frozenset(labels)
        return replace(
            self,
            only=None if self.only is None else self.only - gone,
            dropped=self.dropped | gone,
            added=self.added - gone,
        )

    def kept(self, labels: Iterable[str]) -> "Surviving":
        """Return what is left when these alone are kept."""
        wanted = frozenset(labels)
        if self.only is not None:
            wanted &= self.only | self.added
        return Surviving(only=wanted - self.dropped | (wanted & self.added))


def surviving(expression: str) -> Surviving:
    """Return the labels on the result of an expression. Raises ValueError when it is not PromQL."""
    return _of(parsed(expression))


def _of(expr: ast.Expr) -> Surviving:
    if isinstance(expr, ast.VectorSelector):
        return Surviving(metrics=(expr.name or "",))
    if isinstance(expr, ast.MatrixSelector):
        return _of(expr.vector_selector)
    if isinstance(expr, ast.ParenExpr | ast.UnaryExpr | ast.SubqueryExpr):
        return _of(expr.expr)
    rule = _RULES.get(type(expr))
    return rule(expr) if rule else Surviving(only=_NO_LABELS)


def _call(expr: ast.Call) -> Surviving:
    name = expr.func.name
    if name.startswith("absent"):
        return Surviving(only=_equalities(expr.args[0]))
    vectors = [arg for arg in expr.args if not _is_plain(arg)]
    if name in _SCALARS or not vectors:
        return Surviving(only=_NO_LABELS)
    found = _of(vectors[0])
    if name == "histogram_quantile":
        return found.without({"le"})
    if name in _WRITING:
        written = frozenset({expr.args[1].val})
        return replace(found, added=found.added | written, dropped=found.dropped - written)
    return found


def _equalities(expr: ast.Expr) -> frozenset[str]:
    """Return the labels `absent` gives to its result: those compared with `=`."""
    while isinstance(expr, ast.ParenExpr | ast.MatrixSelector):
        expr = expr.expr if isinstance(expr, ast.ParenExpr) else expr.vector_selector
    if not isinstance(expr, ast.VectorSelector):
        return _NO_LABELS
    matchers = expr.matchers.matchers
    return frozenset(
        item.name for item in matchers if str(item.op).endswith(".Equal") and item.name[0] != "_"
    )


def _aggregate(expr: ast.AggregateExpr) -> Surviving:
    found = _of(expr.expr)
    if str(expr.op) in _CHOOSING:
        return found
    modifier = expr.modifier
    if modifier is None:
        return Surviving(only=_NO_LABELS)
    if str(modifier.type).endswith("Without"):
        return found.without(modifier.labels)
    return found.kept(modifier.labels)


def _binary(expr: ast.BinaryExpr) -> Surviving:
    op = str(expr.op)
    if op in {"and", "unless"} or _is_plain(expr.rhs):
        return _of(expr.lhs)
    if _is_plain(expr.lhs):
        return _of(expr.rhs)
    left, right = _of(expr.lhs), _of(expr.rhs)
    return _either(left, right) if op == "or" else _matched(left, right, expr.modifier)


def _matched(left: Surviving, right: Surviving, modifier: ast.BinModifier | None) -> Surviving:
    card = str(modifier.card) if modifier else ""
    if modifier and ("ManyToOne" in card or "OneToMany" in card):
        many = left if "ManyToOne" in card else right
        return replace(many, added=many.added | frozenset(modifier.group_labels or ()))
    matching = modifier.matching if modifier else None
    if matching is None:
        return _both(left, right)
    if str(matching.type).endswith("Include"):
        return _both(left.kept(matching.labels), right.kept(matching.labels))
    return left.without(matching.labels)


def _both(left: Surviving, right: Surviving) -> Surviving:
    """Return the labels of a pair whose label sets are equal."""
    if left.only is None and right.only is None:
        return replace(left, dropped=left.dropped | right.dropped)
    known, other = (left, right) if left.only is not None else (right, left)
    return other.kept(known.certain)


def _either(left: Surviving, right: Surviving) -> Surviving:
    if left.only is not None and right.only is not None:
        return Surviving(only=left.certain | right.certain)
    if left.only is None and right.only is None:
        return Surviving(
            dropped=left.dropped & right.dropped,
            added=left.added | right.added,
            metrics=(*left.metrics, *right.metrics),
        )
    open_, closed = (left, right) if left.only is None else (right, left)
    return replace(open_, dropped=open_.dropped - closed.certain)


def _is_plain(expr: ast.Expr) -> bool:
    """Say whether an expression is a number or a text, which has no labels."""
    while isinstance(expr, ast.ParenExpr | ast.UnaryExpr):
        expr = expr.expr
    if isinstance(expr, ast.BinaryExpr):
        return _is_plain(expr.lhs) and _is_plain(expr.rhs)
    if isinstance(expr, ast.Call):
        return expr.func.name in {"time", "scalar", "pi"}
    return isinstance(expr, ast.NumberLiteral | ast.StringLiteral)


_RULES: Mapping[type, Callable[[Any], Surviving]] = {
    ast.Call: _call,
    ast.AggregateExpr: _aggregate,
    ast.BinaryExpr: _binary,
}
