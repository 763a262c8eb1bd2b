"""The services of `opssage up`, as data: what each runs, what it needs, when it is ready."""

import http.client
import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import redis

import store
from cli import ports
from cli.child import Command
from cli.embedded import broker, postgres
from cli.exits import CommandError, Exit
from cli.service import Service
from opssage import settings
from opssage.errors import StoreUnavailableError
from opssage.redaction import redact_text
from opssage.settings import Settings

_LOOPBACK = "127.0.0.1"
_NODE = f"up-{os.getpid()}"  # of this run only: the broker remembers the workers of others
_BINDINGS = "opssage:_kombu.binding.celery.pidbox"  # kombu's list of workers that listen
_ANYWHERE = {"0.0.0.0": _LOOPBACK, "::": "::1"}  # noqa: S104 (compared with, not bound to)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to run, and where."""

    data: Path  #: folder of all that is kept
    host: str
    port: int
    flower_port: int = 5555
    database_url: str
    broker_url: str
    embedded: tuple[Service, ...] = ()  #: the servers brought along
    env: Mapping[str, str] = field(default_factory=dict)  #: more settings for our processes

    def environment(self) -> dict[str, str]:
        """Return what our processes find in their environment."""
        return {
            "DATABASE_URL": self.database_url,
            "OPSSAGE_BROKER_URL": self.broker_url,
            "OPSSAGE_HOST": self.host,
            "OPSSAGE_PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
            **self.env,
        }


def embedded_broker(data: Path) -> tuple[str, Service]:
    """Return the URL of an embedded broker and the service that runs it."""
    port = ports.free()
    command = broker.command(data / "broker", port)
    ready = partial(broker.answers, port)
    return broker.url(port), Service(name="broker", command=command, ready=ready)


def embedded_postgres(data: Path) -> tuple[str, Service]:
    """Return the URL of an embedded PostgreSQL, made on first use, and its service."""
    folder, port = data / "postgres", ports.free()
    postgres.prepare(folder)
    address = postgres.url(folder, port)
    command = postgres.command(folder, port)
    ready = partial(postgres.answers, address)
    return address, Service(name="postgres", command=command, ready=ready)


def services(plan: Plan) -> tuple[Service, ...]:
    """Return all services of the plan."""
    stores = tuple(service.name for service in plan.embedded)
    counting = {**plan.environment(), "PROMETHEUS_MULTIPROC_DIR": _emptied(plan.data / "metrics")}
    return (
        *plan.embedded,
        Service(
            name="web",
            command=_python(counting, "gunicorn", "-c", _gunicorn_file(), "webapi.wsgi:app"),
            ready=partial(_answers, _ANYWHERE.get(plan.host, plan.host), plan.port, "/readyz"),
            after=stores,
        ),
        Service(
            name="worker",
            command=_python(
                # ends its tasks before it ends itself
                {**counting, "REMAP_SIGTERM": "SIGQUIT"},
                *("celery", "-A", "worker", "worker", "-n", f"{_NODE}@%h"),
                *("--without-gossip", "--without-mingle", "-E"),
            ),
            ready=partial(_worker_listens, plan.broker_url),
            after=stores,
        ),
        Service(
            name="dispatcher",
            command=_python(counting, "worker.dispatcher"),
            ready=lambda: True,  # nobody waits for it: it only catches what was missed
            after=("web",),  # which makes the tables
        ),
        Service(
            name="flower",
            command=_python(
                # loopback only, and read only
                {**plan.environment(), "FLOWER_UNAUTHENTICATED_API": "true"},
                *("celery", "-A", "worker", "flower", f"--address={_LOOPBACK}"),
                *(f"--port={plan.flower_port}", "--read_only"),
            ),
            ready=partial(_answers, _LOOPBACK, plan.flower_port, "/healthcheck"),
            after=stores,
        ),
    )


def check_ports(host: str, port: int, flower_port: int) -> None:
    """Raise CommandError when a port that was asked for is taken."""
    wanted = ((host, port, "--port"), (_LOOPBACK, flower_port, "--flower-port"))
    for address, number, option in wanted:
        if ports.is_taken(address, number):
            raise CommandError(
                f"port {number} on {address} is taken: stop what listens there (another "
                f"`opssage up`?) or choose another with {option}"
            )


def check_database(configured: Settings) -> None:
    """Raise CommandError when the configured database does not answer."""
    try:
        memory = store.connect(configured.database, configured.folder)
        try:
            memory.ping()
        finally:
            memory.close()
    except (StoreUnavailableError, OSError) as error:
        raise _silent(configured, "database", "DATABASE_URL", error) from error


def check_broker(configured: Settings) -> None:
    """Raise CommandError when the configured broker does not answer."""
    try:
        with redis.Redis.from_url(configured.broker.url, socket_timeout=3) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise _silent(configured, "broker", "OPSSAGE_BROKER_URL", error) from error


def _silent(configured: Settings, part: str, variable: str, error: Exception) -> CommandError:
    url = settings.describe(configured)[part]["url"]
    why = redact_text(" ".join(str(error).split()))
    return CommandError(
        f"the {part} at {url} does not answer ({why}): start it, or correct {part}.url, "
        f"which {variable} sets",
        Exit.UNREACHABLE,
    )


def _python(env: Mapping[str, str], *module: str) -> Command:
    return Command(argv=(sys.executable, "-m", *module), env=env)


def _emptied(folder: Path) -> str:
    """Make an empty folder: what the processes of an earlier run counted is not of this one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return str(folder)


def _gunicorn_file() -> str:
    spec = importlib.util.find_spec("webapi")
    if spec is None or spec.origin is None:
        raise CommandError("the package webapi is not installed")
    return str(Path(spec.origin).with_name("gunicorn_conf.py"))


def _answers(host: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=3)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _worker_listens(broker_url: str) -> bool:
    """Say whether the worker takes messages: it does when it listens to its mailbox."""
    try:
        with redis.Redis.from_url(broker_url, socket_timeout=3) as client:
            # redis-py's types allow for an asynchronous client
            bindings = cast("set[bytes]", client.smembers(_BINDINGS))
    except redis.RedisError:
        return False
    return any(_NODE.encode() in binding for binding in bindings)
