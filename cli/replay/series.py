"""Raw series in memory, and the selection of series by label matchers."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import promql_parser
from numpy.typing import NDArray

from opssage.errors import UnsupportedQueryError

Labels = tuple[tuple[str, str], ...]
"""A label set: pairs sorted by name; a label with an empty value is absent."""

NAME = "__name__"


def as_labels(labels: Mapping[str, str]) -> Labels:
    """Return the canonical, hashable form of a label set."""
    return tuple(sorted((name, value) for name, value in labels.items() if value != ""))


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """The samples of one label set, oldest first. There are no staleness markers."""

    labels: Mapping[str, str]  #: with `__name__`
    times: NDArray[np.int64]  #: milliseconds since the epoch, rising
    values: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Matcher:
    """One condition on a label; an absent label has the value ""."""

    name: str
    matches: Callable[[str], bool]


def anchored(pattern: str) -> re.Pattern[str]:
    """Compile a label matcher's regular expression, which must match the whole value.

    Raises UnsupportedQueryError for RE2 syntax that Python does not know.
    """
    try:
        return re.compile(rf"(?:{pattern})\Z")
    except re.error as error:
        raise UnsupportedQueryError(f"regular expression {pattern!r}: {error}") from error


def matcher(name: str, operator: str, value: str) -> Matcher:
    """Build a matcher from `=`, `!=`, `=~` or `!~`."""
    if operator in ("=", "!="):
        wanted = operator == "="
        return Matcher(name=name, matches=lambda text: (text == value) is wanted)
    regex = anchored(value)
    wanted = operator == "=~"
    return Matcher(name=name, matches=lambda text: (regex.match(text) is not None) is wanted)


def matches_all(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Return whether a label set meets every condition."""
    return all(each.matches(labels.get(each.name, "")) for each in matchers)


_OPERATORS = (
    (promql_parser.MatchOp.Equal, "="),
    (promql_parser.MatchOp.NotEqual, "!="),
    (promql_parser.MatchOp.Re, "=~"),
    (promql_parser.MatchOp.NotRe, "!~"),
)


def selector_matchers(selector: promql_parser.VectorSelector) -> tuple[Matcher, ...]:
    """Return the conditions of a parsed vector selector, its metric name among them."""
    if selector.matchers.or_matchers:
        raise UnsupportedQueryError("unsupported: `or` between label matchers")
    found = tuple(
        matcher(each.name, next(sign for op, sign in _OPERATORS if op == each.op), each.value)
        for each in selector.matchers.matchers
    )
    return found if selector.name is None else (matcher(NAME, "=", selector.name), *found)


class SeriesSet:
    """All series of a recording."""

    def __init__(self, series: Iterable[Series]) -> None:
        """Keep the series, sorted by their labels and indexed by metric name."""
        self._series = sorted(series, key=lambda each: as_labels(each.labels))
        self._by_name: dict[str, list[Series]] = {}
        for each in self._series:
            self._by_name.setdefault(each.labels.get(NAME, ""), []).append(each)

    def __iter__(self) -> Iterator[Series]:
        """Iterate in the order of the labels."""
        return iter(self._series)

    def __len__(self) -> int:
        """Return the number of series."""
        return len(self._series)

    def select(self, matchers: Sequence[Matcher]) -> list[Series]:
        """Return the series that meet all conditions, in the order of their labels."""
        names = [each for each in matchers if each.name == NAME]
        rest = [each for each in matchers if each.name != NAME]
        return [
            series
            for name, group in sorted(self._by_name.items())
            if all(each.matches(name) for each in names)
            for series in group
            if matches_all(rest, series.labels)
        ]
