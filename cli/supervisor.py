"""Runs services that need each other: started in order, restarted within reason, stopped in order.

A service starts once all it names in `after` are ready and is asked to stop once all that need it
have ended. When one ends too often the whole stack stops and says which and why.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from cli.service import Keeper, Say, Service

T = TypeVar("T")

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StoppedError(Exception):
    """A person or the system asked the stack to stop."""


class Stack:
    """Services that run. `running` makes one."""

    def __init__(self, services: Sequence[Service], say: Say) -> None:
        """Plan the services; names in `after` refer to services of the same stack."""
        self._keepers = {service.name: Keeper(service, say) for service in services}
        self._stop_asked = asyncio.Event()

    async def start(self) -> None:
        """Start all services and wait until all are ready. Raises as `until_done`."""
        for keeper in self._keepers.values():
            keeper.start([self._keepers[name] for name in keeper.service.after])
        await self.until_done(self._all_ready())

    async def until_done(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` while the services run; it is cancelled when they do not.

        Raises StoppedError when asked to stop, ChildError when a service is given up.
        """
        job = asyncio.create_task(work)
        asked = asyncio.create_task(self._stop_asked.wait())
        kept = [keeper.task for keeper in self._keepers.values() if keeper.task is not None]
        try:
            await asyncio.wait([job, asked, *kept], return_when=asyncio.FIRST_COMPLETED)
            for task in kept:
                if task.done():
                    task.result()
            if self._stop_asked.is_set():
                raise StoppedError
            return await job
        finally:
            for other in (job, asked):
                other.cancel()
            await asyncio.gather(job, asked, return_exceptions=True)

    async def until_stopped(self) -> None:
        """Run until asked to stop. Raises ChildError when a service is given up."""
        with suppress(StoppedError):
            await self.until_done(asyncio.sleep(float("inf")))

    def ask_to_stop(self) -> None:
        """Ask for an orderly end; asked twice, kill everything."""
        if self._stop_asked.is_set():
            for keeper in self._keepers.values():
                keeper.kill()
        self._stop_asked.set()

    async def stop(self) -> None:
        """Stop the services, each after those that need it."""
        keepers = self._keepers.values()
        needed_by = {
            name: [other for other in keepers if name in other.service.after]
            for name in self._keepers
        }
        await asyncio.gather(*(keeper.stop(needed_by[keeper.service.name]) for keeper in keepers))

    async def _all_ready(self) -> None:
        for keeper in self._keepers.values():
            await keeper.ready.wait()


@asynccontextmanager
async def running(services: Sequence[Service], say: Say) -> AsyncIterator[Stack]:
    """Run the services for the length of the block, entered once all are ready.

    SIGINT, SIGTERM or SIGHUP stop the stack in order, a second one kills it. Raises what
    `Stack.until_done` raises. Call it in the main thread: services die with the thread that
    started them.
    """
    stack = Stack(services, say)
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stack.ask_to_stop)
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)
