"""How many incidents per second pass the three stages, against a bare Celery chain.

Both run with the same Celery options on the same PostgreSQL. The floor writes one document per
step, as large as ours, and nothing else. Ours claims each stage, runs it without any source of
evidence, and commits document, status and timeline together.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import floor_chain
import measured
import orjson
import redis
import servers
import webhooks

import worker.app
from cli import child
from cli.embedded import broker, postgres
from opssage import log
from opssage.incident import Stage
from opssage.settings import Settings, load
from store import Store
from webapi.senders.alertmanager import webhook_group
from worker.dispatch import dispatch

CONCURRENCY = 2
BAR = 0.6
POLL_SECONDS = 0.25
ROUND_SECONDS = 120.0
_RUNBOOKS = Path(worker.app.__file__).parent.parent / "runbooks"
_CONFIGURATION = f"""
worker: {{high_water: 1000000, concurrency: {CONCURRENCY}}}
enrich: {{runbooks: {_RUNBOOKS}}}
"""


def main() -> None:
    chosen = measured.arguments(__doc__, incidents=300, rounds=5)
    load_before = measured.load_average()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "config.yaml").write_text(_CONFIGURATION)
        server_url = stack.enter_context(postgres.running())
        environment = {
            side: {
                "DATABASE_URL": servers.database(server_url, side),
                "OPSSAGE_BROKER_URL": stack.enter_context(broker.running(folder / side)),
                "OPSSAGE_LOG_FORMAT": "json",
            }
            for side in ("floor", "ours")
        }
        case, sizes = measure(stack, folder, environment, chosen)
        version = servers.server_version(server_url)
    measured.finish(
        "pipeline",
        {"pipeline": case},
        load_before,
        incidents=chosen.incidents,
        concurrency=CONCURRENCY,
        document_bytes=sizes,
        postgresql=version,
    )


def measure(
    stack: ExitStack, folder: Path, environment: dict[str, dict[str, str]], chosen: Any
) -> tuple[dict[str, Any], list[int]]:
    """Start the two workers and compare them; returns the case and the sizes of our documents."""
    settings = {side: load(folder / "config.yaml", env) for side, env in environment.items()}
    log.configure(settings["ours"].logging)
    ours = partial(our_round, settings["ours"], chosen.incidents)
    stack.enter_context(_worker("worker", folder, environment["ours"]))
    ours()  # warms up, and shows how large the documents are
    sizes = document_sizes(environment["ours"]["DATABASE_URL"])
    os.environ[floor_chain.DOCUMENT_BYTES] = ",".join(map(str, sizes))
    floor = partial(floor_round, settings["floor"], chosen.incidents)
    stack.enter_context(_worker("floor_chain", folder, environment["floor"]))
    floor()
    bar = measured.Bar(figure="per_second", limit=BAR, at_least=True)
    return measured.compare("pipeline", bar, chosen.rounds, floor, ours), sizes


def our_round(settings: Settings, incidents: int) -> dict[str, float]:
    """Publish as the dispatcher does, until every incident has passed."""
    url = str(settings.database.url)
    app = worker.app.create(settings)
    with _filled(url, incidents) as store:

        def publish() -> None:
            while dispatch(app, store, settings.worker):
                pass

        return _timed(url, incidents, publish)


def floor_round(settings: Settings, incidents: int) -> dict[str, float]:
    """Publish one chain per incident, until every one has passed."""
    url = str(settings.database.url)
    with _filled(url, incidents):
        (ids,) = servers.ask(url, "SELECT json_agg(incident_id) FROM incidents")

        def publish() -> None:
            app = floor_chain.app
            app.conf.update(broker_url=settings.broker.url)
            with app.producer_or_acquire() as producer:
                for incident_id in ids:
                    floor_chain.three_steps(incident_id).apply_async(producer=producer)

        return _timed(url, incidents, publish)


@contextmanager
def _filled(database_url: str, incidents: int) -> Iterator[Store]:
    """Store so many incidents, each with one alert, in an empty database."""
    servers.empty(database_url)
    store = servers.store(database_url)
    try:
        for body in webhooks.bodies(1, incidents, alerts=1):
            store.create_incident(webhook_group(orjson.loads(body)))
        yield store
    finally:
        store.close()


def _timed(database_url: str, incidents: int, publish: Callable[[], None]) -> dict[str, float]:
    """Publish and wait; the database's clock tells when the last incident had passed."""
    (started,) = servers.ask(database_url, "SELECT extract(epoch FROM clock_timestamp())")
    publish()
    (published,) = servers.ask(database_url, "SELECT extract(epoch FROM clock_timestamp())")
    deadline = monotonic() + ROUND_SECONDS
    while True:
        running, failed, ended = servers.ask(
            database_url,
            "SELECT count(*) FILTER (WHERE status NOT IN ('completed', 'failed')),"
            " count(*) FILTER (WHERE status = 'failed'), extract(epoch FROM max(updated_at))"
            " FROM incidents",
        )
        if failed or monotonic() > deadline:
            raise SystemExit(f"{failed} incidents failed, {running} are unfinished")
        if not running:
            break
        sleep(POLL_SECONDS)
    return {
        "per_second": incidents / float(ended - started),
        "publishing_seconds": float(published - started),
    }


def document_sizes(database_url: str) -> list[int]:
    """Return how many characters each stage's document has, on average."""
    columns = ", ".join(f"avg(length({stage.document}::text))::int" for stage in Stage)
    return list(servers.ask(database_url, f"SELECT {columns} FROM incidents"))


@contextmanager
def _worker(module: str, folder: Path, env: dict[str, str]) -> Iterator[None]:
    """Run a Celery worker on one of the two apps."""
    command = servers.python(
        *("celery", "-A", module, "worker", "-c", str(CONCURRENCY), "-E", "-n", f"{module}@%h"),
        *("--without-gossip", "--without-mingle", "--loglevel", "warning"),
        folder=folder,
        env=env,
    )
    with child.running(command, partial(_takes_messages, env["OPSSAGE_BROKER_URL"])):
        yield


def _takes_messages(broker_url: str) -> bool:
    """Say whether a worker listens to its mailbox; it takes messages from then on."""
    with redis.Redis.from_url(broker_url) as client:
        return bool(client.pubsub_numpat())


if __name__ == "__main__":
    main()
