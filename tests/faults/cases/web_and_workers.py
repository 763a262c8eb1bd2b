"""T01-T08: the web and the workers die, hang, are replaced, or lose a step."""

import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import redis
from faults import checker
from faults.checker import Outcome
from faults.cluster import Layout
from faults.matrix import STEADY, Run, fault
from running_stack import until
from sqlalchemy import select

from opssage.incident import Stage
from store.tables import RUNNING, incidents

_LEASE_SECONDS = 3  # of the quick settings
_PREFIX = "opssage:"
_ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DEPLOY_ROUNDS = 3


_TWO_OF_THEM = Layout(web_processes=2)


@fault("T01", "web process killed before COMMIT", _TWO_OF_THEM, quick=True)
def web_killed_before_commit(run: Run) -> Iterator[None]:
    """The sender has no answer and sends again."""
    run.failpoints.arm("ingest.before_commit", "kill")
    run.failpoints.await_fired("ingest.before_commit")
    outcome: Outcome = yield
    assert outcome.unanswered > 0


@fault("T02", "web process killed after COMMIT", _TWO_OF_THEM, variant="before it answers")
def web_killed_after_commit(run: Run) -> Iterator[None]:
    """The sender has no answer and sends again what is known already."""
    run.failpoints.arm("ingest.after_commit", "kill")
    run.failpoints.await_fired("ingest.after_commit")
    outcome: Outcome = yield
    assert outcome.unanswered > 0
    assert outcome.incidents == outcome.accepted


@fault(
    "T02",
    "web process killed after COMMIT",
    _TWO_OF_THEM,
    databases=("postgresql",),
    variant="before it publishes",
)
def web_killed_before_publish(run: Run) -> None:
    """The rows are stamped as enqueued, and no message stands for them."""
    run.failpoints.arm("publish.before", "kill", on="web")
    run.failpoints.await_fired("publish.before")


@fault(
    "T03",
    "message lost between queue and worker",
    Layout(settings={"worker": {"resend_seconds": 5}}),
    databases=("postgresql",),
    quick=True,
)
def message_lost(run: Run) -> None:
    """A stopped worker's pending BRPOP takes a message with it into its grave."""
    run.cluster.worker.stop()
    while not _is_awaited(run):
        run.cluster.worker.resume()
        time.sleep(0.1)
        run.cluster.worker.stop()
    until(lambda: _stamped(run) - _held_by_broker(run), 10)
    run.cluster.worker.restart()


@fault("T04", "worker and its children killed in mid-stage", quick=True)
def worker_killed(run: Run) -> None:
    """The lease runs out, and the dispatcher sends the incident to the next worker."""
    _kill_in_mid_stage(run)


@fault(
    "T04",
    "worker and its children killed in mid-stage",
    Layout(defaults=True),
    databases=("postgresql",),
    variant="default settings: lease 20 s",
)
def worker_killed_with_defaults(run: Run) -> None:
    """The same, as users run it."""
    _kill_in_mid_stage(run)


def _kill_in_mid_stage(run: Run) -> None:
    run.failpoints.arm("enrich.work", "sleep", seconds=60)
    run.failpoints.await_fired("enrich.work")
    run.cluster.worker.kill()
    run.healed()
    run.cluster.worker.start()


@fault("T05", "child stopped for longer than its lease, then resumed", quick=True)
def zombie_child(run: Run) -> Iterator[None]:
    """Somebody else has done its work; what it commits is refused."""
    run.failpoints.arm("enrich.work", "stop")
    zombie = run.failpoints.await_fired("enrich.work")
    run.healed()
    time.sleep(2 * _LEASE_SECONDS)
    os.kill(zombie, signal.SIGCONT)
    until(lambda: "claim_lost" in run.cluster.worker.said())
    outcome: Outcome = yield
    assert outcome.extra_runs > 0


@fault(
    "T06",
    "child killed in mid-stage, its lease 600 s",
    Layout(settings={"worker": {"lease_seconds": 600}}),
    databases=("postgresql",),
)
def child_killed(run: Run) -> Iterator[None]:
    """Its worker gives the message back, and who gets it takes the lease over at once."""
    run.failpoints.arm("enrich.work", "kill")
    run.failpoints.await_fired("enrich.work")
    outcome: Outcome = yield
    assert outcome.extra_runs > 0


@fault(
    "T07",
    "workers replaced in order, again and again",
    Layout(workers=2),
    databases=("postgresql",),
    load=replace(STEADY, per_second=2),
)
def rolling_deploy(run: Run) -> None:
    """A stage that takes too long to wait for is given back, and the attempt with it."""
    for turn in range(_DEPLOY_ROUNDS):
        name = f"Slow{turn}"
        run.failpoints.arm("enrich.work", "sleep", seconds=60, alertname=name)
        run.alertmanager.submit(run.alertmanager.next_alert(name))
        busy = run.failpoints.await_fired("enrich.work")
        leaving = next(each for each in run.cluster.workers if busy in each.children)
        leaving.terminate()
        until(lambda: _attempts(run, name) == 0, 2 * _LEASE_SECONDS)  # noqa: B023 - within
        leaving.start(wait=False)


@fault("T08", "next step of the chain lost", quick=True)
def step_lost(run: Run) -> None:
    """The child dies between its COMMIT and the message for the next stage."""
    run.failpoints.arm("collect.after_commit", "kill")
    run.failpoints.await_fired("collect.after_commit")


@fault("T08", "step of the chain repeated", databases=("postgresql",), variant="broker killed")
def step_repeated(run: Run) -> None:
    """The broker dies in mid-stage and gives the message out again from its file."""
    run.failpoints.arm("collect.after_commit", "sleep", seconds=3)
    run.failpoints.await_fired("collect.after_commit")
    run.cluster.broker.restart()


def _is_awaited(run: Run) -> bool:
    """Say whether somebody waits for the next message."""
    with redis.Redis.from_url(run.cluster.broker_url) as client:
        connections = client.client_list()
    return any(each["cmd"] == "brpop" and "b" in each["flags"] for each in connections)


def _stamped(run: Run) -> set[str]:
    """Return the ids of unfinished incidents that a message was published for."""
    waiting = incidents.c.status.in_(RUNNING), incidents.c.enqueued_at.is_not(None)
    with checker.reading(run.cluster.database_url) as connection:
        return {
            str(each)
            for each in connection.scalars(select(incidents.c.incident_id).where(*waiting))
        }


def _held_by_broker(run: Run) -> set[str]:
    """Return every id in a message that waits or is not acknowledged; tasks have ids too."""
    with redis.Redis.from_url(run.cluster.broker_url) as client:
        queues = [client.lrange(f"{_PREFIX}opssage.{stage.value}", 0, -1) for stage in Stage]
        messages = [*chain.from_iterable(queues), *client.hvals(f"{_PREFIX}unacked")]
    return {found.decode() for each in messages for found in _ID.findall(each)}


def _attempts(run: Run, alert_name: str) -> int | None:
    """Return how often the current stage of an alert's incident counts as tried."""
    chosen = select(incidents.c.attempts).where(
        incidents.c.alert_name == alert_name, incidents.c.lease_until.is_(None)
    )
    with checker.reading(run.cluster.database_url) as connection:
        return connection.execute(chosen).scalar()
