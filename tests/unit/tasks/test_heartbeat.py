"""The thread that keeps a lease."""

from dataclasses import replace
from datetime import UTC, datetime
from threading import Event
from uuid import uuid4

import pytest

from opssage.errors import StoreUnavailableError
from opssage.incident import Incident, Stage, Status
from opssage.settings import WorkerSettings
from store import Claim
from tasks import heartbeat

SETTINGS = replace(WorkerSettings(), heartbeat_seconds=0.001)


class FakeStore:
    """Answers heartbeats from a list, then with True."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.calls = []
        self.enough = Event()

    def extend_lease(self, *told):
        """Note the call, and answer or raise."""
        self.calls.append(told)
        if len(self.calls) > 3:
            self.enough.set()
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def claim():
    """A claim of some stage."""
    now = datetime.now(UTC)
    incident = Incident(
        incident_id=uuid4(),
        status=Status.PENDING,
        created_at=now,
        updated_at=now,
        alert_name="Down",
        severity="critical",
    )
    return Claim(incident=incident, stage=Stage.COLLECT, epoch=7, attempts=1)


def test_a_lease_is_extended_while_the_block_runs(claim):
    """Again and again, under the epoch of the claim."""
    store = FakeStore()

    with heartbeat.kept(claim, store, SETTINGS):
        assert store.enough.wait(10)

    assert set(store.calls) == {(claim.incident.incident_id, 7, SETTINGS.lease_seconds)}


def test_a_database_that_is_away_does_not_end_the_heartbeat(claim):
    """The next beat may get through."""
    store = FakeStore(StoreUnavailableError(), StoreUnavailableError())

    with heartbeat.kept(claim, store, SETTINGS):
        assert store.enough.wait(10)


def test_a_lost_lease_is_not_fought_for(claim):
    """Somebody else has it; more beats would only be refused."""
    store = FakeStore(*[False])

    with heartbeat.kept(claim, store, SETTINGS):
        assert not store.enough.wait(0.05)

    assert len(store.calls) == 1
