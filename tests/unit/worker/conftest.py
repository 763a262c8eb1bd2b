"""A broker in memory, and the Celery app on it."""

from collections.abc import Iterator
from dataclasses import replace
from threading import Thread

import fakeredis
import pytest

from opssage.settings import BrokerSettings, Settings, load
from tasks.enrich import Library
from tasks.pipeline import Parts
from worker import app as worker_app


@pytest.fixture
def broker() -> Iterator[str]:
    """A Redis in memory that speaks the protocol."""
    server = fakeredis.TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"redis://127.0.0.1:{server.server_address[1]}/0"
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(broker: str) -> Settings:
    """Defaults, on that broker."""
    return replace(load(environ={}), broker=BrokerSettings(url=broker))


@pytest.fixture
def app(settings: Settings, store) -> Iterator[worker_app.App]:
    """The Celery app, with the test's store and no sources."""
    app = worker_app.create(settings)
    app.parts = Parts(settings=settings, store=store, sources=(), library=Library(None))
    yield app
    app.close()
