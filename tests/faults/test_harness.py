"""The harness itself: a proxy that carries, and points that exist."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread

import pytest
from faults.failpoints import POINTS, place
from faults.proxy import Proxy, proxying


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            Thread(target=_echo, args=(connection,), daemon=True).start()

    thread = Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def _echo(connection: socket.socket) -> None:
    with connection, suppress(ConnectionError):
        while data := connection.recv(1024):
            connection.sendall(data)


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    """A proxy before that server."""
    with proxying() as loop:
        made = Proxy(echo, loop)
        yield made
        made.close()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    """A connection through the proxy."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
        yield connection


def test_passing_proxy_carries_both_ways(client: socket.socket):
    """What is sent comes back."""
    client.sendall(b"hello")

    assert client.recv(1024) == b"hello"


def test_black_hole_holds_data_until_it_ends(proxy: Proxy, client: socket.socket):
    """Nothing comes through, and then all of it."""
    proxy.set("blackhole")
    client.sendall(b"late")
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.recv(1024)

    proxy.set("pass")
    client.settimeout(5)

    assert client.recv(1024) == b"late"


def test_reset_ends_live_and_new_connections(proxy: Proxy, client: socket.socket):
    """Both ends of a live connection are cut, and a later one is too."""
    client.sendall(b"before")
    assert client.recv(1024) == b"before"

    proxy.set("reset")

    with pytest.raises(ConnectionResetError):
        client.recv(1024)
    with (
        pytest.raises(ConnectionResetError),
        socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as late,
    ):
        late.recv(1024)


def test_half_open_connection_stays_silent_while_later_ones_work(
    proxy: Proxy, client: socket.socket
):
    """Whoever was connected hears nothing more, not even that it is over."""
    client.sendall(b"before")
    assert client.recv(1024) == b"before"

    proxy.set("half_open")

    client.sendall(b"lost")
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.recv(1024)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as late:
        late.sendall(b"after")
        assert late.recv(1024) == b"after"


def test_limit_cuts_a_connection_after_so_many_bytes(proxy: Proxy, client: socket.socket):
    """The data up to the limit passes, the next does not."""
    proxy.set("limit", limit=4)
    client.sendall(b"four")
    assert client.recv(1024) == b"four"

    client.sendall(b"more")

    with pytest.raises(ConnectionResetError):
        client.recv(1024)


@pytest.mark.parametrize("name", POINTS)
def test_failpoint_is_at_a_function_of_the_product(name: str):
    """A point that nothing passes would prove nothing."""
    owner, attribute = place(POINTS[name])

    assert callable(getattr(owner, attribute))
