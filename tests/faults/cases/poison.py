"""T15-T18: stages that hang or kill whoever works on them, children that stop, and forks."""

import os
import re
import signal
from collections.abc import Iterator

from faults import checker
from faults.checker import Outcome
from faults.cluster import Layout
from faults.matrix import Run, fault
from running_stack import until
from sqlalchemy import Row, select, text

from store.tables import incidents

_STAGE_SECONDS = 5
_FOR_GOOD = 600  # seconds

_SHORT = {"stage_seconds": _STAGE_SECONDS, "max_attempts": 2}


@fault(
    "T15",
    "a source takes requests and never answers",
    Layout(upstream=True),
    databases=("postgresql",),
)
def silent_source(run: Run) -> Iterator[None]:
    """Each request has a time limit, collect has one, and the incidents wait for the source."""
    assert run.cluster.upstream is not None
    asked = run.cluster.upstream.calls
    before = asked.total()
    run.cluster.upstream.set("hang")
    until(lambda: asked.total() > before)
    until(lambda: "SourcesAwayError" in _told(run, "postponed"), 20)
    run.cluster.upstream.set("answer")
    outcome: Outcome = yield
    assert outcome.failed == 0
    assert run.cluster.worker.starts == 1, run.cluster.worker.said()[-3000:]


@fault(
    "T15",
    "stages hang for good",
    Layout(settings={"worker": _SHORT}),
    databases=("postgresql",),
    variant="in Python and in C",
)
def hanging_stages(run: Run) -> Iterator[None]:
    """The time limit ends them; a stage that hangs each time is given up."""
    ways = {"Slow": ("enrich.work", "sleep"), "Wedged": ("diagnose.work", "hold")}
    for name, (point, action) in ways.items():
        run.failpoints.arm(point, action, seconds=_FOR_GOOD, alertname=name)
        run.alertmanager.submit(run.alertmanager.next_alert(name))
    run.failpoints.arm("collect.work", "hold", seconds=_FOR_GOOD, alertname="Hopeless", once=False)
    run.alertmanager.submit(run.alertmanager.next_alert("Hopeless"))
    hung = {name: run.failpoints.await_fired(point) for name, (point, _) in ways.items()}
    hung["Hopeless"] = run.failpoints.await_fired("collect.work")
    outcome: Outcome = yield
    assert _ends(run, "Slow") == ["completed"]
    assert "SoftTimeLimitExceeded" in _told(run, "postponed")
    assert _ends(run, "Wedged") == ["completed"]
    assert hung["Wedged"] not in run.cluster.worker.children
    (given_up,) = _incidents(run, "Hopeless")
    assert given_up.status == "failed"
    assert (given_up.last_error["class"], given_up.last_error["attempts"]) == (
        "AttemptsExhausted",
        _SHORT["max_attempts"],
    )
    assert outcome.failed == 1
    assert run.cluster.worker.starts == 1


@fault(
    "T16",
    "all children of a worker stopped",
    Layout(settings={"worker": {"silence_seconds": 6, "stage_seconds": 5, "canary_seconds": 5}}),
    databases=("postgresql",),
)
def wedged_children(run: Run) -> Iterator[None]:
    """The worker notices that nothing moves and leaves; its supervisor starts it anew."""
    first, stopped = run.cluster.worker.pid, run.cluster.worker.children
    for child in stopped:
        os.kill(child, signal.SIGSTOP)
    run.healed()
    until(lambda: run.cluster.worker.starts == 2)
    outcome: Outcome = yield
    assert "worker_silent" in run.cluster.worker.log.read_text()
    assert len(stopped) == run.cluster.layout.concurrency
    assert run.cluster.worker.pid != first
    assert not set(stopped) & set(run.cluster.worker.children)
    assert run.cluster.worker.starts == 2, "it left a second time"
    assert outcome.failed == 0


