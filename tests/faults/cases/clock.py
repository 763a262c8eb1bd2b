"""T27: clocks are wrong, or jump.

Nothing but Python's own clocks can be set for one process without libfaketime: see entry/skewed.py.
The database's clock, which leases rest on, stays right.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from faults.checker import Outcome
from faults.cluster import Layout
from faults.entry import prepare
from faults.matrix import STEADY, Run, fault
from faults.processes import Process
from running_stack import until

_LOAD = replace(STEADY, seconds=8)
# the broker's clients compare each other's clocks over this time, so it must be the true one
_AS_SHIPPED = {prepare.VISIBILITY: ""}
_STAMP = re.compile(r'"timestamp": ?"([^"]+)"')


@fault(
    "T27",
    "clocks 10 minutes ahead and 10 behind, then the other way round (Python's clocks)",
    Layout(workers=2, env=_AS_SHIPPED),
    databases=("postgresql",),
    load=None,
)
def clocks_are_wrong(run: Run) -> Iterator[None]:
    """No lease is taken early, and nobody waits for a time to come round again."""
    first, second = run.cluster.workers
    web, dispatcher = run.cluster.web, run.cluster.dispatcher
    skewed = [(first, 600), (second, -600), (web, -600), (dispatcher, 600)]
    for process, seconds in skewed:
        _start_skewed(run, process, seconds)
    run.cluster.network("broker", "reset", of="web")  # so that the dispatcher publishes
    sending = run.alertmanager.start(_LOAD)
    for sign in (1, -1):
        run.failpoints.arm("enrich.work", "sleep", seconds=4)  # longer than a lease
        run.failpoints.await_fired("enrich.work")
        for process, seconds in skewed:
            _set(run, process, sign * seconds)
        time.sleep(_LOAD.seconds / 2)
        for process, seconds in skewed:
            _assert_wrong(process, sign * seconds)
    for group in sending.result():
        group.result()
    outcome: Outcome = yield
    assert set(outcome.statuses) == {202}
    assert outcome.extra_runs == 0


def _start_skewed(run: Run, process: Process, ahead: float) -> None:
    file = _set(run, process, ahead)
    python, option, *module = process.command.argv
    argv = (python, option, "faults.entry.skewed", str(file), *module)
    env = {**process.command.env, "OPSSAGE_LOG_FORMAT": "json"}
    process.command = replace(process.command, argv=argv, env=env)
    process.terminate()
    process.start()


def _set(run: Run, process: Process, ahead: float) -> Path:
    """Put a clock ahead by so many seconds; returns the file that says so."""
    file = run.cluster.folder / f"{process.name}.clock"
    fresh = file.with_suffix(".fresh")
    fresh.write_text(str(ahead))
    return fresh.rename(file)


def _assert_wrong(process: Process, ahead: float) -> None:
    """Whoever reads the time finds it as wrong as it was made."""

    def is_wrong() -> bool:
        last = datetime.fromisoformat(_STAMP.findall(process.said())[-1])
        skew = last - datetime.now(UTC)
        return abs(skew - timedelta(seconds=ahead)) < timedelta(seconds=60)

    until(is_wrong, 20)
