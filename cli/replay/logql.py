"""The part of LogQL that is answered: a stream selector and line filters, and their count."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cli.replay.series import Matcher, matcher, matches_all
from opssage.errors import OpsSageError, UnsupportedQueryError


class LogQueryError(OpsSageError):
    """The log query cannot be answered."""


_STRING = r'"(?:[^"\\]|\\.)*"|`[^`]*`'
_MATCHER = re.compile(rf"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*({_STRING})\s*")
_FILTER = re.compile(rf"\s*(\|=|!=|\|~|!~)\s*({_STRING})\s*")
_COUNT = re.compile(
    r"\s*sum\s*\(\s*count_over_time\s*\((?P<lines>.*)\[(?P<seconds>\d+)s\]\s*\)\s*\)\s*", re.DOTALL
)

_FILTERS: Mapping[str, Callable[[str], Callable[[str], bool]]] = {
    "|=": lambda wanted: lambda line: wanted in line,
    "!=": lambda wanted: lambda line: wanted not in line,
    "|~": lambda pattern: _searching(pattern, wanted=True),
    "!~": lambda pattern: _searching(pattern, wanted=False),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LogQuery:
    """Which lines of which streams are wanted."""

    matchers: tuple[Matcher, ...]
    filters: tuple[Callable[[str], bool], ...]

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Return whether a stream's labels match."""
        return matches_all(self.matchers, labels)

    def keeps(self, line: str) -> bool:
        """Return whether a line passes all filters."""
        return all(passes(line) for passes in self.filters)


def parse(query: str) -> LogQuery:
    """Read a log query. Raises LogQueryError for anything but selector and line filters."""
    position = _expect(query, 0, "{")
    matchers = []
    while found := _MATCHER.match(query, position):
        matchers.append(_matcher(*found.groups()))
        position = found.end()
        if query[position : position + 1] != ",":
            break
        position += 1
    position = _expect(query, position, "}")
    filters = []
    while found := _FILTER.match(query, position):
        filters.append(_FILTERS[found[1]](_text(found[2])))
        position = found.end()
    if query[position:].strip():
        raise _syntax(query, position)
    if not any(not each.matches("") for each in matchers):
        raise LogQueryError(
            "queries require at least one regexp or equality matcher that does not have an "
            'empty-compatible value. For instance, app=~".*" does not meet this requirement, '
            'but app=~".+" will'
        )
    return LogQuery(matchers=tuple(matchers), filters=tuple(filters))


def parse_count(query: str) -> tuple[LogQuery, int] | None:
    """Read a count of all lines in a time: the lines, and seconds; None for any other query."""
    found = _COUNT.fullmatch(query)
    return found and (parse(found["lines"]), int(found["seconds"]))


def _matcher(name: str, operator: str, quoted: str) -> Matcher:
    try:
        return matcher(name, operator, _text(quoted))
    except UnsupportedQueryError as error:
        raise LogQueryError(str(error)) from error


def _searching(pattern: str, *, wanted: bool) -> Callable[[str], bool]:
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise LogQueryError(f"regular expression {pattern!r}: {error}") from error
    return lambda line: (regex.search(line) is not None) is wanted


def _text(quoted: str) -> str:
    """Return what a quoted string means; backticks take everything literally."""
    if quoted[0] == "`":
        return quoted[1:-1]
    try:
        return str(json.loads(quoted, strict=False))
    except ValueError as error:
        raise LogQueryError(f"parse error: invalid string {quoted}: {error}") from error


def _expect(query: str, position: int, sign: str) -> int:
    """Return the position after `sign`."""
    while query[position : position + 1].isspace():
        position += 1
    if query[position : position + 1] != sign:
        raise _syntax(query, position)
    return position + 1


def _syntax(query: str, position: int) -> LogQueryError:
    rest = query[position:].strip()
    where = f"parse error at line 1, col {position + 1}"
    if not rest:
        return LogQueryError(f"{where}: unexpected end of query")
    return LogQueryError(
        f"{where}: unsupported {rest[:20]!r}; a stream selector and line filters are answered"
    )
