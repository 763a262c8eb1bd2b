"""How long enrich takes, among a million past incidents and ten thousand passages of documents.

The evidence is that of the recorded outages. Each incident is of the alerts and services that most
past ones are of, and half of the past is archived. Measured: the whole stage, from its claim to its
commit; the first one of a process, which reads all documents; what the look at history reads; and
the memory of a worker's child that has enriched and diagnosed.
"""

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import median, quantiles
from time import monotonic, perf_counter, process_time, sleep
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import filled
import httpx2
import measured
import orjson
import psycopg2
import read_cases
import redis
import servers

import worker.app
from cli import child
from cli.embedded import broker, postgres
from cli.replay import load as load_outage
from cli.replay import names as outages
from cli.replay.server import answering
from opssage import log
from opssage.access import Actor
from opssage.incident import Alert, AlertGroup, Incident, Stage, Status
from opssage.settings import Settings, load
from opssage.wire import to_json
from store import NewDocument, Store
from tasks import pipeline
from tasks.collect import build_sources, collect
from tasks.collect.registry import Connection
from tasks.diagnose import first_impression
from tasks.enrich.symptoms import read_symptoms
from webapi.senders.alertmanager import webhook_group
from worker.dispatch import dispatch

P95_BAR_MS = 150.0
MEMORY_BAR_MB = 150.0
ROWS_BAR = 5000
"""Rows that the look at history reads, at most."""
CHUNKS_OF_DOCUMENT = 5
WAIT_SECONDS = 300.0
HERE = Path(__file__).parent
RUNBOOKS = HERE.parent / "runbooks"
NOW = datetime(2026, 11, 20, 9, 30, 7, tzinfo=UTC)

_ARCHIVE = """
WITH moved AS (
    DELETE FROM incidents WHERE created_at < now() - interval '45 days' AND resolved_at IS NOT NULL
        AND status IN ('completed', 'failed') AND next_attempt_at IS NULL
    RETURNING *
)
INSERT INTO incidents_archive ({columns}, archived_at) SELECT {columns}, now() FROM moved
"""
_NOTHING_RUNS = """
UPDATE incidents SET status = 'failed', next_attempt_at = NULL
WHERE status NOT IN ('completed', 'failed')
"""
_COLUMNS = """
SELECT string_agg(column_name, ', ') FROM information_schema.columns
WHERE table_name = 'incidents_archive' AND column_name <> 'archived_at'
"""


def main() -> None:
    chosen = measured.arguments(__doc__, rows=1_000_000, chunks=10_000, incidents=300)
    load_before = measured.load_average()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server_url = stack.enter_context(postgres.running())
        url = filled.database(server_url, "ours", chosen.rows)
        archived = archive_half(url)
        (folder / "config.yaml").write_text(
            f"enrich: {{runbooks: {RUNBOOKS}}}\nworker: {{concurrency: 1}}\n"
        )
        environment = {
            "DATABASE_URL": url,
            "OPSSAGE_BROKER_URL": stack.enter_context(broker.running(folder / "broker")),
            "OPSSAGE_LOG_FORMAT": "json",
        }
        settings = load(folder / "config.yaml", environment)
        log.configure(settings.logging)
        store = servers.store(url)
        keep_documents(store, chosen.chunks)
        ids = list(collected(store, chosen.incidents))
        half = len(ids) // 2
        cases = {
            "enrich": time_stages(settings, ids[:half]),
            "history": history(store, url, ids[-1]),
            "memory": memory(stack, folder, environment, settings, len(ids) - half),
        }
        version = servers.server_version(server_url)
        store.close()
    facts = {"rows": chosen.rows, "archived": archived, "chunks": chosen.chunks}
    measured.finish("enrich", cases, load_before, **facts, postgresql=version)


def archive_half(url: str) -> int:
    """Move the older half of what is over to the archive; returns how many that were."""
    (columns,) = servers.ask(url, _COLUMNS)
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(_NOTHING_RUNS)  # so that the worker has nothing else to do
        cursor.execute(_ARCHIVE.format(columns=columns))
        moved = cursor.rowcount
    connection.close()
    vacuum = psycopg2.connect(url)
    vacuum.autocommit = True
    vacuum.cursor().execute("VACUUM ANALYZE")
    vacuum.close()
    return moved


