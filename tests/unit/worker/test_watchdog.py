"""When a worker is silent, and how it then ends."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from factories import group

from opssage.settings import BrokerSettings
from worker import app as worker_app
from worker.dispatch import dispatch
from worker.watchdog import Silence, end, has_work


class Worker:
    """What a watchdog sees of a worker."""

    def __init__(self) -> None:
        self.ended = 0
        self.has_work = True
        self.silence = Silence(lambda: self.ended, lambda: self.has_work)

    def looks(self, most: int = 20) -> int | None:
        """Look until it is enough; return how many looks that took."""
        return next((n for n in range(1, most + 1) if self.silence.look()), None)


def test_work_that_does_not_move_is_a_silence():
    """The first look has nothing to compare with; six more agree."""
    assert Worker().looks() == 7


def test_without_work_there_is_no_silence():
    """A worker that nobody needs may rest."""
    idle = Worker()
    idle.has_work = False

    assert idle.looks() is None


def test_progress_begins_the_count_anew():
    """One task that ended is enough."""
    worker = Worker()
    assert worker.looks(6) is None

    worker.ended += 1

    assert worker.looks() == 7


def test_a_rest_begins_the_count_anew():
    """Work that came after a while without any has its own time."""
    worker = Worker()
    worker.looks(6)
    worker.has_work = False
    worker.looks(1)
    worker.has_work = True

    assert worker.looks() == 6


def test_messages_that_wait_are_work(app, store, settings):
    """For every worker: whoever is free takes them."""
    assert not has_work(app)

    store.create_incident(group())
    dispatch(app, store, settings.worker)

    assert has_work(app)


def test_a_dead_broker_is_not_the_workers_silence(settings):
    """Celery connects again by itself."""
    dead = replace(settings, broker=BrokerSettings(url="redis://127.0.0.1:1/0"))

    assert not has_work(worker_app.create(dead))


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that would sleep for a minute."""
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def test_the_end_takes_the_children_along(child):
    """Those that are gone already are no error."""
    codes: list[int] = []
    gone = 2**22 + 1  # above the kernel's highest process id

    end([gone, child.pid], leave=codes.append)

    assert child.wait() == -9
    assert codes == [1]
