"""T14: alerts by the thousand, of few groups and of groups of their own."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any

from faults import buffer, checker
from faults.alertmanager import alert
from faults.checker import Outcome
from faults.cluster import Layout
from faults.matrix import LOAD_SECONDS, Run, fault
from running_stack import until
from sqlalchemy import func, select

from opssage.settings.sections import WorkerSettings
from store.tables import incidents

_FULL = LOAD_SECONDS >= 10  # `make faults`, not the hasty subset
_STORM_SECONDS = 60 if _FULL else 15
_GROUPS = 40
_ALERTS = 250  # of each group
_EARLY = 200  # of these, in a group's first notification
_SEVERITIES = ("critical", "error", "warning", "info")
_SINGLES = 2000 if _FULL else 400
_LATE = 60  # critical ones, while the others are worked on

_HIGH_WATER = WorkerSettings().high_water
# two webs and a dispatcher may each see the same room and fill it
_MOST_MESSAGES = 3 * _HIGH_WATER
_MOST_BYTES = 2 * 2**20
_BACKLOG_SECONDS = 240.0

_AS_SHIPPED = Layout(defaults=True, web_processes=2)


@fault(
    "T14", "10,000 alerts of 40 groups in 60 s", _AS_SHIPPED, databases=("postgresql",), load=None
)
def storm(run: Run) -> Iterator[None]:
    """Each group is one incident, diagnosed once, and once more where it grew worse."""
    groups = [_group(n) for n in range(_GROUPS)]
    waves = [alerts[:_EARLY] for alerts in groups] + groups
    began = time.monotonic()
    with _watched(run) as peak:
        sent = []
        for n, notified in enumerate(waves):
            time.sleep(max(0.0, began + n * _STORM_SECONDS / len(waves) - time.monotonic()))
            group = f"storm-{n % _GROUPS}"
            sent.append(run.alertmanager.submit(*notified, group=group))
        assert Counter(each.result() for each in sent) == {202: len(waves)}
        run.healed()
        until(lambda: not _due(run), _BACKLOG_SECONDS)
    outcome: Outcome = yield
    assert (outcome.accepted, outcome.incidents) == (_GROUPS * _ALERTS, _GROUPS)
    told = checker.events(run.cluster.database_url, "completed", "restarted")
    kinds = Counter(event.kind for event in told)
    assert kinds["completed"] == _GROUPS + kinds["restarted"]
    assert kinds["restarted"] <= sum(_grows_worse(n) for n in range(_GROUPS))
    peak.check()


@fault(
    "T14",
    "2,000 incidents at once",
    _AS_SHIPPED,
    databases=("postgresql",),
    load=None,
    variant="backlog",
)
def backlog(run: Run) -> Iterator[None]:
    """The broker holds a few of them at a time, the most severe first, also of those that join."""
    for role in ("web", "dispatcher"):
        run.cluster.network("broker", "reset", of=role)
    sent = [run.alertmanager.submit(run.alertmanager.next_alert()) for _ in range(_SINGLES)]
    assert Counter(each.result() for each in sent) == {202: _SINGLES}
    assert checker.unfinished(run.cluster.database_url) == _SINGLES
    with _watched(run) as peak:
        run.cluster.network("broker", "pass")
        run.healed()
        late = [alert("Late", severity="critical", service=f"late-{n}") for n in range(_LATE)]
        sent = [run.alertmanager.submit(each) for each in late]
        assert Counter(each.result() for each in sent) == {202: _LATE}
        until(lambda: not _due(run), _BACKLOG_SECONDS)
    outcome: Outcome = yield
    assert outcome.incidents == _SINGLES + _LATE
    assert peak.messages > 0, "there was no backlog"
    peak.check()
    _assert_most_severe_first(run.cluster.database_url)


def _group(n: int) -> list[dict[str, Any]]:
    """Return the alerts of a group: one of its severity, and others that are less severe."""
    severities = ["info"] * _ALERTS
    severities[0] = _SEVERITIES[n % len(_SEVERITIES)]
    if _grows_worse(n):
        severities[-1] = "critical"
    return [
        alert("Storm", severity=severity, service=f"service-{n}", pod=f"pod-{n}-{i}")
        for i, severity in enumerate(severities)
    ]


def _grows_worse(n: int) -> bool:
    """Say whether a critical alert joins a group that had none."""
    return n % 8 == 1


@dataclass(kw_only=True)
class _Peak:
    """The most that the broker held at any time."""

    messages: int = 0
    bytes: int = 0  #: above what it took at the beginning
    looks: int = 0

    def check(self) -> None:
        """Assert that the broker was a small buffer."""
        assert self.looks > 0
        assert self.messages <= _MOST_MESSAGES, self
        assert self.bytes < _MOST_BYTES, self


@contextmanager
def _watched(run: Run) -> Iterator[_Peak]:
    """Look at the broker again and again for the length of the block."""
    peak, done = _Peak(), Event()

    def watch() -> None:
        with buffer.opened(run.cluster.broker_url) as client:
            before = client.info("memory")["used_memory"]
            while not done.wait(0.02):
                taken = client.info("memory")["used_memory"] - before
                peak.messages = max(peak.messages, buffer.queued(client))
                peak.bytes = max(peak.bytes, taken)
                peak.looks += 1

    thread = Thread(target=watch, name="watch")
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def _due(run: Run) -> int:
    """Return how many incidents have something to be done, be it a further revision."""
    now = datetime.now(UTC)
    due = select(func.count()).where(incidents.c.next_attempt_at <= now)
    with checker.reading(run.cluster.database_url) as connection:
        return connection.execute(due).scalar_one()


def _assert_most_severe_first(url: str) -> None:
    """Of each severity all have ended before less severe ones, but for a broker's buffer."""
    with checker.reading(url) as connection:
        found = connection.execute(select(incidents)).all()
    severity_of = {row.incident_id: row.severity for row in found}
    order = [severity_of[event.incident_id] for event in checker.events(url, "completed")]
    due = 0
    for severity in _SEVERITIES:
        due += order.count(severity)
        last = len(order) - order[::-1].index(severity)
        assert last <= due + _HIGH_WATER, f"a {severity} one ended as number {last} of {due}"
