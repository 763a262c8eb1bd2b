"""T09-T13: the broker dies, hangs, comes back empty, is away for a minute, or says no."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import redis
from faults import buffer
from faults.alertmanager import Load
from faults.checker import Outcome
from faults.cluster import Layout
from faults.matrix import LOAD_SECONDS, Run, fault
from redis.backoff import NoBackoff
from redis.retry import Retry
from running_stack import until

from cli import ports

_FULL = LOAD_SECONDS >= 10  # `make faults`, not the hasty subset
_HANG_SECONDS = 20.0 if _FULL else 7.0
_AWAY_SECONDS = 60.0 if _FULL else 8.0
_PER_SECOND = 5.0
_SAYS_NO_SECONDS = 4.0
_BACKLOG = 3
_SYNC_SECONDS = 1.5  # the broker writes its file out each second
_KEYS, _KEY_LOAD_MICROSECONDS = 20_000, 250  # five seconds

# what the wiped broker held is published again because it was wiped, not because time went by
_PATIENT = Layout(settings={"worker": {"resend_seconds": 600}})


@fault("T09", "broker killed in mid-stage, restarted with its file")
def broker_killed(run: Run) -> Iterator[None]:
    """The worker stays up, connects again, and takes what the file brought back."""
    with _held_back(run):
        time.sleep(_SYNC_SECONDS)
        run.cluster.broker.kill()
        run.cluster.broker.start()
        with buffer.opened(run.cluster.broker_url) as client:
            assert buffer.held(client) > 0
    yield
    _assert_worker_stayed(run)


@fault("T10", "broker killed, restarted empty", _PATIENT, quick=True)
def broker_wiped(run: Run) -> Iterator[None]:
    """The dispatcher misses its marker and publishes all that waits anew."""
    with _held_back(run):
        run.cluster.broker.kill()
        shutil.rmtree(run.cluster.broker.command.folder)
        run.cluster.broker.command.folder.mkdir()
        run.cluster.broker.start()
    yield from _noticed(run)


@fault("T10", "broker emptied", _PATIENT, databases=("postgresql",), variant="FLUSHALL")
def broker_flushed(run: Run) -> Iterator[None]:
    """The same, while every connection lives on."""
    with _held_back(run), buffer.opened(run.cluster.broker_url) as client:
        with client.pipeline() as at_once:
            before, _, left = at_once.dbsize().flushall().dbsize().execute()
        assert (before > 0, left) == (True, 0)
    yield from _noticed(run)


def _noticed(run: Run) -> Iterator[None]:
    run.healed()
    until(lambda: "broker_was_emptied" in run.cluster.dispatcher.said())
    yield
    _assert_worker_stayed(run)


@fault("T11", "broker hangs for 20 s", databases=("postgresql",))
def broker_hangs(run: Run) -> Iterator[None]:
    """It takes connections and answers nothing."""
    run.cluster.broker.stop()
    time.sleep(_HANG_SECONDS)
    _assert_missed(run)
    run.cluster.broker.resume()
    outcome: Outcome = yield
    assert outcome.refused == outcome.unanswered == 0
    _assert_worker_stayed(run)


@fault("T11", "connections to the broker half open", databases=("postgresql",), variant="TCP")
def half_open(run: Run) -> Iterator[None]:
    """Live connections carry nothing any more and nobody is told; later ones work."""
    with buffer.opened(run.cluster.broker_url) as client:
        before = _connections(client)
        run.cluster.network("broker", "half_open")
        run.healed()
        until(lambda: _connections(client) - before)
        assert before & _connections(client), "the broker takes the dead for living"
    outcome: Outcome = yield
    assert outcome.refused == outcome.unanswered == 0
    _assert_worker_stayed(run)


@fault("T12", "broker dead for 60 s of ingest", databases=("postgresql",), load=None)
def broker_away(run: Run) -> Iterator[None]:
    """Every alert is taken while nothing can be published."""
    yield from _ingest_without(run, run.cluster.broker.kill, run.cluster.broker.start)


@fault(
    "T12",
    "broker hung for 60 s of ingest",
    databases=("postgresql",),
    load=None,
    variant="hung",
    quick=True,
)
def broker_mute(run: Run) -> Iterator[None]:
    """The same with a broker that takes connections and answers nothing."""
    yield from _ingest_without(run, run.cluster.broker.stop, run.cluster.broker.resume)


def _ingest_without(
    run: Run, leave: Callable[[], None], come_back: Callable[[], None]
) -> Iterator[None]:
    leave()
    load = Load(per_second=_PER_SECOND, seconds=_AWAY_SECONDS)
    for group in run.alertmanager.start(load).result():
        group.result()
    _assert_missed(run)
    come_back()
    outcome: Outcome = yield
    assert set(outcome.statuses) == {202}
    assert outcome.accepted == _PER_SECOND * _AWAY_SECONDS
    _assert_worker_stayed(run)


@fault("T13", "broker out of memory", databases=("postgresql",), variant="OOM")
def broker_full(run: Run) -> Iterator[None]:
    """It gives messages out, but takes none, nor a note of who has them."""
    yield from _refused(
        run,
        "command not allowed when used memory",
        begin=lambda client: client.config_set("maxmemory", 1),
        end=lambda client: client.config_set("maxmemory", 0),
    )


@fault("T13", "broker read-only", databases=("postgresql",), variant="READONLY")
def broker_read_only(run: Run) -> Iterator[None]:
    """As a primary is after a failover."""
    yield from _refused(
        run,
        "read only replica",
        begin=lambda client: client.replicaof("127.0.0.1", ports.free()),
        end=lambda client: client.replicaof("NO", "ONE"),
    )


@fault("T13", "broker asks for a password", databases=("postgresql",), variant="NOAUTH")
def broker_locked(run: Run) -> Iterator[None]:
    """Which nobody has, not even those who are connected."""

    def lock(client: redis.Redis) -> None:
        client.config_set("requirepass", "unknown")
        for kind in ("normal", "pubsub"):
            client.client_kill_filter(_type=kind, skipme=True)

    yield from _refused(
        run,
        "Authentication required",
        begin=lock,
        end=lambda client: client.config_set("requirepass", ""),
    )


def _refused(
    run: Run,
    error: str,
    *,
    begin: Callable[[redis.Redis], object],
    end: Callable[[redis.Redis], object],
) -> Iterator[None]:
    """Let the broker say no for a while; whoever uses it is told so, and lives on."""
    with buffer.opened(run.cluster.broker_url) as client:
        begin(client)
        time.sleep(_SAYS_NO_SECONDS)
        end(client)
    assert any(error in each.said() for each in run.cluster.processes), "nobody was told"
    outcome: Outcome = yield
    assert outcome.refused == outcome.unanswered == 0
    _assert_worker_stayed(run)


@fault("T13", "broker loads its file", databases=("postgresql",), variant="LOADING")
def broker_loading(run: Run) -> Iterator[None]:
    """It takes connections, and answers each command with a wait."""
    broker = run.cluster.broker
    with buffer.opened(run.cluster.broker_url) as client, client.pipeline() as many:
        for n in range(_KEYS):
            many.set(f"somebody-elses:{n}", "")
        many.execute()
    time.sleep(_SYNC_SECONDS)
    broker.kill()
    slowly = ("--key-load-delay", str(_KEY_LOAD_MICROSECONDS))
    broker.command = replace(broker.command, argv=(*broker.command.argv, *slowly))
    broker.start(wait=False)
    until(lambda: _says(run, redis.exceptions.BusyLoadingError), 5)
    broker.await_ready()
    yield
    _assert_worker_stayed(run)


def _says(run: Run, error: type[Exception]) -> bool:
    """Say whether the broker answers with this error."""
    retry = Retry(NoBackoff(), 0)
    with redis.Redis.from_url(run.cluster.broker_url, retry=retry) as client:
        try:
            client.ping()
        except redis.RedisError as answer:
            return isinstance(answer, error)
    return False


@contextmanager
def _held_back(run: Run) -> Iterator[None]:
    """Keep the workers from keeping up for the length of the block, entered with a backlog."""
    run.failpoints.arm("enrich.work", "sleep", seconds=1, once=False)
    with buffer.opened(run.cluster.broker_url) as client:
        until(lambda: buffer.queued(client) >= _BACKLOG, 20)
    yield
    run.failpoints.disarm("enrich.work")


def _connections(client: redis.Redis) -> set[str]:
    return {told["id"] for told in client.client_list()}


def _assert_missed(run: Run) -> None:
    """The web has tried to publish, and could not."""
    assert "publish_failed" in run.cluster.web.said()


def _assert_worker_stayed(run: Run) -> None:
    """What a supervisor would hide: the worker has not ended."""
    assert run.cluster.worker.starts == 1, run.cluster.worker.said()[-3000:]