def keep_documents(store: Store, chunks: int) -> None:
    """Fill the knowledge base with documents made of the words of the shipped runbooks and others.

    A quarter of the words are of a vocabulary of 30,000, unevenly spread.
    """
    dice = random.Random(42)
    said = [word for path in sorted(RUNBOOKS.glob("*.md")) for word in path.read_text().split()]
    letters = "abcdefghijklmnopqrstuvwxyz"
    others = ["".join(dice.choices(letters, k=dice.randint(4, 9))) for _ in range(30_000)]

    def prose(length: int) -> str:
        at = dice.randrange(len(said) - length)
        words = said[at : at + length]
        return " ".join(
            others[int(len(others) * dice.random() ** 3)] if dice.random() < 0.25 else word
            for word in words
        )

    headings = ("Symptoms", "Check", "Actions", "Verify", "Escalation")[:CHUNKS_OF_DOCUMENT]
    for number in range(chunks // CHUNKS_OF_DOCUMENT):
        sections = (f"## {each}\n{prose(70)}\n- {prose(8)}\n- {prose(8)}\n" for each in headings)
        text = f"---\nservices: [service-{number % 300}]\n---\n# Runbook {number}\n" + "\n".join(
            sections
        )
        new = NewDocument(
            name=f"made/{number}",
            text=text,
            title=f"Runbook {number}",
            about={},
            digest=sha256(text.encode()).hexdigest(),
        )
        store.put_document(new, Actor(name="benchmark"), most_bytes=1 << 30)


def collected(store: Store, number: int) -> Iterator[UUID]:
    """Store incidents for which the evidence of the outages in turn has been collected."""
    contexts = [context_of(name) for name in outages()]
    for each in range(number):
        alert, context = contexts[each % len(contexts)]
        name, service = f"Alert{each % 5}", f"service-{each % 5}"
        renamed = orjson.loads(
            orjson.dumps(context).replace(alert.name.encode(), name.encode())
        ) | {"alert_seq": 1}
        labels = {**alert.labels, "alertname": name, "service": service, "number": str(each)}
        own = Alert(
            labels=labels,
            starts_at=alert.starts_at,
            fingerprint=sha256(str(each).encode()).hexdigest()[:16],
        )
        group = AlertGroup(alerts=(own,), receiver="benchmark", group_key=str(each))
        (touched,) = store.create_incident(group).incidents
        incident_id = touched.incident_id
        claim = store.claim(
            incident_id,
            Stage.COLLECT,
            owner="benchmark",
            task_id=str(each),
            lease_seconds=60,
            max_attempts=3,
        )
        if claim is None:
            raise SystemExit("an incident of our own could not be claimed")
        store.update_primary_context(incident_id, claim.epoch, renamed)
        yield incident_id


def context_of(name: str) -> tuple[Alert, Mapping[str, Any]]:
    """Return an alert of a recorded outage, and what collect finds."""
    outage = load_outage(name)
    capture = outage.at(NOW)
    client = httpx2.Client(transport=httpx2.WSGITransport(app=answering(outage, capture)))
    alerts = webhook_group(outage.webhook(NOW, "http://alertmanager:9093")).alerts
    settings = Settings(folder=Path())
    incident = Incident(
        incident_id=UUID(int=1),
        status=Status.PENDING,
        created_at=NOW,
        updated_at=NOW,
        alert_name="",
        severity="",
    )
    sources = build_sources(settings, lambda _: Connection(url="http://replay", client=client))
    now = NOW + timedelta(seconds=5)
    return alerts[0], to_json(collect(incident, alerts, sources, settings.collect, now))


def time_stages(settings: Settings, ids: Sequence[UUID]) -> dict[str, Any]:
    """Run enrich on each, as a worker does."""
    app = worker.app.create(settings)
    request = SimpleNamespace(id="benchmark", delivery_info={}, chain=[])
    task = SimpleNamespace(app=app, request=request)
    seconds, busy = [], []
    for incident_id in ids:
        began, worked = perf_counter(), process_time()
        outcome = pipeline.enrich.__wrapped__.__func__(task, str(incident_id))
        seconds.append(perf_counter() - began)
        busy.append(process_time() - worked)
        if outcome != "committed":
            raise SystemExit(f"enrich {outcome}")
    first, *others = seconds
    cuts = quantiles(others, n=100)
    p95 = cuts[94] * 1000
    parts = shares(app.parts, ids[-1])
    app.parts.store.close()
    return {
        "first_ms": round(first * 1000, 1),
        "p50_ms": round(median(others) * 1000, 1),
        "p95_ms": round(p95, 1),
        "p99_ms": round(cuts[98] * 1000, 1),
        "cpu_p50_ms": round(median(busy[1:]) * 1000, 1),
        "cpu_p95_ms": round(quantiles(busy[1:], n=100)[94] * 1000, 1),
        "parts_ms": parts,
        "bar": f"p95_ms <= {P95_BAR_MS}",
        "passed": p95 <= P95_BAR_MS,
    }


def shares(parts: Any, incident_id: UUID, calls: int = 20) -> dict[str, float]:
    """Return how long the parts of the stage take, each by itself."""
    incident = parts.store.get_incident(incident_id)
    claim = SimpleNamespace(incident=incident)
    primary = pipeline._primary(claim)  # noqa: SLF001 - what is measured
    impression = first_impression(primary)
    most = parts.settings.enrich.past_incidents
    shelf = parts.library.shelf()
    symptoms = read_symptoms(primary, impression)
    works = {
        "read the context": partial(pipeline._primary, claim),  # noqa: SLF001 - as above
        "first impression": partial(first_impression, primary),
        "look at history": partial(parts.store.list_past, incident, impression, most),
        "ask for the version": parts.library.shelf,
        "retrieve": partial(shelf.retrieve, symptoms, limit=5),
    }
    found = {}
    for name, work in works.items():
        seconds = []
        for _ in range(calls):
            began = perf_counter()
            work()
            seconds.append(perf_counter() - began)
        found[name] = round(median(seconds) * 1000, 1)
    return found


def history(store: Store, url: str, incident_id: UUID) -> dict[str, Any]:
    """Return how much the look at history reads, and by which indexes."""
    incident = store.get_incident(incident_id)
    if incident is None:
        raise SystemExit("an incident of our own is gone")
    primary = pipeline._primary(SimpleNamespace(incident=incident))  # noqa: SLF001 - as a worker
    look = partial(store.list_past, incident, first_impression(primary), 50)
    look()
    statements = read_cases.recorded(look)
    connection = psycopg2.connect(url)
    rows = read_cases.rows_read(connection, statements)
    indexes = indexes_of(connection, statements)
    connection.close()
    return {
        "candidates": len(look()),
        "rows_read": rows,
        "indexes": indexes,
        "bar": f"rows_read <= {ROWS_BAR}",
        "passed": rows <= ROWS_BAR,
    }


def indexes_of(connection: Any, statements: Sequence[read_cases.Statement]) -> list[str]:
    """Return the indexes that the plans use."""
    names = set()
    with connection.cursor() as cursor:
        for sql, told in statements:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", told)
            ((plans,),) = cursor.fetchall()
            names |= {node.get("Index Name") for node in read_cases.nodes(plans[0]["Plan"])}
    return sorted(filter(None, names))


def memory(
    stack: ExitStack, folder: Path, env: dict[str, str], settings: Settings, number: int
) -> dict[str, Any]:
    """Have a worker with one child finish the other incidents; returns what that child holds."""
    process = stack.enter_context(_worker(folder, env))
    app = worker.app.create(settings)
    store = servers.store(env["DATABASE_URL"])
    until = monotonic() + WAIT_SECONDS
    done = "SELECT count(*) FROM incidents WHERE receiver = 'benchmark' AND status = 'completed'"
    while servers.ask(env["DATABASE_URL"], done)[0] < number:
        if monotonic() > until:
            raise SystemExit("the worker did not finish")
        dispatch(app, store, settings.worker)
        sleep(0.5)
    store.close()
    held = max((held_by(pid) for pid in children(process)), key=lambda each: each["child_mb"])
    passed = held["child_mb"] <= MEMORY_BAR_MB
    return {**held, "bar": f"child_mb <= {MEMORY_BAR_MB}", "passed": passed}


@contextmanager
def _worker(folder: Path, env: dict[str, str]) -> Iterator[int]:
    """Run a worker with one child; yields its process id."""
    command = servers.python(
        *("celery", "-A", "worker", "worker", "-c", "1", "-n", "enrich@%h"),
        *("--without-gossip", "--without-mingle", "--loglevel", "warning"),
        folder=folder,
        env=env,
    )
    ready = partial(takes_messages, env["OPSSAGE_BROKER_URL"])
    with child.running(command, ready) as process:
        yield process.pid


def takes_messages(broker_url: str) -> bool:
    """Say whether a worker listens to its mailbox; it takes messages from then on."""
    with redis.Redis.from_url(broker_url) as client:
        return bool(client.pubsub_numpat())


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in told.split()]


def held_by(pid: int) -> dict[str, float]:
    """Return the memory of a process in MB of 2**20 bytes: all of it, and what no other shares."""
    told: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, size, *_ = line.split()
        told[name.rstrip(":")] = int(size)
    private = told["Private_Clean"] + told["Private_Dirty"]
    return {"child_mb": round(told["Rss"] / 1024, 1), "private_mb": round(private / 1024, 1)}


if __name__ == "__main__":
    main()
