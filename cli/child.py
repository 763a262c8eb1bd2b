"""A process of our own: how it is started and stopped, and that it never outlives us."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from opssage.errors import OpsSageError

POLL_SECONDS = 0.05
_STOP_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class ChildError(OpsSageError):
    """A process that this one started has ended, or never became ready."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A process to start, as data."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)  #: on top of our own environment
    folder: Path | None = None  #: working folder; None = ours
    account: str | None = None  #: run as this account (only root may say so); None = as ourselves
    stop_signal: signal.Signals = signal.SIGTERM  #: asks for an orderly end
    death_signal: signal.Signals = signal.SIGKILL  #: what the kernel sends it when we die (Linux)


def options(command: Command) -> dict[str, Any]:
    """Return the keyword arguments that start `command`, for subprocess and asyncio alike.

    Whoever starts it must stay alive: the kernel watches the starting *thread*, not the process.
    """
    chosen: dict[str, Any] = {
        "cwd": command.folder,
        "env": {**os.environ, **command.env},
        "stdin": subprocess.DEVNULL,
        # A session of its own: Ctrl-C reaches only us, so that we can stop in order.
        "start_new_session": True,
        "preexec_fn": partial(_die_with_parent, command.death_signal, os.getpid()),
    }
    if command.account is not None:
        entry = pwd.getpwnam(command.account)
        chosen |= {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return chosen


@contextmanager
def running(
    command: Command, ready: Callable[[], bool], seconds: float = 30.0
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` for the length of the block, entered once `ready` says True.

    Raises ChildError with the last lines of its output when it ends or stays unready.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603 (argv is built by us, no shell)
            command.argv, stdout=output, stderr=subprocess.STDOUT, **options(command)
        )
        try:
            _wait_until(ready, process, output, seconds)
            yield process
        finally:
            stop(process, command.stop_signal)


def stop(process: subprocess.Popen[bytes], ask: signal.Signals) -> None:
    """Ask the process to end; kill its whole session when it takes longer than 15 seconds."""
    if process.poll() is not None:
        return
    process.send_signal(ask)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _die_with_parent(death_signal: signal.Signals, parent: int) -> None:
    """Run in the child, after it took its account: a change of uid clears the request."""
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal))
    if os.getppid() != parent:  # the parent died before the request was made
        os._exit(1)


def _wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], output: IO[bytes], seconds: float
) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise ChildError(f"{process.args!r} ended with {process.returncode}:\n{_tail(output)}")
        if time.monotonic() > deadline:
            raise ChildError(f"{process.args!r} is not ready after {seconds:g} s:\n{_tail(output)}")
        time.sleep(POLL_SECONDS)


def _tail(output: IO[bytes], lines: int = 20) -> str:
    output.seek(0)
    return "\n".join(output.read().decode(errors="replace").splitlines()[-lines:])
