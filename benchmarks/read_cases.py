"""What is read from a large table, each beside psycopg2 running the very same SQL.

The SQL is recorded from the store, so that floor and ours differ in nothing else. Its plans show
how many rows are read: that must not grow with the table.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from time import perf_counter
from typing import Any

import filled
import measured
import psycopg2
import servers
from sqlalchemy import Engine, event

from store import IncidentFilter, Sort, Store, StrayFilter

SEARCH_BAR = 3.0
LIST_BAR = 6.0
"""Fifty rows cost the database a quarter of a millisecond, and Python four times that."""
ROWS_BAR = 60_000
"""Rows that a read looks at, at most: a search reads 10,000 incidents and 5,000 hits, each with
their words, and some of them twice."""
CALLS = 40

Statement = tuple[str, Any]
Read = Callable[[Store], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Something to read, and how much longer than its SQL it may take."""

    read: Read
    bar: float


def cases(store: Store) -> dict[str, Case]:
    """Return what is read, by name."""
    now = datetime.now(UTC)
    week_ago, hour_ago = now - timedelta(days=7), now - timedelta(hours=1)
    largest = store.list_incidents(limit=1)[0].incident_id
    chosen = IncidentFilter(severity=["critical"], created_after=week_ago)
    last = IncidentFilter(updated_since=hour_ago)
    searches: dict[str, Read] = {
        "q common": lambda s: s.search_incidents((filled.COMMON,)),
        "q rare": lambda s: s.search_incidents((filled.RARE,)),
        "q once common": lambda s: s.search_incidents((filled.ONCE_COMMON,)),
        "q nowhere": lambda s: s.search_incidents(("nowhere",)),
        "q of common words, nowhere": lambda s: s.search_incidents(("warning", "nowhere")),
        "q with filter and range": lambda s: s.search_incidents((filled.COMMON,), chosen),
        "facets of a search": lambda s: s.count_facets(words=(filled.COMMON,)),
    }
    lists: dict[str, Read] = {
        "facets": lambda s: s.count_facets(),
        "facets of a choice": lambda s: s.count_facets(chosen),
        "facets of strays": lambda s: s.count_strays(),
        "open": lambda s: s.list_incidents(IncidentFilter(open=True)),
        "sender unknown": lambda s: s.list_incidents(IncidentFilter(sender=["nobody"])),
        "updated_since": lambda s: s.list_incidents(last, sort=Sort.FIRST_CHANGED),
        "oldest first": lambda s: s.list_incidents(sort=Sort.OLDEST),
        "alerts": lambda s: s.page_alerts(largest),
        "timeline": lambda s: s.list_events(largest),
        "strays": lambda s: s.list_strays(StrayFilter(disposition=["inhibitor"])),
    }
    return {
        **{name: Case(read=read, bar=SEARCH_BAR) for name, read in searches.items()},
        **{name: Case(read=read, bar=LIST_BAR) for name, read in lists.items()},
    }


def compare(database_url: str, rounds: int) -> dict[str, Any]:
    """Compare each case with its SQL; returns figures by name, and the rows that were read."""
    store = servers.store(database_url)
    connection = psycopg2.connect(database_url)
    compared: dict[str, Any] = {}
    rows: dict[str, int] = {}
    for name, case in cases(store).items():
        ours = partial(case.read, store)
        ours()  # so that nothing is compiled while it is recorded
        statements = recorded(ours)
        rows[name] = rows_read(connection, statements)
        compared[name] = measured.compare(
            name,
            measured.Bar(figure="p50_ms", limit=case.bar, at_least=False),
            rounds,
            partial(timed, partial(replay, connection, statements)),
            partial(timed, ours),
        )
    store.close()
    connection.close()
    within = {"rows_read": rows, "bar": ROWS_BAR, "passed": max(rows.values()) <= ROWS_BAR}
    return {**compared, "work": within}


def recorded(read: Callable[[], object]) -> list[Statement]:
    """Return the statements that a read sends."""
    with _listening() as statements:
        read()
    return statements


@contextmanager
def _listening() -> Iterator[list[Statement]]:
    statements: list[Statement] = []

    def note(_c: Any, _cursor: Any, sql: str, told: Any, *_: Any) -> None:
        statements.append((sql, told))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def replay(connection: Any, statements: Sequence[Statement]) -> None:
    """Run the statements as one would without the store."""
    with connection, connection.cursor() as cursor:
        for sql, told in statements:
            cursor.execute(sql, told)
            cursor.fetchall()


def timed(read: Callable[[], object]) -> dict[str, float]:
    """Read some times; returns the median latency."""
    latencies = []
    for _ in range(CALLS):
        started = perf_counter()
        read()
        latencies.append((perf_counter() - started) * 1000)
    return {"p50_ms": sorted(latencies)[CALLS // 2]}


def rows_read(connection: Any, statements: Sequence[Statement]) -> int:
    """Return how many rows of tables the statements look at, whether they use them or not."""
    number = 0
    with connection, connection.cursor() as cursor:
        for sql, told in statements:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", told)
            ((plans,),) = cursor.fetchall()
            number += sum(_rows(node) for node in nodes(plans[0]["Plan"]))
    return number


def _rows(node: dict[str, Any]) -> int:
    if "Relation Name" not in node:
        return 0
    left_out = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return int((node["Actual Rows"] + left_out) * node["Actual Loops"])


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a plan's nodes."""
    yield node
    for inner in node.get("Plans", ()):
        yield from nodes(inner)
