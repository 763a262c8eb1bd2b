"""Incidents of one outage that arrive one by one end as one event, whatever their order."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx2
import pytest
from factories import group
from sqlalchemy import update

from cli.replay import load as load_outage
from cli.replay.server import answering
from opssage.incident import Alert, Stage
from opssage.settings import Settings, load
from opssage.wire import to_json
from store import Store, tables
from store.columns import database_now
from tasks import pipeline
from tasks.collect import build_sources, collect
from tasks.collect.registry import Connection
from tasks.enrich import Library, footprint
from tasks.pipeline import Parts
from webapi.senders.alertmanager import webhook_group

TASKS = {Stage.ENRICH: pipeline.enrich, Stage.DIAGNOSE: pipeline.diagnose}
ORDERS = [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2), (2, 0, 3, 1)]


@dataclass(frozen=True)
class Collected:
    """An alert, and what is collected for an incident of it alone."""

    alert: Alert
    document: dict[str, Any]
    footprint: Any


@pytest.fixture(scope="module")
def cascade() -> tuple[Collected, ...]:
    """The four alerts of the auth cascade, and what is collected for each."""
    recording = load_outage("auth-cascade")
    capture = recording.at(datetime.now(UTC))
    now = datetime.fromtimestamp(capture.now, UTC)
    client = httpx2.Client(transport=httpx2.WSGITransport(app=answering(recording, capture)))
    settings = load(environ={})
    sources = build_sources(settings, lambda _: Connection(url="http://replay", client=client))
    alerts = webhook_group(recording.webhook(now, "http://alertmanager:9093")).alerts
    later = now + timedelta(seconds=5)
    found = []
    for alert in alerts:
        incident: Any = SimpleNamespace(alert_seq=1)
        context = collect(incident, [alert], sources, settings.collect, later)
        found.append(Collected(alert, to_json(context), footprint(context)))
    return tuple(found)


class Team:
    """A store, and workers that do one stage at a time."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        parts = Parts(settings=settings, store=store, sources=(), library=Library(None))
        request = SimpleNamespace(id="task-1", delivery_info={}, chain=None)
        self.task = SimpleNamespace(
            app=SimpleNamespace(parts=parts, owner="w@test/1"), request=request
        )
        self.told: dict[UUID, Collected] = {}

    def receive(self, told: Collected) -> UUID:
        """Open the incident of a group of its own."""
        alerts = group(told.alert, key=told.alert.fingerprint)
        (touched,) = self.store.create_incident(alerts).incidents
        self.told[touched.incident_id] = told
        return touched.incident_id

    def steps(self, incident_id: UUID) -> Iterator[None]:
        """Run the three stages, one a step."""
        told = self.told[incident_id]
        claim = self.store.claim(
            incident_id, Stage.COLLECT, owner="w", task_id="t", lease_seconds=20, max_attempts=5
        )
        assert claim is not None
        self.store.update_primary_context(
            incident_id, claim.epoch, told.document, footprint=told.footprint
        )
        for stage, task in TASKS.items():
            yield
            shell: Any = task
            outcome = shell.__wrapped__.__func__(self.task, str(incident_id))
            assert outcome == "committed", stage

    def complete(self, incident_id: UUID) -> None:
        """Run all of them."""
        for _ in self.steps(incident_id):
            pass

    def revise(self) -> int:
        """Let cooldowns pass and run what is due again, until nothing is; returns the rounds."""
        for rounds in range(10):
            with self.store._writer.begin() as connection:
                due = tables.incidents.c.next_attempt_at
                moved = update(tables.incidents).where(due.is_not(None))
                connection.execute(moved.values(next_attempt_at=database_now(-1)))
            if not self.store.start_revisions(100):
                return rounds
            for item in self.store.take_due(100, resend_seconds=20):
                self.complete(item.incident_id)
        raise AssertionError("revisions without an end")

    def answers(self) -> dict[str, Any]:
        """Return what is found in the end, by alert."""
        found = {}
        for incident_id, told in self.told.items():
            incident = self.store.get_incident(incident_id)
            assert incident is not None
            event = (incident.enhanced_context or {})["event"] or {}
            members = event.get("members", [])
            root = event.get("likely_root") or {}
            found[told.alert.fingerprint] = {
                "members": [f"{each['alert_name']} of {each['component']}" for each in members],
                "reasons": [each["reason"] for each in members],
                "root": (root.get("component"), root.get("why")),
                "path": event.get("path"),
                "is_named_by_the_first": event.get("event_id") == str(min(self.told)),
                "cause": (incident.diagnostic_report or {})["root_cause_component"],
            }
        return found


@pytest.fixture
def team(store: Store) -> Team:
    """One with default settings."""
    return Team(store, load(environ={}))


def check(team: Team) -> None:
    """All four are one event, whose root is auth-service, and all say so."""
    answers = team.answers()
    assert len(answers) == 4
    for answer in answers.values():
        assert answer["members"] == [
            "TokenVerificationFailing of service/auth-service",
            "DependencyErrorRatioHigh of service/payment-service",
            "ServiceErrorRatioHigh of service/auth-service",
            "ServiceErrorRatioHigh of service/order-service",
        ]
        assert "indirect" not in answer["reasons"]
        assert answer["is_named_by_the_first"]
        assert answer["root"][0] == answer["cause"] == "service/auth-service"
        assert answer["path"][0] == "service/auth-service"


ON_EACH = [*(("sqlite", order) for order in ORDERS), ("postgres", ORDERS[1])]


@pytest.mark.parametrize(("database", "order"), ON_EACH, indirect=["database"], ids=str)
def test_a_cascade_is_one_event_in_any_order(team, cascade, order):
    """Four alerts in four groups, each diagnosed before the next one comes; one round later."""
    for number in order:
        team.complete(team.receive(cascade[number]))

    assert team.revise() == 1
    check(team)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seed", range(3))
def test_a_cascade_is_one_event_however_workers_get_on(team, cascade, seed):
    """Alerts come and stages end in between each other."""
    chance = random.Random(seed)
    to_come = chance.sample(cascade, 4)
    under_way: list[Iterator[None]] = []
    while to_come or under_way:
        if to_come and (not under_way or chance.random() < 0.4):
            under_way.append(team.steps(team.receive(to_come.pop())))
        steps = chance.choice(under_way)
        if next(steps, "over") == "over":
            under_way.remove(steps)

    assert team.revise() <= 1
    check(team)
