"""The whole service as real processes, with a proxy on each of its connections."""

import http.client
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any, Literal, get_args
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg2
from faults import failpoints
from faults.entry import prepare
from faults.failpoints import Failpoints
from faults.processes import Process, logged
from faults.proxy import Kind, Proxy, proxying
from faults.upstream import Upstream, serving

import store
import webapi.gunicorn_conf
from cli import ports
from cli.child import Command
from cli.embedded import broker, postgres
from opssage.settings import DatabaseSettings

Database = Literal["sqlite", "postgresql"]
Role = Literal["web", "worker", "dispatcher"]
Server = Literal["broker", "database"]

QUICK: Mapping[str, Mapping[str, Any]] = {
    "worker": {
        "lease_seconds": 3,
        "heartbeat_seconds": 0.75,
        "resend_seconds": 2,
        "dispatch_seconds": 0.5,
    },
    "collect": {"deadline_seconds": 4},
}
"""What takes 20 s by default takes 3 here, so that a fault takes seconds, not minutes."""

_VISIBILITY_SECONDS = 8
_RESTART_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """What runs, and how it is set up."""

    web_processes: int = 1  #: of the one gunicorn
    workers: int = 1
    concurrency: int = 2  #: of each worker
    dispatchers: int = 1
    supervised: bool = True  #: what ends by itself is started again, as a container runtime does
    own_postgres: bool = False  #: a PostgreSQL that the fault may kill
    upstream: bool = False  #: a fake Prometheus and Loki
    defaults: bool = False  #: the default settings instead of the quick ones
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  #: on top, by section
    env: Mapping[str, str] = field(default_factory=dict)  #: of the service's processes


