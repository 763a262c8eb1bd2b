"""How many webhooks per second are stored, against a Flask handler that only inserts the rows.

Both answer after the commit. Ours also checks the alerts, looks for the incident they belong to,
logs, counts, and publishes each new incident to the broker, where nobody takes it.
"""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import measured
import servers
import webhooks
from load import Address, closed_loop, request

from cli.embedded import broker, postgres

CONNECTIONS = 8
WARM_UP_SECONDS = 1.0
DRAIN_SECONDS = 60.0
OUR_PATH = "/api/v1/webhooks/alertmanager"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One size of webhook."""

    alerts: int
    floor_path: str
    at_most_per_second: int  #: webhooks made beforehand per second of a round
    bar: float


CASES = {
    "single": Case(alerts=1, floor_path="/single", at_most_per_second=4000, bar=0.5),
    "group_of_20": Case(alerts=20, floor_path="/group", at_most_per_second=1000, bar=0.4),
}
_rounds = count(1)


def main() -> None:
    chosen = measured.arguments(__doc__, seconds=4.0, rounds=5)
    load_before = measured.load_average()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker_url = stack.enter_context(broker.running(folder / "broker"))
        server_url = stack.enter_context(postgres.running())
        databases = {name: servers.database(server_url, name) for name in ("floor", "ours")}
        # every incident is published, though nobody takes the messages away
        (folder / "config.yaml").write_text("worker: {high_water: 1000000}\n")
        env = {"OPSSAGE_BROKER_URL": broker_url, "OPSSAGE_LOG_FORMAT": "json"}
        applications = {"floor": "floor_app:app", "ours": "webapi.wsgi:app"}
        addresses = {
            side: stack.enter_context(
                servers.web(application, folder, {**env, "DATABASE_URL": databases[side]})
            )
            for side, application in applications.items()
        }
        cases = {
            name: run(name, case, addresses, databases, chosen) for name, case in CASES.items()
        }
        version = servers.server_version(server_url)
    measured.finish(
        "ingest",
        cases,
        load_before,
        connections=CONNECTIONS,
        seconds=chosen.seconds,
        postgresql=version,
    )


def run(
    name: str,
    case: Case,
    addresses: dict[str, Address],
    databases: dict[str, str],
    chosen: Any,
) -> dict[str, Any]:
    """Measure one size of webhook."""

    def side(which: str, path: str) -> Callable[..., dict[str, float]]:
        def one_round(seconds: float = chosen.seconds) -> dict[str, float]:
            return round_of(case, addresses[which], path, databases[which], seconds)

        return one_round

    floor, ours = side("floor", case.floor_path), side("ours", OUR_PATH)
    floor(WARM_UP_SECONDS)
    ours(WARM_UP_SECONDS)
    bar = measured.Bar(figure="per_second", limit=case.bar, at_least=True)
    return measured.compare(name, bar, chosen.rounds, floor, ours)


def round_of(
    case: Case, address: Address, path: str, database_url: str, seconds: float
) -> dict[str, float]:
    """Send distinct webhooks for some seconds to an empty database, and count what it holds."""
    servers.empty(database_url)
    size = int(seconds * case.at_most_per_second)
    first = next(_rounds) << 24
    requests = [
        request("POST", path, body) for body in webhooks.bodies(first, size, alerts=case.alerts)
    ]
    load = closed_loop(address, requests, connections=CONNECTIONS, seconds=seconds, status=202)
    (stored,) = servers.ask(database_url, "SELECT count(*) FROM incidents")
    if stored != len(load.latencies):
        raise SystemExit(f"{len(load.latencies)} webhooks were answered, {stored} stored")
    figures = load.figures()
    if path == OUR_PATH:
        figures["unpublished_at_end"] = wait_until_published(database_url)
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
