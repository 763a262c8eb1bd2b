"""T31: everything dies, hangs and is cut off, at random, several at a time.

`make faults-loop SECONDS=300 SEED=7` runs this alone; the seed chooses what is done to whom and
for how long, not what the processes are doing at that moment.
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import redis
from faults import buffer, checker
from faults.alertmanager import Load
from faults.checker import Outcome
from faults.cluster import Layout, Role, Server
from faults.failpoints import POINTS
from faults.matrix import Run, fault
from faults.processes import Process
from faults.proxy import Kind
from running_stack import until
from sqlalchemy import select

from store.tables import RUNNING, incidents

_SECONDS = float(os.environ.get("FAULTS_LOOP_SECONDS") or "60")
_MOST_AT_ONCE = 3
_PAUSE_SECONDS = (0.3, 2.0)
_DAMAGE_SECONDS = (0.5, 6.0)  # leases last 3
_READY_SECONDS = 90.0

_SLOW_POINT, _SLOW_SECONDS = "collect.before_commit", 0.25
"""Each stage of collect takes so long, so that what is killed is killed in mid-stage."""

Step = Callable[[], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Damage:
    """Something that can be done, and undone later."""

    what: str
    target: object  #: nothing else is done to it meanwhile
    do: Step
    undo: Step


@fault(
    "T31",
    "everything killed, stopped and cut off at random",
    Layout(web_processes=2, workers=2, dispatchers=2, own_postgres=True),
    databases=("postgresql",),
    load=None,
)
def random_kills(run: Run) -> Iterator[None]:
    """Whatever comes together, nothing acknowledged is lost."""
    seed = os.environ.get("FAULTS_LOOP_SEED") or str(random.SystemRandom().randrange(10_000))
    _tell(f"T31: {_SECONDS:.0f} s with FAULTS_LOOP_SEED={seed}")
    sending = run.alertmanager.start(Load(seconds=_SECONDS, peers=2))
    run.failpoints.arm(_SLOW_POINT, "sleep", seconds=_SLOW_SECONDS, once=False)
    nemesis = _Nemesis(run=run, random=random.Random(seed))
    nemesis.rage(_SECONDS)
    run.failpoints.disarm(_SLOW_POINT)
    _await_all(run)
    run.healed()
    run.remark = f"seed {seed}, {len(nemesis.done)} damages in {_SECONDS:.0f} s"
    for group in sending.result():
        group.result()
    outcome: Outcome = yield
    assert len(nemesis.done) > _SECONDS / 10
    assert outcome.extra_runs > 0, "nothing was killed in mid-stage"
    assert sum(process.starts - 1 for process in _everything(run)) > 0
    assert set(outcome.statuses) <= {0, 202, 503}, outcome
    assert run.alertmanager.record.given_up == 0
    _assert_tidy(run.cluster.database_url)
    _tell(f"T31: {outcome}")


@dataclass(kw_only=True)
class _Nemesis:
    """Does one damage after the other, several at a time."""

    run: Run
    random: random.Random
    done: list[str] = field(default_factory=list)
    _open: list[tuple[float, _Damage]] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    def rage(self, seconds: float) -> None:
        """Hurt for so long; everything is undone in the end."""
        while time.monotonic() < self._began + seconds:
            self._undo(time.monotonic())
            if len(self._open) < _MOST_AT_ONCE:
                self._hurt()
            time.sleep(self.random.uniform(*_PAUSE_SECONDS))
        self._undo(float("inf"))

    def _hurt(self) -> None:
        damage = self.random.choice(_KINDS)(self.run, self.random)
        seconds = self.random.uniform(*_DAMAGE_SECONDS)
        if damage.target in {other.target for _, other in self._open}:
            return
        self._say(f"{damage.what} for {seconds:.1f} s")
        damage.do()
        self.done.append(damage.what)
        self._open.append((time.monotonic() + seconds, damage))

    def _undo(self, now: float) -> None:
        due = [each for each in self._open if each[0] <= now]
        self._open = [each for each in self._open if each[0] > now]
        for _, damage in due:
            self._say(f"{damage.what}: over")
            damage.undo()

    def _say(self, what: str) -> None:
        _tell(f"{time.monotonic() - self._began:6.1f} {what}")


def _services(run: Run) -> list[Process]:
    return run.cluster.processes


def _everything(run: Run) -> list[Process]:
    postgres = [run.cluster.postgres] if run.cluster.postgres else []
    return [run.cluster.broker, *postgres, *run.cluster.processes]


def _killed(run: Run, chance: random.Random) -> _Damage:
    process = chance.choice(_everything(run))
    return _Damage(
        what=f"{process.name} killed",
        target=process.name,
        do=process.kill,
        undo=partial(_start, process),
    )


def _stopped(run: Run, chance: random.Random) -> _Damage:
    process = chance.choice(_everything(run))
    return _Damage(
        what=f"{process.name} stopped",
        target=process.name,
        do=partial(_despite_its_end, process.stop),
        undo=process.resume,
    )


def _terminated(run: Run, chance: random.Random) -> _Damage:
    process = chance.choice(_services(run))

    def do() -> None:
        process.wanted = False
        process.signal(process.command.stop_signal)

    return _Damage(
        what=f"{process.name} terminated",
        target=process.name,
        do=partial(_despite_its_end, do),
        undo=partial(process.restart, wait=False),
    )


def _child(run: Run, chance: random.Random, number: signal.Signals) -> _Damage:
    process = chance.choice([run.cluster.web, *run.cluster.workers])
    place, hit = chance.random(), list[int]()

    def do() -> None:
        if children := sorted(process.children):
            hit.append(children[int(place * len(children))])
            os.kill(hit[0], number)

    def undo() -> None:
        for pid in hit:
            os.kill(pid, signal.SIGCONT)

    return _Damage(
        what=f"{number.name} to a child of {process.name}",
        target=process.name,
        do=partial(_despite_its_end, do),
        undo=partial(_despite_its_end, undo),
    )


def _emptied(run: Run, _: random.Random) -> _Damage:
    broker = run.cluster.broker

    def do() -> None:
        broker.kill()
        shutil.rmtree(broker.command.folder)
        broker.command.folder.mkdir()

    return _Damage(
        what="broker killed and emptied",
        target=broker.name,
        do=do,
        undo=partial(_start, broker),
    )


def _flushed(run: Run, _: random.Random) -> _Damage:
    def do() -> None:
        with suppress(redis.RedisError), buffer.opened(run.cluster.broker_url) as client:
            client.flushall()

    return _Damage(what="broker emptied", target="broker", do=do, undo=lambda: None)


def _cut_off(run: Run, chance: random.Random) -> _Damage:
    role: Role = chance.choice(("web", "worker", "dispatcher"))
    server: Server = chance.choice(("broker", "database"))
    kind: Kind = chance.choice(("blackhole", "reset", "delay", "limit"))
    network = partial(run.cluster.network, server, of=role)
    return _Damage(
        what=f"{kind} between {role} and {server}",
        target=(role, server),
        do=partial(network, kind, seconds=0.2, limit=20_000),
        undo=partial(network, "pass"),
    )


def _at_a_point(run: Run, chance: random.Random) -> _Damage:
    point = chance.choice(sorted(POINTS.keys() - {_SLOW_POINT}))
    # an error that nobody foresaw is a 500 in the web, as it should be
    action: Any = chance.choice(("kill", "kill_group", "kill" if "ingest" in point else "raise"))
    return _Damage(
        what=f"{action} at {point}",
        target=point,
        do=partial(run.failpoints.arm, point, action),
        undo=partial(run.failpoints.disarm, point),
    )


_KINDS: tuple[Callable[[Run, random.Random], _Damage], ...] = (
    _killed,
    _stopped,
    _terminated,
    partial(_child, number=signal.SIGKILL),
    partial(_child, number=signal.SIGSTOP),
    _emptied,
    _flushed,
    _cut_off,
    _at_a_point,
)


def _despite_its_end(do: Step) -> None:
    """Do something to processes, which may have ended by another damage."""
    with suppress(ProcessLookupError):
        do()


def _start(process: Process) -> None:
    if not process.is_alive:
        process.start(wait=False)


def _await_all(run: Run) -> None:
    """Return when everything works; the database's and the broker's supervisor is here."""
    unsupervised = set(map(id, _everything(run))) - set(map(id, _services(run)))

    def works(process: Process) -> bool:
        if id(process) in unsupervised:
            _start(process)
        return process.is_alive and process.ready(process)

    for process in _everything(run):
        until(partial(works, process), _READY_SECONDS)


def _assert_tidy(url: str) -> None:
    """What has ended is held by nobody, and no attempt was given back twice."""
    with checker.reading(url) as connection:
        rows = connection.execute(select(incidents)).all()
    assert all(row.attempts >= 0 for row in rows)
    assert all(row.lease_until is None for row in rows if row.status not in RUNNING)


def _tell(what: str) -> None:
    print(what, flush=True)  # noqa: T201 - whoever wants to see it again needs the seed