class Cluster:
    """A running service. Each process has a name, a pid and a log of its own."""

    def __init__(self, folder: Path, database: Database, layout: Layout) -> None:
        """Take what to run; `running` runs it."""
        self.folder = folder
        self.database = database
        self.layout = layout
        self.failpoints = Failpoints(folder / "failpoints")
        self.upstream: Upstream | None = None
        self.broker_port = ports.free()
        self.web_port = ports.free()
        self.broker_url = broker.url(self.broker_port)  #: past the proxies
        self.database_url = ""  #: past the proxies
        self.broker = Process(
            name="broker",
            command=broker.command(folder / "broker", self.broker_port),
            ready=lambda _: broker.answers(self.broker_port),
            log=folder / "broker.log",
        )
        self.postgres: Process | None = None  #: only with `own_postgres`
        self.web: Process
        self.workers: list[Process] = []
        self.dispatchers: list[Process] = []
        self._links: dict[tuple[Role, Server], Proxy] = {}

    @property
    def address(self) -> str:
        """The web's base URL."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def worker(self) -> Process:
        """The first worker."""
        return self.workers[0]

    @property
    def dispatcher(self) -> Process:
        """The first dispatcher."""
        return self.dispatchers[0]

    @property
    def processes(self) -> list[Process]:
        """The processes of the service: web, workers, dispatchers."""
        return [self.web, *self.workers, *self.dispatchers]

    def network(
        self,
        to: Server,
        kind: Kind,
        *,
        of: Role | None = None,
        seconds: float = 0.0,
        limit: int = 0,
    ) -> None:
        """Change how connections to a server behave: those of one role, or of all.

        SQLite has no connections: there is nothing to change then.
        """
        for (role, server), proxy in self._links.items():
            if server == to and of in {None, role}:
                proxy.set(kind, seconds=seconds, limit=limit)

    # how it comes up

    def _connect(self, loop: Any, server_url: str) -> None:
        """Put a proxy before each server for each role."""
        self.database_url = server_url
        targets: dict[Server, int] = {"broker": self.broker_port}
        if self.database == "postgresql":
            targets["database"] = urlsplit(server_url).port or 0
        for role in get_args(Role):
            for server, port in targets.items():
                self._links[role, server] = Proxy(port, loop)

    def _environment(self, role: Role, name: str) -> dict[str, str]:
        url = self.database_url
        if proxy := self._links.get((role, "database")):
            url = url.replace(f":{urlsplit(url).port}/", f":{proxy.port}/")
        upstream = self.upstream.environment if self.upstream else {}
        quick = {} if self.layout.defaults else {prepare.VISIBILITY: str(_VISIBILITY_SECONDS)}
        return {
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "PYTHONUNBUFFERED": "1",
            "OPSSAGE_CONFIG": str(self.folder / "config.yaml"),
            "OPSSAGE_HOST": "127.0.0.1",
            "OPSSAGE_PORT": str(self.web_port),
            "OPSSAGE_BROKER_URL": broker.url(self._links[role, "broker"].port),
            "DATABASE_URL": url,
            "REMAP_SIGTERM": "SIGQUIT",  # a worker ends its tasks before it ends itself
            failpoints.FOLDER: str(self.failpoints.folder),
            failpoints.PROCESS: name,
            **quick,
            **upstream,
            **self.layout.env,
        }

    def _process(self, role: Role, name: str, ready: Any, *module: str) -> Process:
        return Process(
            name=name,
            command=Command(
                argv=(sys.executable, "-m", *module), env=self._environment(role, name)
            ),
            ready=ready,
            log=self.folder / f"{name}.log",
        )

    def _plan(self) -> None:
        """Make the processes of the service; nothing starts yet."""
        base = {} if self.layout.defaults else QUICK
        wished = {"web": {"processes": self.layout.web_processes}, **self.layout.settings}
        wished["worker"] = {"concurrency": self.layout.concurrency, **wished.get("worker", {})}
        sections = {
            name: {**base.get(name, {}), **wished.get(name, {})} for name in {*base, *wished}
        }
        (self.folder / "config.yaml").write_text(json.dumps(sections))  # JSON is YAML
        gunicorn = ("gunicorn", "-c", webapi.gunicorn_conf.__file__, "faults.entry.web:app")
        self.web = self._process("web", "web", lambda _: answers(self.web_port), *gunicorn)
        node = f"faults-{os.getpid()}-{self.web_port}"
        celery = ("celery", "-A", "faults.entry.worker", "worker")
        options = ("--without-gossip", "--without-mingle", "-E")
        for n in range(1, self.layout.workers + 1):
            named = (*celery, "-n", f"{node}-{n}@%h", *options)
            self.workers.append(self._process("worker", f"worker-{n}", logged("ready."), *named))
        for n in range(1, self.layout.dispatchers + 1):
            ready = logged("dispatcher_started")
            self.dispatchers.append(
                self._process("dispatcher", f"dispatcher-{n}", ready, "faults.entry.dispatcher")
            )

    def _start(self) -> None:
        memory = store.connect(DatabaseSettings(url=self.database_url), self.folder)
        memory.migrate()
        memory.close()
        self.broker.start()
        for process in self.processes:
            process.start(wait=False)
        for process in self.processes:
            process.await_ready()

    def _end(self) -> None:
        everything = [*self.processes, self.broker, *([self.postgres] if self.postgres else [])]
        for process in everything:
            process.wanted = False
        for process in everything:
            process.end()


def answers(port: int, path: str = "/livez") -> bool:
    """Say whether the web on `port` answers with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def running(
    folder: Path, database: Database, layout: Layout, postgres_url: str | None = None
) -> Iterator[Cluster]:
    """Run the service for the length of the block.

    `postgres_url` is a server that several clusters share, each with a database of its own.
    """
    cluster = Cluster(folder, database, layout)
    with ExitStack() as stack:
        loop = stack.enter_context(proxying())
        if layout.upstream:
            cluster.upstream = stack.enter_context(serving())
        stack.callback(lambda: [proxy.close() for proxy in cluster._links.values()])
        url = f"sqlite:///{folder}/opssage.db"
        if database == "postgresql":
            url = stack.enter_context(_postgres(cluster, postgres_url))
        cluster._connect(loop, url)
        cluster._plan()
        stack.callback(cluster._end)
        cluster._start()
        stack.enter_context(_supervising(cluster))
        yield cluster


@contextmanager
def _postgres(cluster: Cluster, shared_url: str | None) -> Iterator[str]:
    if shared_url is not None and not cluster.layout.own_postgres:
        yield _fresh_database(shared_url)
        return
    with postgres.temporary_folder() as data:
        postgres.prepare(data)
        port = ports.free()
        url = postgres.url(data, port)
        cluster.postgres = Process(
            name="postgres",
            command=postgres.command(data, port),
            ready=lambda _: postgres.answers(url),
            log=cluster.folder / "postgres.log",
        )
        cluster.postgres.start()
        yield url
        cluster.postgres.end()


def _fresh_database(server_url: str) -> str:
    name = f"faults_{uuid4().hex}"
    connection = psycopg2.connect(server_url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}"')
    finally:
        connection.close()
    return server_url.rsplit("/", 1)[0] + "/" + name


@contextmanager
def _supervising(cluster: Cluster) -> Iterator[None]:
    """Start again what ends by itself, a second later."""
    done = Event()

    def supervise() -> None:
        while not done.wait(0.1):
            for process in cluster.processes:
                if process.wanted and not process.is_alive:
                    time.sleep(_RESTART_SECONDS)
                    if process.wanted and not process.is_alive and not done.is_set():
                        process.start(wait=False)

    if not cluster.layout.supervised:
        yield
        return
    thread = Thread(target=supervise, name="supervisor", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        cluster._end()  # before the thread ends, and with it what it has started
        thread.join()
