"""A TCP proxy that can misbehave, on an event loop in a thread of its own."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Thread
from typing import Literal

_CHUNK_BYTES = 65536
_POLL_SECONDS = 0.02
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: closing sends RST

Kind = Literal["pass", "blackhole", "half_open", "reset", "delay", "limit"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """How a proxy behaves: towards connections that live as well as towards later ones."""

    kind: Kind = "pass"
    seconds: float = 0.0  #: of `delay`: each piece of data waits as long, each way
    bytes: int = 0  #: of `limit`: what each connection may still carry before it is reset


class Proxy:
    """Listens on a port of its own and carries bytes to and from `target`.

    `pass` carries; `blackhole` holds all data back, as lost packets do, and delivers it when it
    ends; `half_open` does so for ever with the connections that live, and carries later ones;
    `reset` ends connections with RST; `delay` makes each piece of data wait; `limit` resets
    each connection after as many bytes.
    """

    def __init__(self, target: int, loop: asyncio.AbstractEventLoop) -> None:
        """Listen at once; `target` is a port of this machine, `loop` runs in another thread."""
        self.mode = Mode()
        self._target = target
        self._loop = loop
        self._live_since = 0.0  # older connections are half open
        self._writers: set[asyncio.StreamWriter] = set()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, loop).result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    def set(self, kind: Kind, *, seconds: float = 0.0, limit: int = 0) -> None:
        """Behave like this from here on."""
        if kind == "half_open":
            self._live_since = self._loop.time()
        self.mode = Mode(kind=kind, seconds=seconds, bytes=limit)
        if kind == "reset":
            asyncio.run_coroutine_threadsafe(self._reset_all(), self._loop).result()

    def close(self) -> None:
        """End all connections and listen no more."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()

    async def _close(self) -> None:
        self._server.close()
        await self._reset_all()

    async def _reset_all(self) -> None:
        for writer in list(self._writers):
            _abort(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends, began = [writer], self._loop.time()
        part = _abort
        self._writers.add(writer)
        try:
            await self._until_passing(began)
            there, onward = await asyncio.open_connection("127.0.0.1", self._target)
            ends.append(onward)
            self._writers.add(onward)
            pumps = [self._pump(reader, onward, began), self._pump(there, writer, began)]
            tasks = [asyncio.ensure_future(pump) for pump in pumps]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if not any(task.exception() for task in done):
                part = asyncio.StreamWriter.close  # what was written still arrives
        except OSError:
            pass
        finally:
            for end in ends:
                part(end)
                self._writers.discard(end)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, began: float
    ) -> None:
        carried, before = 0, self.mode
        while data := await reader.read(_CHUNK_BYTES):
            await self._until_passing(began)
            mode = self.mode
            if mode is not before:
                carried, before = 0, mode
            if mode.kind == "delay":
                await asyncio.sleep(mode.seconds)
            carried += len(data)
            if mode.kind == "limit" and carried > mode.bytes:
                raise ConnectionResetError
            writer.write(data)
            await writer.drain()

    async def _until_passing(self, began: float) -> None:
        """Wait until a connection that began at this time of the loop carries data."""
        while (  # noqa: ASYNC110 - set by another thread
            self.mode.kind == "blackhole" or began < self._live_since
        ):
            await asyncio.sleep(_POLL_SECONDS)
        if self.mode.kind == "reset":
            raise ConnectionResetError


def _abort(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, ValueError):
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


@contextmanager
def proxying() -> Iterator[asyncio.AbstractEventLoop]:
    """Yield the running event loop that proxies share."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="proxies", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(_end_tasks(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
