"""One service of the stack: as data, and kept running."""

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cli import child
from cli.child import ChildError, Command

_PROBE_SECONDS = 0.1
_PAUSE_SECONDS = 0.5  # before a restart
_DRAIN_SECONDS = 5.0  # for output that is still on its way when a process has ended
_CHUNK_BYTES = 65536

Say = Callable[[str, str], None]
"""Takes a service's name and one line from it or about it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """A process of the stack, as data."""

    name: str
    command: Command
    ready: Callable[[], bool]  #: asked in a thread, ten times a second, until it says True
    after: tuple[str, ...] = ()  #: services that must be ready first
    ready_seconds: float = 60.0
    stop_seconds: float = 40.0  #: for an orderly end; then it is killed
    restarts: int = 5  #: allowed within `restart_seconds`, once it has been ready
    restart_seconds: float = 60.0


class Keeper:
    """Keeps one service running."""

    def __init__(self, service: Service, say: Say) -> None:
        """Plan the service; `keep` starts it."""
        self.service = service
        self.ready = asyncio.Event()  #: set for good once it was ready for the first time
        self.ended = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._say = say
        self._last_lines: deque[str] = deque(maxlen=20)
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    def start(self, needs: "Sequence[Keeper]") -> None:
        """Start the service once its `needs` are ready, and again whenever it ends.

        `task` ends with a ChildError when the service is given up.
        """
        self.task = asyncio.create_task(self._keep(needs))

    async def stop(self, needed_by: "Sequence[Keeper]") -> None:
        """Stop the service once all that need it have ended."""
        self._stopping = True
        for other in needed_by:
            await other.ended.wait()
        process = self._process
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(self.service.command.stop_signal)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), self.service.stop_seconds)
            self.kill()
        if self.task is not None:
            if process is None:
                self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        self.ended.set()

    def kill(self) -> None:
        """End the service at once, with all the processes of its session."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _keep(self, needs: "Sequence[Keeper]") -> None:
        for other in needs:
            await other.ready.wait()
        ends: deque[float] = deque(maxlen=self.service.restarts + 1)
        while True:
            code = await self._run_once()
            if self._stopping:
                return
            how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
            ends.append(time.monotonic())
            if not self.ready.is_set():
                raise ChildError(self._obituary(f"{how} before it was ready"))
            if len(ends) == ends.maxlen and ends[-1] - ends[0] <= self.service.restart_seconds:
                raise ChildError(self._obituary(f"{how}, too often to start it again"))
            self._say(self.service.name, f"{how}: starting it again")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _run_once(self) -> int:
        command = self.service.command
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *command.argv,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                **child.options(command),
            )
        except OSError as error:
            raise ChildError(f"{self.service.name} cannot be started: {error}") from error
        reading = asyncio.create_task(self._read(process))
        probing = asyncio.create_task(self._probe())
        try:
            return await process.wait()
        finally:
            probing.cancel()
            await asyncio.wait([reading, probing], timeout=_DRAIN_SECONDS)
            reading.cancel()
            self._process = None

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        rest = b""
        while process.stdout is not None and (chunk := await process.stdout.read(_CHUNK_BYTES)):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._show(line)
        if rest:
            self._show(rest)

    def _show(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        self._last_lines.append(text)
        self._say(self.service.name, text)

    async def _probe(self) -> None:
        seconds = self.service.ready_seconds
        try:
            async with asyncio.timeout(seconds):
                while not await asyncio.to_thread(self.service.ready):  # noqa: ASYNC110 (polled)
                    await asyncio.sleep(_PROBE_SECONDS)
        except Exception as error:  # noqa: BLE001 (a failing check must end the wait for it)
            self._show(f"not ready within {seconds:g} seconds: {error!r}".encode())
            self.kill()
        else:
            self.ready.set()

    def _obituary(self, how: str) -> str:
        lines = "\n".join(f"  {line}" for line in self._last_lines)
        return f"{self.service.name} {how}. Its last lines:\n{lines}"
