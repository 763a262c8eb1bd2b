"""How fast incidents are read from a large table: lists, searches and facets, and a poll.

The store is compared with raw psycopg2 running the same SQL, a poll that finds nothing new (304)
with an empty Flask view. The plans of the documented queries show which index each of them uses.
"""

import random
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Any
from uuid import UUID

import filled
import measured
import psycopg2
import read_cases
import servers
from load import Address, closed_loop, request
from psycopg2.extras import register_uuid

from cli.embedded import broker, postgres
from store import IncidentFilter, Position, Store

LIST_BAR = 3.0
POLL_BAR = 2.0
PAGE = 50
QUERIES = 300
COLUMNS = (
    "incident_id, status, created_at, updated_at, alert_name, severity, namespace, service,"
    " sender, receiver, resolved_at, previous_id, revision, alert_seq, version, truncated_alerts,"
    " root_cause, confidence_score, last_error"
)
NEWEST_FIRST = f"ORDER BY created_at DESC, incident_id DESC LIMIT {PAGE}"
RAW = (
    f"SELECT {COLUMNS} FROM incidents WHERE status = %s AND severity = %s AND namespace = %s"
    f" AND (created_at, incident_id) < (%s, %s) {NEWEST_FIRST}"
)
DOCUMENTED = {
    **{
        name: f"SELECT {COLUMNS} FROM incidents WHERE {name} = '{value}' {NEWEST_FIRST}"
        for name, value in {
            "status": "failed",
            "severity": "critical",
            "namespace": "team-7",
            "service": "service-20",
            "alert_name": "Alert30",
            "sender": "default",
        }.items()
    },
    "status, severity, namespace": f"SELECT {COLUMNS} FROM incidents WHERE status = 'completed'"
    f" AND severity = 'critical' AND namespace = 'team-7' {NEWEST_FIRST}",
    "newest": f"SELECT {COLUMNS} FROM incidents {NEWEST_FIRST}",
    "open": f"SELECT {COLUMNS} FROM incidents WHERE resolved_at IS NULL {NEWEST_FIRST}",
    "acked": f"SELECT {COLUMNS} FROM incidents WHERE acked_at IS NOT NULL {NEWEST_FIRST}",
    "changed": f"SELECT {COLUMNS} FROM incidents WHERE updated_at >= now() - interval '1 hour'"
    f" ORDER BY updated_at, incident_id LIMIT {PAGE}",
}
Query = tuple[str, str, str, Position]


def main() -> None:
    chosen = measured.arguments(__doc__, seconds=3.0, rounds=5, rows=1_000_000)
    load_before = measured.load_average()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker_url = stack.enter_context(broker.running(folder / "broker"))
        server_url = stack.enter_context(postgres.running())
        database_url = filled.database(server_url, "ours", chosen.rows)
        env = {
            "DATABASE_URL": database_url,
            "OPSSAGE_BROKER_URL": broker_url,
            "OPSSAGE_LOG_FORMAT": "json",
        }
        plans = {name: plan(database_url, sql) for name, sql in DOCUMENTED.items()}
        empty = stack.enter_context(servers.web("floor_app:app", folder, env))
        ours = stack.enter_context(servers.web("webapi.wsgi:app", folder, env))
        cases = {
            "list": compare_lists(database_url, chosen),
            "poll": compare_polls(database_url, empty, ours, chosen),
            **read_cases.compare(database_url, chosen.rounds),
            "plans": {"indexes": plans, "passed": all(plans.values())},
        }
        version = servers.server_version(server_url)
    measured.finish("reads", cases, load_before, rows=chosen.rows, page=PAGE, postgresql=version)


def plan(database_url: str, sql: str) -> list[str]:
    """Return the indexes that a query's plan uses; none when it reads the whole table."""
    (answer,) = servers.ask(database_url, f"EXPLAIN (FORMAT JSON) {sql}")
    nodes = list(read_cases.nodes(answer[0]["Plan"]))
    if any(node["Node Type"] == "Seq Scan" for node in nodes):
        return []
    return sorted({node["Index Name"] for node in nodes if "Index Name" in node})


def compare_lists(database_url: str, chosen: Any) -> dict[str, Any]:
    """Compare the store's list with raw psycopg2 on the same queries."""
    register_uuid()  # type: ignore[no-untyped-call]
    dice = random.Random(42)
    queries = [random_query(dice) for _ in range(QUERIES)]
    connection = psycopg2.connect(database_url)
    connection.autocommit = True
    store = servers.store(database_url)
    floor = partial(timed, partial(raw_page, connection), queries)
    ours = partial(timed, partial(store_page, store), queries)
    floor()
    ours()
    bar = measured.Bar(figure="p50_ms", limit=LIST_BAR, at_least=False)
    case = measured.compare("list", bar, chosen.rounds, floor, ours)
    store.close()
    connection.close()
    return case


def random_query(dice: random.Random) -> Query:
    """Return three filters and a place somewhere in the table to read on from."""
    return (
        "completed",
        dice.choice(("warning", "info", "critical")),
        f"team-{int(40 * dice.random() ** 2)}",
        (
            datetime.now(UTC) - timedelta(days=filled.DAYS * dice.random()),
            UUID(int=dice.getrandbits(128)),
        ),
    )


def raw_page(connection: Any, query: Query) -> int:
    """Read a page as one would without the store; returns its length."""
    status, severity, namespace, after = query
    with connection.cursor() as cursor:
        cursor.execute(RAW, (status, severity, namespace, *after))
        return len(cursor.fetchall())


def store_page(store: Store, query: Query) -> int:
    """Read the same page through the store; returns its length."""
    status, severity, namespace, after = query
    chosen = IncidentFilter(status=(status,), severity=(severity,), namespace=(namespace,))
    return len(store.list_incidents(chosen, limit=PAGE, after=after))


def timed(read: Callable[[Query], int], queries: list[Query]) -> dict[str, float]:
    """Run the queries one after the other; returns their latencies and how many rows they read."""
    latencies, found = [], 0
    for query in queries:
        started = perf_counter()
        found += read(query)
        latencies.append((perf_counter() - started) * 1000)
    cuts = quantiles(latencies, n=100)
    return {"p50_ms": cuts[49], "p99_ms": cuts[98], "rows": found}


def compare_polls(database_url: str, empty: Address, ours: Address, chosen: Any) -> dict[str, Any]:
    """Compare a poll that finds nothing new with an empty view; one client, one connection."""
    (ids,) = servers.ask(
        database_url, "SELECT json_agg(incident_id) FROM (SELECT * FROM incidents LIMIT 1000) AS i"
    )
    nothing = [request("GET", "/empty")]
    polls = [
        request("GET", f"/api/v1/incidents/{incident_id}", if_none_match=f'"{incident_id}.1"')
        for incident_id in ids
    ]

    def one_round(
        address: Address, requests: list[bytes], seconds: float = chosen.seconds
    ) -> dict[str, float]:
        repeated = (each for _ in range(1_000_000) for each in requests)
        return closed_loop(address, repeated, connections=1, seconds=seconds, status=304).figures()

    one_round(empty, nothing, 0.5)
    one_round(ours, polls, 0.5)
    bar = measured.Bar(figure="p50_ms", limit=POLL_BAR, at_least=False)
    return measured.compare(
        "poll",
        bar,
        chosen.rounds,
        partial(one_round, empty, nothing),
        partial(one_round, ours, polls),
    )


if __name__ == "__main__":
    main()
