"""Named points in the product where a test lets something happen.

The product knows nothing of them: the modules in `entry/` wrap its functions before it starts. A
point is armed by a file of its name, so a test may arm it while the processes run. The file is
renamed when the point has fired for the last time, by whoever was first.
"""

import ctypes
import functools
import importlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from running_stack import until

from opssage.incident import AlertGroup, Incident
from store import Claim

FOLDER = "FAULTS_FAILPOINTS"
"""Environment variable: the folder that points are armed in."""
PROCESS = "FAULTS_PROCESS"
"""Environment variable: the name of a process, e.g. worker-1."""

Action = Literal["kill", "kill_group", "stop", "sleep", "hold", "raise", "drop"]


@dataclass(frozen=True, slots=True)
class Point:
    """A place: before or after a function of the product runs."""

    module: str
    function: str
    after: bool = False


POINTS: dict[str, Point] = {
    # web: all rows are written, nothing is committed
    "ingest.before_commit": Point("store.ingest", "record", after=True),
    "ingest.after_commit": Point("store.store", "Store.create_incident", after=True),
    # web and dispatcher: rows are stamped as enqueued, no message is sent
    "publish.before": Point("worker.dispatch", "_publish"),
    "publish.after": Point("worker.dispatch", "_publish", after=True),
    # worker
    "claim.before": Point("store.store", "Store.claim"),
    "claim.after": Point("store.store", "Store.claim", after=True),
    "collect.work": Point("tasks.pipeline", "collect_evidence"),
    "enrich.work": Point("tasks.pipeline", "enrich_context"),
    "diagnose.work": Point("tasks.pipeline", "diagnose_cause"),
    "collect.before_commit": Point("store.store", "Store.update_primary_context"),
    "collect.after_commit": Point("store.store", "Store.update_primary_context", after=True),
    "enrich.before_commit": Point("store.store", "Store.update_enhanced_context"),
    "enrich.after_commit": Point("store.store", "Store.update_enhanced_context", after=True),
    "diagnose.before_commit": Point("store.store", "Store.update_diagnostic_report"),
    "diagnose.after_commit": Point("store.store", "Store.update_diagnostic_report", after=True),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Arming:
    """What an armed point does, and to whom."""

    action: Action
    seconds: float = 0.0  #: of `sleep` and `hold`
    on: str = ""  #: only in processes whose name starts like this, e.g. "web"
    alertname: str = ""  #: only for this alert; empty: for any
    once: bool = True


class FailpointError(Exception):
    """What the action `raise` raises."""


class Failpoints:
    """The test's side: arms points in a folder and sees them fire."""

    def __init__(self, folder: Path) -> None:
        """Take the folder that the processes look into."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def arm(
        self,
        point: str,
        action: Action,
        *,
        seconds: float = 0.0,
        on: str = "",
        alertname: str = "",
        once: bool = True,
    ) -> None:
        """Let `action` happen at `point` from here on: once among all processes, or each time."""
        assert point in POINTS, f"{point} is none of {sorted(POINTS)}"
        arming = Arming(action=action, seconds=seconds, on=on, alertname=alertname, once=once)
        fresh = self.folder / f".{point}"
        fresh.write_text(json.dumps(asdict(arming)))
        (self.folder / f"{point}.fired").unlink(missing_ok=True)
        fresh.rename(self.folder / point)

    def disarm(self, point: str) -> None:
        """Let nothing happen there any more."""
        (self.folder / point).unlink(missing_ok=True)

    def await_fired(self, point: str, seconds: float = 30.0) -> int:
        """Return the id of the process in which the point fired last; AssertionError if none."""
        return int(until((self.folder / f"{point}.fired").exists, seconds) and self.fired(point))

    def fired(self, point: str) -> int | None:
        """Return the id of the process in which the point fired last, or None."""
        file = self.folder / f"{point}.fired"
        return int(file.read_text()) if file.exists() else None


def install() -> None:
    """Wrap all points in this process. AttributeError when the product has renamed one."""
    folder = Path(os.environ[FOLDER])
    for name, point in POINTS.items():
        owner, attribute = place(point)
        hit = functools.partial(_hit, folder, name)
        setattr(owner, attribute, _wrapped(getattr(owner, attribute), hit, after=point.after))


def place(point: Point) -> tuple[Any, str]:
    """Return whose attribute a point is, and its name."""
    *path, attribute = point.function.split(".")
    module = importlib.import_module(point.module)
    return functools.reduce(getattr, path, module), attribute


def _wrapped(
    function: Callable[..., Any], hit: Callable[[Iterable[Any]], bool], *, after: bool
) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **named: Any) -> Any:
        told = (*args, *named.values())
        if after:
            answer = function(*args, **named)
            return None if hit((*told, answer)) else answer
        return None if hit(told) else function(*args, **named)

    return wrapper


_about: ContextVar[frozenset[str]] = ContextVar("_about", default=frozenset())


def _hit(folder: Path, name: str, told: Iterable[Any]) -> bool:
    """Do what the point is armed for; returns whether the call is to be dropped."""
    if about := frozenset(_alert_names(told)):
        _about.set(about)
    file = folder / name
    try:
        arming = Arming(**json.loads(file.read_text()))
    except FileNotFoundError:
        return False
    if arming.alertname and arming.alertname not in _about.get():
        return False
    if not os.environ.get(PROCESS, "").startswith(arming.on):
        return False
    return _is_ours(file, once=arming.once) and _ACTIONS[arming.action](arming)


def _alert_names(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, AlertGroup):
            yield from (alert.name for alert in value.alerts)
        elif isinstance(value, Claim | Incident):
            yield (value.incident if isinstance(value, Claim) else value).alert_name


def _is_ours(file: Path, *, once: bool) -> bool:
    """Leave word of who fired; of several processes that would fire once, one does."""
    taken = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.rename(taken) if once else taken.touch()
    except FileNotFoundError:
        return False
    taken.write_text(str(os.getpid()))
    taken.rename(file.with_name(f"{file.name}.fired"))
    return True


def _kill(_: Arming) -> bool:
    os.kill(os.getpid(), signal.SIGKILL)
    return False


def _kill_group(_: Arming) -> bool:
    os.killpg(os.getpgrp(), signal.SIGKILL)
    return False


def _stop(_: Arming) -> bool:
    os.kill(os.getpid(), signal.SIGSTOP)
    return False


def _sleep(arming: Arming) -> bool:
    time.sleep(arming.seconds)
    return False


def _hold(arming: Arming) -> bool:
    """Do as C code does that lets neither another thread nor a signal in."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    ctypes.PyDLL(None).sleep(round(arming.seconds))  # unlike CDLL it keeps the interpreter locked
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    return False


def _raise(_: Arming) -> bool:
    raise FailpointError("a failpoint was here")


def _drop(_: Arming) -> bool:
    return True


_ACTIONS: dict[Action, Callable[[Arming], bool]] = {
    "kill": _kill,
    "kill_group": _kill_group,
    "stop": _stop,
    "sleep": _sleep,
    "hold": _hold,
    "raise": _raise,
    "drop": _drop,
}
