"""Which web server suits the door: gunicorn's threads or granian, both serving our application.

There is no bar: the figures are what a choice is made by. Granian is not among the dependencies:
`pip install --target FOLDER granian`, then run this with PYTHONPATH=FOLDER.
"""

import importlib.util
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from itertools import count, repeat
from pathlib import Path
from statistics import median
from typing import Any

import measured
import orjson
import servers
import webhooks
from load import Address, closed_loop, request

from cli import ports
from cli.embedded import broker, postgres
from opssage.settings import WebSettings
from webapi.senders.alertmanager import webhook_group

CONNECTIONS = 16
LISTED = 2000
AT_MOST_PER_SECOND = 4000
_rounds = count(1)


def main() -> None:
    if importlib.util.find_spec("granian") is None:
        sys.exit("granian is not installed: pip install --target FOLDER granian, PYTHONPATH=FOLDER")
    chosen = measured.arguments(__doc__, seconds=4.0, rounds=5)
    load_before = measured.load_average()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server_url = stack.enter_context(postgres.running())
        env = {
            "DATABASE_URL": servers.database(server_url, "ours"),
            "OPSSAGE_BROKER_URL": stack.enter_context(broker.running(folder / "broker")),
            "OPSSAGE_LOG_FORMAT": "json",
        }
        addresses = {
            "gunicorn": stack.enter_context(servers.web("webapi.wsgi:app", folder, env)),
            "granian": stack.enter_context(_granian(folder, env)),
        }
        cases = {
            name: measure(name, prepare, addresses, chosen)
            for name, prepare in {
                "ingest": partial(distinct_webhooks, env["DATABASE_URL"], chosen.seconds),
                "list": partial(page_requests, env["DATABASE_URL"]),
            }.items()
        }
        postgresql = servers.server_version(server_url)
    measured.finish(
        "web_server",
        cases,
        load_before,
        connections=CONNECTIONS,
        seconds=chosen.seconds,
        postgresql=postgresql,
        granian=version("granian"),
    )


Prepared = tuple[Iterable[bytes], int]
"""Requests, and the status that each must be answered with."""


def distinct_webhooks(database_url: str, seconds: float) -> Prepared:
    """Empty the database; return webhooks of one alert each."""
    servers.empty(database_url)
    size = int(seconds * AT_MOST_PER_SECOND)
    bodies = webhooks.bodies(next(_rounds) << 24, size, alerts=1)
    return [request("POST", "/api/v1/webhooks/alertmanager", body) for body in bodies], 202


def page_requests(database_url: str) -> Prepared:
    """Fill the database with a few thousand incidents; return requests for the newest of them."""
    if servers.ask(database_url, "SELECT count(*) FROM incidents") != (LISTED,):
        servers.empty(database_url)
        store = servers.store(database_url)
        for body in webhooks.bodies(next(_rounds) << 24, LISTED, alerts=1):
            store.create_incident(webhook_group(orjson.loads(body)))
        store.close()
    return repeat(request("GET", "/api/v1/incidents?severity=critical")), 200


def measure(
    name: str, prepare: Callable[[], Prepared], addresses: dict[str, Address], chosen: Any
) -> dict[str, Any]:
    """Run rounds of one load against each server in turn."""
    seen: dict[str, list[measured.Round]] = {server: [] for server in addresses}
    for number in range(chosen.rounds + 1):
        for server, address in addresses.items():
            requests, status = prepare()
            load = closed_loop(
                address,
                requests,
                connections=CONNECTIONS,
                seconds=chosen.seconds if number else 1.0,
                status=status,
            )
            if number:  # the first warms up
                seen[server].append(load.figures())
                measured.tell(f"{name} {number}/{chosen.rounds}: {server} {seen[server][-1]}")
    ratios = {
        figure: round(
            median(
                one[figure] / other[figure]
                for one, other in zip(seen["granian"], seen["gunicorn"], strict=True)
            ),
            3,
        )
        for figure in ("per_second", "p50_ms", "p99_ms")
    }
    shown = {server: measured.summary(rounds) for server, rounds in seen.items()}
    return {**shown, "granian_over_gunicorn": ratios}


def _granian(folder: Path, env: dict[str, str]) -> Any:
    web, port = WebSettings(), ports.free()
    module = (
        *("granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", str(web.processes), "--blocking-threads", str(web.threads)),
        *("--no-access-log", "--log-level", "warning", "webapi.wsgi:app"),
    )
    return servers.serving(module, folder, env, port=port)


if __name__ == "__main__":
    main()
