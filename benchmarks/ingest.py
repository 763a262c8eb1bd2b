"""How many webhooks per second are stored, against a Flask handler that only inserts the rows.

Both answer after the commit. Ours also checks the alerts, looks for the incident they belong to,
logs, counts, and publishes each new incident to the broker, where nobody takes it. What a token
costs is measured against ours without one.
"""

import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import measured
import servers
import webhooks
from load import Address, closed_loop, request

from cli.embedded import broker, postgres
from opssage.access import Actor, Scope

CONNECTIONS = 8
WARM_UP_SECONDS = 1.0
DRAIN_SECONDS = 60.0
OUR_PATH = "/api/v1/webhooks/alertmanager"


TOKEN_SENDER = "alertmanager"


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One of the two that a case compares: an application on a database, and a path of it."""

    application: str  #: a key of `APPLICATIONS`
    path: str = OUR_PATH


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One size of webhook, sent to both sides."""

    alerts: int
    floor: Side
    ours: Side
    bar: measured.Bar
    at_most_per_second: int  #: webhooks made beforehand per second of a round
    connections: int = CONNECTIONS


RATE, ACK = "per_second", "p99_ms"
APPLICATIONS = {
    "floor": "floor_app:app",
    "floor_sqlite": "floor_app:app",
    "ours": "webapi.wsgi:app",
    "ours_sqlite": "webapi.wsgi:app",
    "ours_token": "webapi.wsgi:app",
}
CASES = {
    "single": Case(
        alerts=1,
        floor=Side(application="floor", path="/single"),
        ours=Side(application="ours"),
        bar=measured.Bar(figure=RATE, limit=0.5, at_least=True),
        at_most_per_second=4000,
    ),
    "group_of_20": Case(
        alerts=20,
        floor=Side(application="floor", path="/group"),
        ours=Side(application="ours"),
        bar=measured.Bar(figure=RATE, limit=0.4, at_least=True),
        at_most_per_second=1000,
    ),
    "single_with_token": Case(
        alerts=1,
        floor=Side(application="ours"),
        ours=Side(application="ours_token"),
        bar=measured.Bar(figure=RATE, limit=0.75, at_least=True),
        at_most_per_second=4000,
    ),
    # one after the other, as Alertmanager sends the notifications of a group
    "group_of_1000": Case(
        alerts=1000,
        floor=Side(application="floor", path="/group"),
        ours=Side(application="ours"),
        bar=measured.Bar(figure=ACK, limit=1000, is_ratio=False),
        at_most_per_second=30,
        connections=1,
    ),
    "group_of_1000_sqlite": Case(
        alerts=1000,
        floor=Side(application="floor_sqlite", path="/group-sqlite"),
        ours=Side(application="ours_sqlite"),
        bar=measured.Bar(figure=ACK, limit=1000, is_ratio=False),
        at_most_per_second=30,
        connections=1,
    ),
}
_rounds = count(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A running application."""

    address: Address
    database_url: str
    headers: Mapping[str, str]


def main() -> None:
    chosen = measured.arguments(__doc__, seconds=4.0, rounds=5, cases=",".join(CASES))
    cases = {name: CASES[name] for name in chosen.cases.split(",")}
    load_before = measured.load_average()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker_url = stack.enter_context(broker.running(folder / "broker"))
        server_url = stack.enter_context(postgres.running())
        # every incident is published, though nobody takes the messages away
        (folder / "config.yaml").write_text("worker: {high_water: 1000000}\n")
        needed = {side.application for case in cases.values() for side in (case.floor, case.ours)}
        applications = {
            name: stack.enter_context(serving(name, folder, server_url, broker_url))
            for name in APPLICATIONS
            if name in needed
        }
        figures = {name: run(name, case, applications, chosen) for name, case in cases.items()}
        version = servers.server_version(server_url)
    measured.finish(
        "ingest",
        figures,
        load_before,
        connections={name: case.connections for name, case in cases.items()},
        seconds=chosen.seconds,
        postgresql=version,
        sqlite=sqlite3.sqlite_version,
    )


@contextmanager
def serving(name: str, folder: Path, server_url: str, broker_url: str) -> Iterator[Server]:
    """Run one application on an empty database of its own."""
    is_sqlite = name.endswith("_sqlite")
    make = (
        partial(servers.sqlite_database, folder)
        if is_sqlite
        else partial(servers.database, server_url)
    )
    url = make(name)
    env = {
        "DATABASE_URL": url,
        "OPSSAGE_BROKER_URL": broker_url,
        "OPSSAGE_LOG_FORMAT": "json",
        "OPSSAGE_AUTH_MODE": "token" if name.endswith("_token") else "open",
    }
    headers = {"Authorization": f"Bearer {token(url)}"} if name.endswith("_token") else {}
    with servers.web(APPLICATIONS[name], folder, env) as address:
        yield Server(address=address, database_url=url, headers=headers)


def token(database_url: str) -> str:
    """Make a token that alerts may be posted with; returns its text."""
    opened = servers.store(database_url)
    made = opened.create_token(TOKEN_SENDER, {Scope.INGEST}, by=Actor(name="benchmark"))
    opened.close()
    return made.text


def run(name: str, case: Case, applications: Mapping[str, Server], chosen: Any) -> dict[str, Any]:
    """Measure one size of webhook."""
    floor, ours = (
        partial(round_of, case, side.path, applications[side.application])
        for side in (case.floor, case.ours)
    )
    floor(WARM_UP_SECONDS)
    ours(WARM_UP_SECONDS)
    return measured.compare(
        name,
        case.bar,
        chosen.rounds,
        partial(floor, chosen.seconds),
        partial(ours, chosen.seconds),
    )


def round_of(case: Case, path: str, server: Server, seconds: float) -> dict[str, float]:
    """Send distinct webhooks for some seconds to an empty database, and count what it holds."""
    servers.empty(server.database_url)
    size = int(seconds * case.at_most_per_second)
    first = next(_rounds) << 24
    requests = [
        request("POST", path, body, **server.headers)
        for body in webhooks.bodies(first, size, alerts=case.alerts)
    ]
    load = closed_loop(
        server.address, requests, connections=case.connections, seconds=seconds, status=202
    )
    (stored,) = servers.ask(server.database_url, "SELECT count(*) FROM incidents")
    if stored != len(load.latencies):
        raise SystemExit(f"{len(load.latencies)} webhooks were answered, {stored} stored")
    figures = load.figures()
    if path == OUR_PATH:
        figures["unpublished_at_end"] = wait_until_published(server.database_url)
    return figures


def wait_until_published(database_url: str) -> int:
    """Let the publishers catch up, and return how many incidents they were behind."""
    waiting = "SELECT count(*) FROM incidents WHERE enqueued_at IS NULL"
    (behind,) = (left,) = servers.ask(database_url, waiting)
    deadline = monotonic() + DRAIN_SECONDS
    while left and monotonic() < deadline:
        sleep(0.2)
        (left,) = servers.ask(database_url, waiting)
    if left:
        raise SystemExit(f"{left} incidents are unpublished after {DRAIN_SECONDS:g} s")
    return int(behind)


if __name__ == "__main__":
    main()
