"""T19-T20: two dispatchers, none, or a dying one; and messages that another version has sent."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from faults import buffer, checker
from faults.alertmanager import Load
from faults.checker import Outcome
from faults.cluster import Layout
from faults.matrix import LOAD_SECONDS, Run, fault
from running_stack import until

_NONE_SECONDS = 30.0 if LOAD_SECONDS >= 10 else 6.0
_ALERTS = 40
_STAGES = 3
_ROUNDS_SECONDS = 5.0  # ten rounds of a dispatcher
_RESEND_SECONDS = 2  # of the quick settings
_FEW = 10  # stages that are run again when a worker is killed

# nothing is sent for another reason than that it was never sent
_ONCE = {"worker": {"resend_seconds": 60}}


@fault(
    "T19",
    "two dispatchers, no worker",
    Layout(dispatchers=2, settings=_ONCE),
    databases=("postgresql",),
    load=None,
)
def two_dispatchers(run: Run) -> Iterator[None]:
    """Each incident is published once, however often the two look."""
    run.cluster.worker.kill()
    run.cluster.network("broker", "reset", of="web")
    with buffer.opened(run.cluster.broker_url) as client:
        client.config_resetstat()
        sent = [run.alertmanager.submit(run.alertmanager.next_alert()) for _ in range(_ALERTS)]
        assert {each.result() for each in sent} == {202}
        until(lambda: len(buffer.incident_ids(client)) >= _ALERTS)
        time.sleep(_ROUNDS_SECONDS)
        published = buffer.incident_ids(client)
    assert len(published) == len(set(published)) == _ALERTS
    assert all(each.is_alive for each in run.cluster.dispatchers)
    run.healed()
    run.cluster.worker.start()
    yield from _calm(run)


@fault("T19", "no dispatcher for 30 s", databases=("postgresql",), load=None, variant="none")
def no_dispatcher(run: Run) -> Iterator[None]:
    """The web publishes what it takes; a message that it loses at last waits for a dispatcher."""
    run.cluster.dispatcher.kill()
    with buffer.opened(run.cluster.broker_url) as client:
        client.config_resetstat()
    for group in run.alertmanager.start(Load(seconds=_NONE_SECONDS)).result():
        group.result()
    until(lambda: checker.unfinished(run.cluster.database_url) == 0)
    run.failpoints.arm("publish.before", "drop", on="web")
    run.alertmanager.send(run.alertmanager.next_alert())
    run.failpoints.await_fired("publish.before")
    time.sleep(_RESEND_SECONDS + 1)
    assert checker.unfinished(run.cluster.database_url) == 1
    run.cluster.dispatcher.start()
    yield from _calm(run)


@fault("T19", "dispatcher killed before it publishes", Layout(dispatchers=2), variant="killed")
def dispatcher_killed(run: Run) -> Iterator[None]:
    """Its rows are stamped and no message stands for them."""
    run.cluster.network("broker", "reset", of="web")
    run.failpoints.arm("publish.before", "kill", on="dispatcher")
    killed = run.failpoints.await_fired("publish.before")
    until(lambda: sum(each.starts for each in run.cluster.dispatchers) == 3)
    assert killed not in {each.pid for each in run.cluster.dispatchers}
    run.cluster.network("broker", "pass")
    yield


def _calm(run: Run) -> Iterator[None]:
    """Assert that not many more messages were sent than there are stages."""
    outcome: Outcome = yield
    with buffer.opened(run.cluster.broker_url) as client:
        assert buffer.sent(client) <= 2 * _STAGES * outcome.incidents
    assert outcome.extra_runs <= _FEW, outcome


@fault("T20", "messages for a task that the worker does not know", databases=("postgresql",))
def unknown_task(run: Run) -> Iterator[None]:
    """They are dropped, and the incidents are published again."""

    def rename(message: dict[str, Any]) -> None:
        message["headers"]["task"] = "opssage.summarise"

    yield from _with_messages(run, rename, "Received unregistered task")


@fault(
    "T20",
    "messages with arguments that the tasks do not take",
    databases=("postgresql",),
    variant="arguments",
)
def other_arguments(run: Run) -> Iterator[None]:
    """They fail, and the incidents are published again."""

    def add_argument(message: dict[str, Any]) -> None:
        arguments, named, chain = json.loads(base64.b64decode(message["body"]))
        body = json.dumps([[*arguments, "collect", 1], named, chain])
        message["body"] = base64.b64encode(body.encode()).decode()

    yield from _with_messages(run, add_argument, "positional argument")


def _with_messages(run: Run, change: Callable[[dict[str, Any]], None], told: str) -> Iterator[None]:
    """Change what waits in the queues; the worker has to live through it and say so."""
    run.cluster.worker.kill()
    with buffer.opened(run.cluster.broker_url) as client:
        until(lambda: buffer.queued(client) > 3)
        for queue in buffer.QUEUES:
            for raw in client.lrange(queue, 0, -1):
                message = json.loads(raw)
                change(message)
                with client.pipeline() as at_once:
                    at_once.lrem(queue, 1, raw).rpush(queue, json.dumps(message)).execute()
    run.cluster.worker.start()
    until(lambda: told in run.cluster.worker.said())
    yield
    assert run.cluster.worker.starts == 2, run.cluster.worker.said()[-3000:]


@fault("T20", "messages that are none", databases=("postgresql",), variant="unreadable")
def unreadable(run: Run) -> Iterator[None]:
    """Whatever somebody else puts into a queue ends the worker at worst, and is gone then."""
    with buffer.opened(run.cluster.broker_url) as client:
        for rubbish in (b"not JSON", b"[]", b'{"body": "!", "headers": {}, "properties": {}}'):
            client.lpush(buffer.QUEUES[0], rubbish)
            until(lambda: rubbish not in client.lrange(buffer.QUEUES[0], 0, -1), 30)  # noqa: B023
    yield
