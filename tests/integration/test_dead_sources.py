"""Sources that are dead in ways that only a real connection can be: what is left is on time."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from factories import alert

from opssage.evidence import SourceStatus
from opssage.incident import Incident, Status
from opssage.settings import (
    AlertmanagerSettings,
    LokiSettings,
    PrometheusSettings,
    SourcesSettings,
    load,
)
from tasks.collect import build_sources, collect

NAMES = ("prometheus", "loki", "alertmanager")
AT_ONCE, NEVER = 20, 0.2  # how long to wait for what comes at once, and for what never comes
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def silence(connection: socket.socket, closed: threading.Event) -> None:
    """Accept, read, and never answer."""
    closed.wait(30)


def head_in_drops(connection: socket.socket, closed: threading.Event) -> None:
    """Send a head that never ends, in pieces that each come in time."""
    connection.sendall(OK)
    for number in count():
        connection.sendall(f"X-{number}: 1\r\n".encode())
        if closed.wait(0.02):
            return


def body_in_drops(connection: socket.socket, closed: threading.Event) -> None:
    """Send a body that never ends, a byte at a time."""
    connection.sendall(OK + b"Content-Length: 1000000\r\n\r\n")
    while not closed.wait(0.02):
        connection.sendall(b" ")


def flood(connection: socket.socket, closed: threading.Event) -> None:
    """Send a body that never ends, as fast as it is read."""
    connection.sendall(OK + b"Content-Length: 100000000000\r\n\r\n")
    while not closed.is_set():
        connection.sendall(b" " * 65536)


def rubbish(connection: socket.socket, closed: threading.Event) -> None:
    """Send what is no HTTP."""
    connection.sendall(b"\x00\xff SSH-2.0\r\n\r\n")


def cut(connection: socket.socket, closed: threading.Event) -> None:
    """Send half an answer."""
    connection.sendall(OK + b'Content-Length: 100\r\n\r\n{"status": "succ')


def redirect(connection: socket.socket, closed: threading.Event) -> None:
    """Point at itself, where only a client that follows would come again for `/elsewhere`."""
    here = "http://{}:{}/elsewhere".format(*connection.getsockname())
    lines = ("HTTP/1.1 302 Found", f"Location: {here}", "Content-Length: 0", "Connection: close")
    connection.sendall("\r\n".join((*lines, "", "")).encode())


DEATHS = [
    (silence, NEVER, "too slow"),
    (head_in_drops, NEVER, "too slow"),
    (body_in_drops, NEVER, "too slow"),
    (flood, AT_ONCE, "larger than 8 MiB"),
    (rubbish, AT_ONCE, "broken connection"),
    (cut, AT_ONCE, "broken connection"),
    (redirect, AT_ONCE, "a redirect, which is not followed"),
]


@contextmanager
def served(death) -> Iterator[tuple[str, list[bytes]]]:
    """Run a server that dies so with every connection; yields its URL and what it was asked."""
    closed, asked = threading.Event(), []

    def attend(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            asked.append(connection.recv(65536).split(b"\r\n")[0])
            death(connection, closed)
            # closed with something unread, the connection would be reset under the answer
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=attend, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        closed.set()
        listener.shutdown(socket.SHUT_RDWR)


def looked_into(url, patience):
    """Collect for one alert with sources that all are there."""
    where = {"url": url, "timeout_seconds": patience}
    sources = SourcesSettings(
        prometheus=PrometheusSettings(**where),
        loki=LokiSettings(**where),
        alertmanager=AlertmanagerSettings(**where),
    )
    settings = replace(load(environ={}), sources=sources, folder=Path())
    now = datetime.now(UTC)
    firing = alert(service="web", starts_at=now - timedelta(minutes=5))
    incident = Incident(
        incident_id=None,
        status=Status.PENDING,
        created_at=now,
        updated_at=now,
        alert_name=firing.name,
        severity="warning",
    )
    return collect(incident, [firing], build_sources(settings), settings.collect, now)


@pytest.mark.parametrize(
    ("death", "patience", "said"), [pytest.param(*row, id=row[0].__name__) for row in DEATHS]
)
def test_a_source_that_is_dead_is_left_by_its_own_limits(death, patience, said):
    """Not by the deadline of the whole; each line says why and what to run by hand."""
    with served(death) as (url, asked):
        context = looked_into(url, patience)

    lines = [line for line in context.sources if line.source in NAMES]
    assert {line.source for line in lines} == set(NAMES)
    failed = [line for line in lines if line.status is SourceStatus.FAILED]
    assert {line.source for line in failed} == set(NAMES)
    assert all(said in line.error for line in failed), failed
    assert all(line.by_hand for line in lines)
    assert not any(b"elsewhere" in line for line in asked)
    assert [item.source for item in context.evidence_collected] == ["alert"]