@fault(
    "T17",
    "an incident kills the child that works on it, each time",
    databases=("postgresql",),
    quick=True,
)
def poison(run: Run) -> Iterator[None]:
    """It is given up with the reason, and costs the others nothing."""
    yield from _poisoned(run, "kill")
    assert run.cluster.worker.starts == 1


@fault(
    "T17",
    "an incident kills the whole worker that works on it, each time",
    Layout(settings={"worker": {"max_attempts": 3}}),
    databases=("postgresql",),
    variant="worker",
)
def poison_for_workers(run: Run) -> Iterator[None]:
    """The same, with a worker that has to be started anew."""
    yield from _poisoned(run, "kill_group")
    assert run.cluster.worker.starts == 4, "the first, and one after each attempt"


def _poisoned(run: Run, action: str) -> Iterator[None]:
    run.failpoints.arm("enrich.work", action, alertname="Poison", once=False)
    run.alertmanager.submit(run.alertmanager.next_alert("Poison"))
    run.failpoints.await_fired("enrich.work")
    outcome: Outcome = yield
    (poisoned,) = _incidents(run, "Poison")
    told = poisoned.last_error
    assert poisoned.status == "failed"
    assert told["class"] == "AttemptsExhausted"
    assert told["message"]
    most = run.cluster.layout.settings.get("worker", {}).get("max_attempts", 5)
    assert (poisoned.attempts, told["attempts"]) == (most, most)
    assert (outcome.failed, outcome.completed) == (1, outcome.incidents - 1)


_BROKEN_SOCKET = re.compile(
    r"PGRES_|lost synchronization|message type 0x|no results to fetch|SSL error|"
    r"InterfaceError|ResourceClosedError|server closed the connection|"
    r"bad record mac|psycopg2\.(?:Database|Operational|Programming|Internal)Error"
)
_STAGES = 500
_CHILDREN = 4


@fault(
    "T18",
    "four children, 500 stages, forks among them",
    Layout(concurrency=_CHILDREN),
    databases=("postgresql",),
    load=None,
)
def forks(run: Run) -> Iterator[None]:
    """No connection to the database is shared: nobody reads somebody else's answer."""
    alerts = _STAGES // 3 + 1
    sent = [run.alertmanager.submit(run.alertmanager.next_alert("Forked")) for _ in range(alerts)]
    until(lambda: _sessions(run) >= _CHILDREN)
    left = []
    for _ in range(_CHILDREN):
        replaced = run.cluster.worker.children[0]
        os.kill(replaced, signal.SIGKILL)
        until(
            lambda: (
                len(children := run.cluster.worker.children) == _CHILDREN
                and replaced not in children  # noqa: B023 - within
            )
        )
        left.append(checker.unfinished(run.cluster.database_url))
    assert all(each.result() == 202 for each in sent)
    assert left[0], "all was done before the first fork"
    outcome: Outcome = yield
    assert outcome.completed == alerts
    said = run.cluster.worker.said()
    assert said.count("stage_committed") >= 3 * alerts
    assert not (found := _BROKEN_SOCKET.search(said)), said[found.start() - 1500 :][:3000]
    assert run.cluster.worker.starts == 1


def _sessions(run: Run) -> int:
    """Return how many connections to the database have claimed or committed a stage."""
    last = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query ILIKE '%incidents%'"
        " AND pid <> pg_backend_pid() AND client_port IS NOT NULL"
    )
    with checker.reading(run.cluster.database_url) as connection:
        return int(connection.execute(last).scalar_one())


def _incidents(run: Run, alert_name: str) -> list[Row]:
    with checker.reading(run.cluster.database_url) as connection:
        return list(
            connection.execute(select(incidents).where(incidents.c.alert_name == alert_name))
        )


def _ends(run: Run, alert_name: str) -> list[str]:
    return [row.status for row in _incidents(run, alert_name)]


def _told(run: Run, kind: str) -> str:
    """Return what the timelines tell with events of this kind."""
    return str([event.data for event in checker.events(run.cluster.database_url, kind)])
