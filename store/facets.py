"""How many incidents there are of each kind, among the newest of those chosen."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Row, Select, Table, bindparam

from store.listing import IncidentFilter, Question, Sort, selection
from store.search import find

MOST = 1000
"""Incidents that are counted, the newest: counting has to end in a table of any size."""

VALUES = 20
"""Values told of a facet, the most frequent."""

Value = str | bool

_WORDS = ("status", "severity", "namespace", "service", "alert_name")
_FACETS = (*_WORDS, "open", "acked")
_EVERYTHING = IncidentFilter()


def _columns(table: Table) -> list[ColumnElement[Any]]:
    """Return a value for each facet, and what a search needs."""
    is_open, is_acked = table.c.resolved_at.is_(None), table.c.acked_at.is_not(None)
    values = [*(table.c[name] for name in _WORDS), is_open.label("open"), is_acked.label("acked")]
    return [*values, table.c.incident_id, table.c.created_at]


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """How many there are with a value."""

    value: Value
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Facets:
    """What there is to choose from: of each facet the values, the most frequent first."""

    counts: Mapping[str, Sequence[Count]]
    capped: bool  #: there are more than were counted


def count(
    connection: Connection, chosen: IncidentFilter, words: Sequence[str] | None, *, archived: bool
) -> Facets:
    """Count the newest incidents chosen, with `words` of those that they find.

    Each facet counts as if nothing were chosen of it, so it shows what else could be. It takes one
    query, and one for each facet that is chosen of.
    """
    counts: dict[str, Sequence[Count]] = {}
    capped = False
    for question, facets in _questions(chosen):
        found, more = _newest(connection, Question.of(question, archived=archived), words)
        values = dict(zip(_FACETS, zip(*found, strict=True), strict=False))
        counts |= {name: tally(values.get(name, ())) for name in facets}
        capped = capped or more
    return Facets(counts=counts, capped=capped)


def _questions(chosen: IncidentFilter) -> Iterator[tuple[IncidentFilter, list[str]]]:
    """Yield each set of conditions with the facets that are counted under it."""
    nothing = {name: getattr(_EVERYTHING, name) for name in _FACETS}
    own = [name for name, none in nothing.items() if getattr(chosen, name) not in (none, [])]
    for name in own:
        yield replace(chosen, **{name: nothing[name]}), [name]
    if others := [name for name in _FACETS if name not in own]:
        yield chosen, others


def _newest(
    connection: Connection, question: Question, words: Sequence[str] | None
) -> tuple[Sequence[Row[Any]], bool]:
    """Return the newest incidents, and whether there are more."""
    if words is not None:
        some = find(connection, question, words, _columns, MOST)
        return some.rows, some.following is not None
    statement = _page(question.table, question.sort, question.names)
    found = connection.execute(statement, {**question.told, "most": MOST + 1}).all()
    return found[:MOST], len(found) > MOST


@cache
def _page(table: Table, sort: Sort, names: frozenset[str]) -> Select[Any]:
    columns = _columns(table)[: len(_FACETS)]
    return selection(table, sort, names).add_columns(*columns).limit(bindparam("most", Integer()))


def tally(values: Iterable[Any]) -> tuple[Count, ...]:
    """Return how often each value occurs, the most frequent first."""
    told = Counter(values)
    del told[None]
    ordered = sorted(told.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Count(value=value, count=number) for value, number in ordered[:VALUES])
