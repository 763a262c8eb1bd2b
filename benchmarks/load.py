"""A closed loop of HTTP requests: each connection sends its next one when it has its answer.

One thread drives all connections with requests made beforehand, so that the load takes little of
the processor that it shares with the servers it measures.
"""

import selectors
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import quantiles
from time import perf_counter

Address = tuple[str, int]

_BODILESS = (204, 304)
_STALL_SECONDS = 30.0


class LoadError(Exception):
    """A server has not answered as it should."""


@dataclass(kw_only=True, slots=True)
class Load:
    """What a loop saw."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)  #: in seconds, by completion

    def figures(self) -> dict[str, float]:
        """Return rate and latencies, as a round's figures."""
        # of few answers the slowest is the 99th percentile; nothing is extrapolated
        cuts = quantiles(self.latencies, n=100, method="inclusive")
        return {
            "per_second": len(self.latencies) / self.seconds,
            "p50_ms": cuts[49] * 1000,
            "p99_ms": cuts[98] * 1000,
        }


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Return a request as bytes; `if_none_match="…"` becomes the header If-None-Match."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join((*lines, "", "")).encode() + body


def closed_loop(
    address: Address,
    requests: Iterable[bytes],
    *,
    connections: int,
    seconds: float,
    status: int,
) -> Load:
    """Send requests for some seconds, or until they run out; every answer must have `status`.

    Raises LoadError for any other answer, and when the server falls silent.
    """
    load, coming = Load(), iter(requests)
    started = perf_counter()
    with selectors.DefaultSelector() as selector:
        busy = [
            conversation
            for _ in range(connections)
            if (conversation := _Conversation(address)).ask(coming)
        ]
        for conversation in busy:
            selector.register(conversation.socket, selectors.EVENT_READ, conversation)
        open_count = len(busy)
        while open_count:
            ready = selector.select(_STALL_SECONDS)
            if not ready:
                raise LoadError(f"no answer for {_STALL_SECONDS:g} s")
            for key, _ in ready:
                conversation = key.data
                latency = conversation.hear(status)
                if latency is None:
                    continue
                load.latencies.append(latency)
                if perf_counter() - started > seconds or not conversation.ask(coming):
                    selector.unregister(conversation.socket)
                    conversation.socket.close()
                    open_count -= 1
    load.seconds = perf_counter() - started
    return load


class _Conversation:
    """A connection, and the answer it waits for."""

    def __init__(self, address: Address) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._asked_at = 0.0
        self._heard = b""

    def ask(self, coming: Iterator[bytes]) -> bool:
        """Send the next request; False when none is left."""
        following = next(coming, None)
        if following is None:
            return False
        self._heard = b""
        self._asked_at = perf_counter()
        self.socket.sendall(following)
        return True

    def hear(self, status: int) -> float | None:
        """Take what has arrived; the latency once the answer is whole."""
        chunk = self.socket.recv(65536)
        if not chunk:
            raise LoadError(f"the server closed a connection after {self._heard!r}")
        self._heard += chunk
        head, end, body = self._heard.partition(b"\r\n\r\n")
        if not end or len(body) < _body_bytes(head):
            return None
        if int(head[9:12]) != status:
            raise LoadError(f"expected {status}, got {self._heard[:2000]!r}")
        return perf_counter() - self._asked_at


def _body_bytes(head: bytes) -> int:
    if int(head[9:12]) in _BODILESS:
        return 0
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    if not found:
        raise LoadError(f"an answer without Content-Length: {head!r}")
    return int(rest.partition(b"\r\n")[0])
