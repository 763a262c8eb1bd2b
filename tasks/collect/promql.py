"""PromQL: an alert's expression taken apart, and queries put together without pasting."""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import isfinite

import promql_parser as ast

_COMPARISONS = frozenset({">", "<", ">=", "<=", "==", "!="})
_SET_OPERATORS = frozenset({"and", "or", "unless"})
_MIRRORED: Mapping[str, str] = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
    "^": operator.pow,
}

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_REGEX_CHARACTERS = re.compile(r"([\\.+*?()|\[\]{}^$])")
_PLACEHOLDER = re.compile(r"(,?)\$M")
# Whatever may hold another expression. Strings and comments are matched to be passed over.
_NESTING = re.compile(
    r""""(?:\\.|[^"\\])*+(?:"|\\?\Z)|'(?:\\.|[^'\\])*+(?:'|\\?\Z)|`[^`]*+(?:`|\Z)|\#[^\r\n]*+"""
    r"""|(?P<nests>[(\[]|[-+*/%^]|[=!]=|[<>]=?|\b(?:and|or|unless|atan2)\b)""",
    re.DOTALL | re.IGNORECASE,
)
_MAX_NESTING = 200
"""Brackets and operators of an expression, five times what the rules in use have. The parser
descends once for each that stands in another, and of some thousands the process dies."""

OF_NAME = "(?:-.*)?"
"""Suffix of a matcher: pods are called after what they belong to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """One comparison of an alert's expression: the measured side, and its threshold if fixed."""

    query: str
    op: str | None = None
    threshold: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Matcher:
    """A label that has one of `values`, each optionally followed by the regex `suffix`."""

    label: str
    values: tuple[str, ...]
    suffix: str = ""

    def __str__(self) -> str:
        """Return the matcher as PromQL (LogQL writes it the same way)."""
        if not _LABEL_NAME.fullmatch(self.label):
            raise ValueError(f"not a label name: {self.label!r}")
        sign, value = self.condition
        return f'{self.label}{sign}"{value.translate(_ESCAPES)}"'

    @property
    def condition(self) -> tuple[str, str]:
        """The operator and the unescaped value: `=` for one plain value, else `=~`."""
        if len(self.values) == 1 and not self.suffix:
            return "=", self.values[0]
        choice = "|".join(_REGEX_CHARACTERS.sub(r"\\\1", value) for value in self.values)
        return "=~", f"(?:{choice}){self.suffix}" if self.suffix else choice


def signals(expression: str) -> tuple[Signal, ...]:
    """Return the signals of an alert's expression, each once. Raises ValueError.

    Every comparison joined by and, or, unless is one. An expression that compares nothing is one
    signal without threshold.
    """
    whole = parsed(expression)
    found = tuple(dict.fromkeys(_comparisons(whole)))
    return found or (Signal(query=_text(whole)),)


def parsed(expression: str) -> ast.Expr:
    """Return an expression taken apart. Raises ValueError when it is not PromQL, or too much."""
    nesting = sum(match["nests"] is not None for match in _NESTING.finditer(expression))
    if nesting > _MAX_NESTING:
        raise ValueError(f"more than {_MAX_NESTING} brackets and operators")
    return ast.parse(expression)


def _comparisons(expr: ast.Expr) -> Iterator[Signal]:
    expr = _unwrapped(expr)
    if not isinstance(expr, ast.BinaryExpr):
        return
    op = str(expr.op)
    if op in _SET_OPERATORS:
        yield from _comparisons(expr.lhs)
        yield from _comparisons(expr.rhs)
    elif op in _COMPARISONS:
        # `(a > bool 1) == 1` compares the result of a comparison: the inner one is the signal
        inner = [*_comparisons(expr.lhs), *_comparisons(expr.rhs)]
        yield from inner or [_signal(expr, op)]


def _signal(expr: ast.BinaryExpr, op: str) -> Signal:
    left, right = constant(expr.lhs), constant(expr.rhs)
    if left is not None and right is None:
        return Signal(query=_text(expr.rhs), op=_MIRRORED.get(op, op), threshold=left)
    return Signal(query=_text(expr.lhs), op=op if right is not None else None, threshold=right)


def constant(expr: ast.Expr) -> float | None:
    """Return the finite value of an expression made of numbers only, else None."""
    expr = _unwrapped(expr)
    if isinstance(expr, ast.NumberLiteral):
        return expr.val if isfinite(expr.val) else None
    if isinstance(expr, ast.UnaryExpr):
        value = constant(expr.expr)
        return None if value is None else -value
    if isinstance(expr, ast.BinaryExpr) and str(expr.op) in _ARITHMETIC:
        left, right = constant(expr.lhs), constant(expr.rhs)
        if left is not None and right is not None:
            try:
                return float(_ARITHMETIC[str(expr.op)](left, right))
            except (ArithmeticError, TypeError):
                return None
    return None


