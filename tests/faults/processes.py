"""A process under test: started, killed, stopped and started again by its own id."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from running_stack import descendants, is_running, until

from cli import child
from cli.child import Command

READY_SECONDS = 60.0


@dataclass(kw_only=True)
class Process:
    """A command that runs in a session of its own, together with all that it starts.

    The starting thread must outlive it: the kernel ends it with that thread.
    """

    name: str
    command: Command
    ready: Callable[["Process"], bool]
    log: Path
    wanted: bool = False  #: False once somebody took it down on purpose
    starts: int = 0
    _pids: list[int] = field(default_factory=list, repr=False)  # of all starts
    _popen: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _log_start: int = 0

    @property
    def pid(self) -> int:
        """The id of the main process; AssertionError before the first start."""
        assert self._popen is not None, f"{self.name} was never started"
        return self._popen.pid

    @property
    def tree(self) -> list[int]:
        """The ids of the main process and of everything below it."""
        return [self.pid, *self.children]

    @property
    def children(self) -> list[int]:
        """The ids of everything below the main process, the most distant too."""
        return sorted(pid for pid in _below(self.pid) if is_running(pid))

    @property
    def is_alive(self) -> bool:
        """Whether the main process runs, or is stopped, but has not ended."""
        return self._popen is not None and self._popen.poll() is None

    def start(self, *, wait: bool = True) -> None:
        """Start it, on the same ports as before; by default return when it is ready."""
        assert not self.is_alive, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._popen = subprocess.Popen(
                self.command.argv,
                stdout=log,
                stderr=subprocess.STDOUT,
                **child.options(self.command),
            )
        self.wanted = True
        self.starts += 1
        self._pids.append(self._popen.pid)
        if wait:
            self.await_ready()

    def await_ready(self) -> None:
        """Return when it does its work; AssertionError with its log when it does not."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.ready(self):
            assert self.is_alive, f"{self.name} ended:\n{self.said()[-3000:]}"
            assert time.monotonic() < deadline, f"{self.name} unready:\n{self.said()[-3000:]}"
            time.sleep(child.POLL_SECONDS)

    def said(self) -> str:
        """Return what it has logged since its last start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the main process alone."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL the main process and everything below it, as the end of a container does."""
        self.wanted = False
        for pid in self.tree:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.wait()

    def stop(self) -> None:
        """SIGSTOP the main process and everything below it."""
        for pid in self.tree:
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT what was stopped."""
        for pid in self.tree:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def terminate(self, seconds: float = 60.0) -> float:
        """Ask for an orderly end and await it; returns the seconds it took."""
        self.wanted = False
        began = time.monotonic()
        self.signal(self.command.stop_signal)
        self.wait(seconds)
        return time.monotonic() - began

    def wait(self, seconds: float = 30.0) -> int:
        """Await the end of the main process; returns its code."""
        assert self._popen is not None
        return self._popen.wait(seconds)

    def restart(self, *, wait: bool = True) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start(wait=wait)

    def end(self) -> None:
        """Leave nothing of it, whatever state it is in, nor of its earlier starts."""
        if self._popen is None:
            return
        left = {pid for leader in self._pids for pid in _below(leader)} | {self.pid}
        self.kill()
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not any(is_running(pid) for pid in left), 10)


def logged(text: str) -> Callable[[Process], bool]:
    """Return a check for readiness: the process has logged `text` since its start."""
    return lambda process: text in process.said()


def _below(leader: int) -> set[int]:
    """Return all that a session's leader started: orphans too, and who left for a new session."""
    everything = (int(entry.name) for entry in Path("/proc").glob("[0-9]*"))
    found = {pid for pid in everything if _is_in(leader, pid)}
    with suppress(FileNotFoundError):
        found |= set(descendants(leader))
    return found - {leader}


def _is_in(leader: int, pid: int) -> bool:
    try:
        return os.getsid(pid) == leader
    except ProcessLookupError:
        return False
