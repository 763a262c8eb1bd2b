"""Finding incidents by words, with work that is bounded however many of them there are.

A common word fills a page from a few incidents, which are read in order. What does not fill it so
is rare as a rule, and then the full-text index names all of it. Only what was common once takes
more than one request: its pages may be short, and lead on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    String,
    Table,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from opssage.incident import Incident
from store import rows
from store.listing import Position, Question, Sort, selection, summary
from store.tables import incident_words

Columns = Callable[[Table], Sequence[ColumnElement[Any]]]
"""What to show of the incidents of a table; the id and what orders are among it."""

LEAST_CHARS = 3
"""Of a word that the full-text index is asked for: half of it may begin with one letter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """How much is read for a page, at most.

    Of a word that more than `hits` of a million incidents hold, `near` of them hold a page, unless
    it came all at one time.
    """

    near: int = 10_000  #: incidents, in order
    hits: int = 5000  #: of the full-text index


_REACH = Reach()


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A part of what was searched for."""

    rows: Sequence[Row[Any]]
    following: Position | None  #: where to go on; None: there is no more


def page(
    connection: Connection,
    question: Question,
    words: Sequence[str],
    limit: int,
    reach: Reach = _REACH,
) -> tuple[list[Incident], Position | None]:
    """Return up to `limit` incidents in which the words occur, and where to go on, if anywhere."""
    found = find(connection, question, words, summary, limit, reach)
    return [rows.incident(row) for row in found.rows], found.following


def find(
    connection: Connection,
    question: Question,
    words: Sequence[str],
    columns: Columns,
    limit: int,
    reach: Reach = _REACH,
) -> Found:
    """Return up to `limit` incidents in which a word begins with each of `words`, if there is any.

    There may be less before `following`.
    """
    if not words:
        return Found(rows=(), following=None)
    shape = (question.table, question.sort, question.names)
    told = {**question.told, **_patterns(words), "near": reach.near, "most": limit + 1}
    found = connection.execute(_near(*shape, columns, len(words)), told).all()
    if len(found) > limit:
        return _cut(found, question.sort, limit)
    end = connection.execute(_end(*shape), {**question.told, "near": reach.near}).first()
    if end is None or end.number < reach.near:
        return Found(rows=found, following=None)
    query = _query(connection, words)
    if not query or _has_more_hits(connection, query, reach.hits):
        return Found(rows=found, following=(end.at, end.incident_id))
    statement = _by_index(connection.dialect.name, *shape, columns, len(words))
    hits = connection.execute(statement, {**told, "query": query, "hits": reach.hits}).all()
    return _cut(hits, question.sort, limit)


def _cut(found: Sequence[Row[Any]], sort: Sort, limit: int) -> Found:
    """Return what is asked for, out of that and one more."""
    if len(found) <= limit:
        return Found(rows=found, following=None)
    last = found[limit - 1]
    return Found(rows=found[:limit], following=(getattr(last, sort.column), last.incident_id))


def _patterns(words: Sequence[str]) -> dict[str, str]:
    return {f"word_{number}": f"% {word}%" for number, word in enumerate(words)}


def _all_match(kept: ColumnElement[str], number: int) -> list[ColumnElement[bool]]:
    return [kept.like(bindparam(f"word_{each}")) for each in range(number)]


_KEPT = incident_words.c.alert_words + incident_words.c.answer_words


@cache
def _near(
    source: Table, sort: Sort, names: frozenset[str], columns: Columns, number: int
) -> Select[Any]:
    """Return the query that reads incidents in order, and shows those in which the words occur."""
    kept = select(_KEPT).where(incident_words.c.incident_id == source.c.incident_id)
    chosen = columns(source)
    near = (
        selection(source, sort, names)
        .add_columns(*chosen, kept.correlate(source).scalar_subquery().label("kept"))
        .limit(bindparam("near", type_=Integer))
        .subquery()
    )
    return (
        select(*(near.c[column.name] for column in chosen))
        .where(*_all_match(near.c.kept, number))
        .order_by(*sort.order(near.c))
        .limit(bindparam("most", type_=Integer))
    )


@cache
def _end(source: Table, sort: Sort, names: frozenset[str]) -> Select[Any]:
    """Return the query for how many incidents `_near` reads, and for the last of them."""
    near = (
        selection(source, sort, names)
        .add_columns(source.c[sort.column].label("at"), source.c.incident_id)
        .limit(bindparam("near", type_=Integer))
        .subquery()
    )
    keys = (near.c.at, near.c.incident_id)
    return (
        select(*keys, func.count().over().label("number"))
        .order_by(*(key.asc() if sort.is_descending else key.desc() for key in keys))
        .limit(1)
    )


def _query(connection: Connection, words: Sequence[str]) -> str:
    """Return what the full-text index is asked; nothing when no word is long enough."""
    form, conjunction = _SYNTAX[connection.dialect.name]
    # words are letters and digits: nothing in them needs to be escaped
    return conjunction.join(form.format(word) for word in words if len(word) >= LEAST_CHARS)


_SYNTAX = {"postgresql": ("'{}':*", " & "), "sqlite": ('"{}" *', " AND ")}


def _has_more_hits(connection: Connection, query: str, most: int) -> bool:
    dialect = connection.dialect.name
    if dialect == "postgresql":
        connection.execute(_ASK_THE_INDEX)
    told = {"query": query, "hits": most + 1}
    return (connection.scalar(_COUNT[dialect], told) or 0) > most


# until the transaction ends: a guess of many hits would have the planner read the whole table
_ASK_THE_INDEX = text(
    "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'off', true)"
)
# as the migration spells it
_VECTOR: ColumnElement[Any] = literal_column(
    "array_to_tsvector(string_to_array(ltrim(alert_words || answer_words), ' '))"
)
_TEXT = table("incident_words_text", column("rowid"))
_asked = bindparam("query", type_=String)
_most = bindparam("hits", type_=Integer)
_HITS = {
    "postgresql": select(incident_words.c.incident_id, _KEPT.label("kept"))
    .where(_VECTOR.op("@@")(cast(_asked, TSQUERY)))
    .limit(_most),
    "sqlite": select(incident_words.c.incident_id, _KEPT.label("kept"))
    .join_from(_TEXT, incident_words, incident_words.c.words_id == _TEXT.c.rowid)
    .where(literal_column(_TEXT.name).op("MATCH")(_asked))
    .limit(_most),
}
_COUNT = {name: select(func.count()).select_from(hits.subquery()) for name, hits in _HITS.items()}


@cache
def _by_index(
    dialect: str,
    source: Table,
    sort: Sort,
    names: frozenset[str],
    columns: Columns,
    number: int,
) -> Select[Any]:
    """Return the query that shows, of the hits of the full-text index, those that are wanted."""
    hits = _HITS[dialect].subquery()
    ids = select(hits.c.incident_id).where(*_all_match(hits.c.kept, number))
    return (
        selection(source, sort, names)
        .add_columns(*columns(source))
        .where(source.c.incident_id.in_(ids))
        .limit(bindparam("most", type_=Integer))
    )
