"""The fault matrix: each fault is a row over a function that does the damage."""

import importlib
import inspect
import os
import pkgutil
import re
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

from faults import cases, checker, cluster
from faults.alertmanager import Alertmanager, Load
from faults.checker import Outcome
from faults.cluster import Cluster, Database, Layout
from faults.failpoints import Failpoints

LOAD_SECONDS = float(os.environ.get("FAULTS_LOAD_SECONDS", "10"))
STEADY = Load(seconds=LOAD_SECONDS)
_BOTH: tuple[Database, ...] = ("postgresql", "sqlite")


@dataclass(kw_only=True)
class Run:
    """What a fault works with."""

    cluster: Cluster
    alertmanager: Alertmanager
    healed_at: float | None = None
    remark: str = ""  #: what the report says beside the counts

    @property
    def failpoints(self) -> Failpoints:
        """Where points of the product are armed."""
        return self.cluster.failpoints

    def healed(self) -> None:
        """Say that the fault is over; otherwise it is when the function returns or yields."""
        self.healed_at = time.time()


Damage = Callable[[Run], Generator[None, Outcome, None] | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A row of the matrix."""

    name: str  #: e.g. T04
    title: str
    damage: Damage | None  #: None: it cannot be done here
    databases: tuple[Database, ...]
    layout: Layout
    load: Load | None
    quick: bool
    variant: str  #: tells rows of the same name apart
    why_not: str  #: why it cannot be done here, and the nearest substitute

    @property
    def key(self) -> str:
        """What tells this row from all others, fit for a file's name."""
        return re.sub(r"[^A-Za-z0-9.]+", "-", f"{self.name} {self.variant}").strip("-")


MATRIX: list[Fault] = []


def fault(
    name: str,
    title: str,
    layout: Layout = Layout(),  # noqa: B008 - it is frozen
    *,
    databases: tuple[Database, ...] = _BOTH,
    load: Load | None = STEADY,
    quick: bool = False,
    variant: str = "",
) -> Callable[[Damage], Damage]:
    """Add a row: the function is called in the middle of the load, on its own cluster.

    It may `yield` once, to receive the Outcome when all is quiet, and assert more of it. Without a
    `load` it sends for itself. `quick` puts it into `make test`, on the first of its databases.
    """

    def add(damage: Damage) -> Damage:
        MATRIX.append(
            Fault(
                name=name,
                title=title,
                damage=damage,
                databases=databases,
                layout=layout,
                load=load,
                quick=quick,
                variant=variant,
                why_not="",
            )
        )
        return damage

    return add


def cannot(name: str, title: str, why_not: str, databases: tuple[Database, ...] = _BOTH) -> None:
    """Add a row for a fault that one machine cannot show; say why, and what comes nearest."""
    MATRIX.append(
        Fault(
            name=name,
            title=title,
            damage=None,
            databases=databases,
            layout=Layout(),
            load=None,
            quick=False,
            variant="",
            why_not=why_not,
        )
    )


def load_cases() -> list[Fault]:
    """Import every module of `cases/` and return all rows in order."""
    for module in pkgutil.iter_modules(cases.__path__):
        importlib.import_module(f"{cases.__name__}.{module.name}")
    return sorted(MATRIX, key=lambda row: (row.name, row.variant))


def carry_out(row: Fault, folder: Path, database: Database, postgres_url: str | None) -> Outcome:
    """Run one fault on a cluster of its own; return what the checker counted."""
    assert row.damage is not None
    with cluster.running(folder, database, row.layout, postgres_url) as running:
        sender = Alertmanager(running.address)
        try:
            return _carry_out(row, row.damage, Run(cluster=running, alertmanager=sender))
        finally:
            sender.close()


def _carry_out(row: Fault, damage: Damage, run: Run) -> Outcome:
    sending = run.alertmanager.start(row.load) if row.load else None
    if row.load:
        time.sleep(row.load.seconds / 2)
    rest = damage(run)
    if inspect.isgenerator(rest):
        next(rest)
    healed_at = run.healed_at or time.time()
    for group in sending.result() if sending else ():
        group.result()
    url = run.cluster.database_url
    checker.await_quiet(url)
    outcome = checker.check(url, run.alertmanager.record, healed_at)
    if inspect.isgenerator(rest):
        _resume(rest, outcome)
    return replace(outcome, remark=run.remark)


def _resume(rest: Generator[None, Outcome, None], outcome: Outcome) -> None:
    try:
        rest.send(outcome)
    except StopIteration:
        return
    raise AssertionError("a fault yields once")