def widest_range_seconds(expression: str) -> float:
    """Return how far back the expression looks: ranges, subqueries and offsets added up.

    Raises ValueError when it is not PromQL.
    """
    return _extent(parsed(expression))


def _extent(expr: ast.Expr) -> float:
    own = 0.0
    if isinstance(expr, ast.MatrixSelector | ast.SubqueryExpr):
        own += expr.range.total_seconds() if expr.range else 0.0
    if isinstance(expr, ast.VectorSelector | ast.SubqueryExpr):
        own += expr.offset.total_seconds() if expr.offset else 0.0
    return own + max((_extent(child) for child in _children(expr)), default=0.0)


def _children(expr: ast.Expr) -> tuple[ast.Expr, ...]:
    if isinstance(expr, ast.BinaryExpr):
        return (expr.lhs, expr.rhs)
    if isinstance(expr, ast.AggregateExpr | ast.ParenExpr | ast.UnaryExpr | ast.SubqueryExpr):
        return (expr.expr,)
    if isinstance(expr, ast.MatrixSelector):
        return (expr.vector_selector,)
    if isinstance(expr, ast.Call):
        return tuple(expr.args)
    return ()


def _unwrapped(expr: ast.Expr) -> ast.Expr:
    while isinstance(expr, ast.ParenExpr):
        expr = expr.expr
    return expr


def _text(expr: ast.Expr) -> str:
    """Serialise on one line; the printer breaks long expressions, but never inside a string."""
    return " ".join(line.strip() for line in _unwrapped(expr).prettify().split("\n"))


def selectors(expr: ast.Expr) -> Iterator[ast.VectorSelector]:
    """Yield every vector selector of an expression, left to right."""
    if isinstance(expr, ast.VectorSelector):
        yield expr
    for child in _children(expr):
        yield from selectors(child)


def metrics_in(expression: str) -> frozenset[str]:
    """Return the names of the metrics that an expression reads. Raises ValueError."""
    return frozenset(filter(None, map(_metric, selectors(parsed(expression)))))


def _metric(selector: ast.VectorSelector) -> str:
    named = (item for item in _conditions(selector) if item[:2] == ("__name__", "="))
    return selector.name or next((value for _, _, value in named), "")


def pinned(expression: str) -> dict[str, str]:
    """Return the labels that the expression's selectors fix to one value, in order of names.

    Where selectors disagree a label is left out. Raises ValueError when it is not PromQL.
    """
    found: dict[str, set[str]] = {}
    for selector in selectors(parsed(expression)):
        for name, sign, value in _conditions(selector):
            if sign == "=" and value and name != "__name__":
                found.setdefault(name, set()).add(value)
    return {name: min(values) for name, values in sorted(found.items()) if len(values) == 1}


def labels_in(expression: str) -> frozenset[str]:
    """Return the labels that the expression's selectors ask for. Raises ValueError."""
    found = (_conditions(selector) for selector in selectors(parsed(expression)))
    named = (name for conditions in found for name, _, _ in conditions)
    return frozenset(named) - {"__name__"}


@cache
def metrics_of_template(template: str) -> frozenset[str]:
    """Return the metrics that a template for `build` reads."""
    return metrics_in(_PLACEHOLDER.sub("", template))


def build(template: str, matchers: Sequence[Matcher]) -> str:
    """Return `template` with `matchers` in place of each `$M`.

    Raises ValueError when the result does not parse to the template's own selectors with exactly
    these matchers added: no label value can change what is asked.
    """
    inserted = ",".join(str(matcher) for matcher in matchers)

    def fill(match: re.Match[str]) -> str:
        return f"{match[1]}{inserted}" if inserted else ""

    query = _PLACEHOLDER.sub(fill, template)
    _check(query, _PLACEHOLDER.sub("", template), template.count("$M"), matchers)
    return query


def _check(query: str, bare: str, places: int, matchers: Sequence[Matcher]) -> None:
    added = [(matcher.label, *matcher.condition) for matcher in matchers]
    before = [_conditions(selector) for selector in selectors(parsed(bare))]
    after = [_conditions(selector) for selector in selectors(parsed(query))]
    expected = sorted(item for selector in before for item in selector)
    if len(before) != len(after) or sorted(
        item for selector in after for item in selector
    ) != sorted(expected + added * places):
        raise ValueError(f"a label value changed the shape of the query {bare!r}")


_SIGNS: Mapping[str, str] = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


def _conditions(selector: ast.VectorSelector) -> list[tuple[str, str, str]]:
    return [
        (item.name, _SIGNS[str(item.op).rsplit(".", 1)[-1]], item.value)
        for item in selector.matchers.matchers
    ]
