"""T26: packets between two of the processes are lost, and connections are reset."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from faults import checker
from faults.checker import Outcome
from faults.cluster import Cluster, Layout
from faults.entry import prepare
from faults.matrix import STEADY, Run, fault
from faults.processes import Process
from running_stack import until
from sqlalchemy import select

from store.tables import RUNNING, incidents

_DARK_SECONDS = 6.0  # twice the lease of the quick settings
_RESET_SECONDS = 2.0
_VISIBILITY_SECONDS = 3
_SHORT = replace(STEADY, seconds=min(STEADY.seconds, 6))
_SECOND_WORKER = Layout(
    workers=2,
    # what the first holds is given to the second while the first still works on it
    env={prepare.VISIBILITY: str(_VISIBILITY_SECONDS)},
)


@fault("T26", "web and database parted", databases=("postgresql",), variant="web, database")
def web_parted_from_database(run: Run) -> Iterator[None]:
    """Whoever sends is told to come again; a COMMIT that arrives late is known already."""
    run.cluster.network("database", "blackhole", of="web")
    dark_at = time.time()
    time.sleep(_DARK_SECONDS)
    light_at = time.time()
    run.cluster.network("database", "pass", of="web")
    time.sleep(_RESET_SECONDS)
    run.cluster.network("database", "reset", of="web")
    time.sleep(_RESET_SECONDS)
    run.cluster.network("database", "pass", of="web")
    outcome: Outcome = yield
    asked = [each for each in run.alertmanager.record.attempts if dark_at < each.at]
    answers = Counter(each.status for each in asked if each.at + each.seconds < light_at)
    assert set(answers) == {503}
    assert set(outcome.statuses) <= {202, 503}, outcome.statuses


@fault(
    "T26",
    "one of two workers and database parted in mid-stage",
    _SECOND_WORKER,
    databases=("postgresql",),
    load=_SHORT,
    variant="worker, database",
)
def worker_parted_from_database(run: Run) -> Iterator[None]:
    """The other one takes over when the lease has run out; the first one is refused."""
    cut_off = _cut_off_in_mid_stage(run, 2.0)
    run.cluster.network("database", "blackhole", of="worker")
    _assert_taken_over(run, _DARK_SECONDS)
    run.cluster.network("database", "pass", of="worker")
    # its result, or the sign of life before that
    until(lambda: {"claim_lost", "lease_lost"} & set(cut_off.said().split('"')))
    run.cluster.network("database", "reset", of="worker")
    time.sleep(_RESET_SECONDS)
    run.cluster.network("database", "pass", of="worker")
    outcome: Outcome = yield
    assert outcome.extra_runs > 0
    assert cut_off.starts == 1, cut_off.said()[-3000:]


@fault(
    "T26",
    "one of two workers and broker parted in mid-stage",
    _SECOND_WORKER,
    databases=("postgresql",),
    load=_SHORT,
    variant="worker, broker",
)
def worker_parted_from_broker(run: Run) -> Iterator[None]:
    """Its message is given to the other one, which sees its heart beat and leaves it alone."""
    cut_off = _cut_off_in_mid_stage(run, 3 * _VISIBILITY_SECONDS)
    run.cluster.network("broker", "blackhole", of="worker")
    _assert_taken_over(run, 3 * _VISIBILITY_SECONDS)
    run.cluster.network("broker", "pass", of="worker")
    run.cluster.network("broker", "reset", of="worker")
    time.sleep(_RESET_SECONDS)
    run.cluster.network("broker", "pass", of="worker")
    outcome: Outcome = yield
    assert outcome.failed == 0
    assert "claim_lost" not in cut_off.said()
    assert cut_off.starts == 1, cut_off.said()[-3000:]


def _cut_off_in_mid_stage(run: Run, seconds: float) -> Process:
    """Let the first worker be the only one behind the proxies, and busy for so long."""
    first, second = run.cluster.workers
    _put_past_the_proxies(second, run.cluster)
    run.failpoints.arm("enrich.work", "sleep", seconds=seconds, on=first.name, alertname="CutOff")
    while run.failpoints.fired("enrich.work") is None:
        run.alertmanager.send(run.alertmanager.next_alert("CutOff"))
        time.sleep(0.2)
    return first


def _put_past_the_proxies(worker: Process, cluster: Cluster) -> None:
    direct = {"DATABASE_URL": cluster.database_url, "OPSSAGE_BROKER_URL": cluster.broker_url}
    worker.command = replace(worker.command, env={**worker.command.env, **direct})
    worker.terminate()
    worker.start()


def _assert_taken_over(run: Run, seconds: float) -> None:
    """Wait until all that was sent by now is done, however long the worker is cut off."""
    left = select(incidents.c.incident_id).where(
        incidents.c.status.in_(RUNNING), incidents.c.created_at <= datetime.now(UTC)
    )

    def nothing_is_left() -> bool:
        with checker.reading(run.cluster.database_url) as connection:
            return connection.execute(left).first() is None

    until(nothing_is_left, seconds + 20)
