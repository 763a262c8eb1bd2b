"""The three shells: what they commit, what they record, and what they leave alone."""

import gzip
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import orjson
import pytest
from factories import alert, group
from sqlalchemy import update

from opssage.changes import ChangeKind, ReportedChange
from opssage.errors import OpsSageError, StoreUnavailableError
from opssage.evidence import Evidence, EvidenceKind, SourceReport, SourceStatus
from opssage.incident import Stage, Status
from opssage.settings import Settings, load
from store import NOT_KEPT, Store, tables
from store.columns import database_now
from tasks import pipeline
from tasks.collect import Answer
from tasks.collect.outages import Guarded
from tasks.collect.recording import MAX_PLAIN_BYTES, RecordingSchema
from tasks.collect.tape import Exchange, Request, noting
from tasks.enrich import Library
from tasks.pipeline import Parts


class FakeSource:
    """Answers one log line, or raises."""

    name = "fake"

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault

    def ask(self, scope: Any, deadline: float) -> Answer:
        """Answer as a source does."""
        if self.fault:
            raise self.fault
        return Answer(
            evidence=(
                Evidence(
                    kind=EvidenceKind.LOG,
                    source=self.name,
                    summary="connection refused",
                    observed_at=scope.window.end,
                    subject={"service": "cart"},
                    data={
                        "template": "connection refused",
                        "level": "error",
                        "count_before": 0,
                        "count_after": 9,
                        "rate_before": 0.0,
                        "rate_after": 3.0,
                        "first_at": None,
                        "examples": ["connection refused"],
                    },
                ),
            ),
            reports=(SourceReport(source=self.name, status=SourceStatus.OK),),
        )


class ListeningSource(FakeSource):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.scopes: list[Any] = []

    def ask(self, scope: Any, deadline: float) -> Answer:
        """Keep the scope."""
        self.scopes.append(scope)
        return super().ask(scope, deadline)


@pytest.fixture
def settings() -> Settings:
    """Defaults."""
    return load(environ={})


def shell(store: Store, settings: Settings, source: FakeSource | None = None) -> Any:
    """Return what Celery hands a bound task: its app and its request."""
    parts = Parts(
        settings=settings, store=store, sources=(source or FakeSource(),), library=Library(None)
    )
    request = SimpleNamespace(id="task-1", delivery_info={}, chain=["next"])
    return SimpleNamespace(app=SimpleNamespace(parts=parts, owner="w@test/1"), request=request)


@pytest.fixture
def incident_id(store: Store) -> UUID:
    """One pending incident."""
    (touched,) = store.create_incident(group(alert(service="cart"))).incidents
    return touched.incident_id


TASKS = {
    Stage.COLLECT: pipeline.collect,
    Stage.ENRICH: pipeline.enrich,
    Stage.DIAGNOSE: pipeline.diagnose,
}


def run(stage: Stage, task: Any, incident_id: UUID) -> str:
    """Run a shell's own function, without Celery around it."""
    outcome: str = TASKS[stage].__wrapped__.__func__(task, str(incident_id))
    return outcome


def test_three_shells_make_a_diagnosis(store, settings, incident_id):
    """Collect, enrich and diagnose each commit; the last one completes the incident."""
    task = shell(store, settings)

    outcomes = [run(stage, task, incident_id) for stage in Stage]

    incident = store.get_incident(incident_id)
    assert outcomes == ["committed"] * 3
    assert incident.status is Status.COMPLETED
    assert incident.primary_context["sources"][0]["source"]
    assert incident.root_cause == incident.diagnostic_report["root_cause"]
    assert task.request.chain == ["next"]


class Loud(FakeSource):
    """A source that is told so many bytes."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def ask(self, scope: Any, deadline: float) -> Answer:
        """Note an exchange."""
        request = Request(source=self.name, method="GET", path="/all", params={})
        with noting(request) as note:
            note(Exchange(request=request, status=200, body={"a": 1}, size=self.size))
        return super().ask(scope, deadline)


def test_collect_keeps_what_it_began_with_and_was_told(store, settings, incident_id):
    """Enough to ask it all again."""
    run(Stage.COLLECT, shell(store, settings, Loud(7)), incident_id)

    kept = store.get_recording(incident_id, 1)
    heard = RecordingSchema().load(orjson.loads(gzip.decompress(kept)))
    assert heard.alerts == store.list_alerts(incident_id)
    assert heard.alert_seq == store.get_incident(incident_id).primary_context["alert_seq"]
    assert [(each.request.path, each.body) for each in heard.exchanges] == [("/all", {"a": 1})]


def test_an_incident_is_diagnosed_though_its_recording_is_too_large(store, settings, incident_id):
    """What could not be kept says so."""
    task = shell(store, settings, Loud(MAX_PLAIN_BYTES + 1))

    assert run(Stage.COLLECT, task, incident_id) == "committed"

    assert store.get_recording(incident_id, 1) == NOT_KEPT


def test_a_second_message_is_dropped_with_its_chain(store, settings, incident_id):
    """Whoever comes late changes nothing and publishes nothing."""
    run(Stage.COLLECT, shell(store, settings), incident_id)
    before = store.get_incident(incident_id)
    late = shell(store, settings)

    assert run(Stage.COLLECT, late, incident_id) == "dropped"

    assert late.request.chain is None
    assert store.get_incident(incident_id) == before


class Away:
    """A store whose database is away while a stage commits."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        """Pass everything on but the commit of collect."""
        return getattr(self._store, name)

    def update_primary_context(self, *_: Any) -> None:
        """Break as a bug would."""
        raise KeyError("boom")


def test_a_fault_is_recorded_and_tried_again(store, settings, incident_id):
    """The incident says what happened; the stage waits for its next attempt."""
    task = shell(Away(store), settings)

    assert run(Stage.COLLECT, task, incident_id) == "retried"

    incident = store.get_incident(incident_id)
    assert incident.status is Status.PENDING
    assert incident.last_error["class"] == "KeyError"
    assert "boom" in incident.last_error["traceback"]
    assert task.request.chain is None


class Permanent(Away):
    """A store whose commit meets a fault that will not pass."""

    def update_primary_context(self, *_: Any) -> None:
        """Break for good."""
        raise OpsSageError("no such thing")


def test_a_permanent_fault_fails_at_once(store, settings, incident_id):
    """What cannot succeed is not tried again."""
    assert run(Stage.COLLECT, shell(Permanent(store), settings), incident_id) == "failed"

    assert store.get_incident(incident_id).status is Status.FAILED


def test_secrets_of_an_error_are_not_stored(store, settings, incident_id):
    """A traceback may hold a URL with a password."""

    class Leaky(Away):
        """A store that tells too much."""

        def update_primary_context(self, *_: Any) -> None:
            """Name a password."""
            raise RuntimeError("cannot reach postgresql://u:hunter2@db/x")

    run(Stage.COLLECT, shell(Leaky(store), settings), incident_id)

    assert "hunter2" not in str(store.get_incident(incident_id).last_error)


def make_due(store: Store, incident_id: UUID) -> None:
    """Let the time that the incident waits for have come."""
    mine = tables.incidents.c.incident_id == incident_id
    with store._writer.begin() as connection:
        connection.execute(
            update(tables.incidents).where(mine).values(next_attempt_at=database_now(-1))
        )


class AllAway(FakeSource):
    """A source that fails, as a guard would tell."""

    def ask(self, scope: Any, deadline: float) -> Answer:
        """Answer that nobody answers."""
        return Answer(reports=(SourceReport(source=self.name, status=SourceStatus.FAILED),))


def test_an_outage_of_all_sources_puts_the_incident_off(store, settings, incident_id):
    """It waits without an attempt being counted, and says what for."""
    task = shell(store, settings, Guarded(AllAway()))

    assert run(Stage.COLLECT, task, incident_id) == "retried"

    incident = store.get_incident(incident_id)
    assert (incident.status, incident.last_error["class"]) == (Status.PENDING, "SourcesAwayError")
    assert store.take_due(10, resend_seconds=20) == []


def test_a_site_that_does_not_wait_for_sources_is_diagnosed_without(store, settings, incident_id):
    """The ledger tells what was missing."""
    collect = replace(settings.collect, outage_seconds=0)
    task = shell(store, replace(settings, collect=collect), Guarded(AllAway()))

    assert run(Stage.COLLECT, task, incident_id) == "committed"


class Hiccup(Away):
    """A store whose database is away for the first commit."""

    tried = 0

    def update_primary_context(self, *told: Any) -> None:
        """Be away once."""
        self.tried += 1
        if self.tried == 1:
            raise StoreUnavailableError
        self._store.update_primary_context(*told)


def test_a_commit_waits_for_a_database_that_was_away(store, settings, incident_id):
    """The work of a stage is not thrown away for a moment's outage."""
    assert run(Stage.COLLECT, shell(Hiccup(store), settings), incident_id) == "committed"

    assert store.get_incident(incident_id).status is Status.CONTEXT_COLLECTED


def held(store: Store, incident_id: UUID, *, lease_seconds: float) -> None:
    """Let another worker hold the incident under the id of our own message."""
    store.claim(
        incident_id,
        Stage.COLLECT,
        owner="other",
        task_id="task-1",
        lease_seconds=lease_seconds,
        max_attempts=5,
    )


def redelivered(store: Store, settings: Settings) -> Any:
    """Return a shell whose message was delivered before, with hearts that beat fast."""
    worker = replace(settings.worker, heartbeat_seconds=0.01)
    task = shell(store, replace(settings, worker=worker))
    task.request.delivery_info = {"redelivered": True}
    return task


def test_a_redelivered_message_goes_on_where_its_worker_was_lost(store, settings, incident_id):
    """The lease still runs, but there is no sign of life: the stage is taken over."""
    held(store, incident_id, lease_seconds=settings.worker.lease_seconds)

    assert run(Stage.COLLECT, redelivered(store, settings), incident_id) == "committed"


def test_a_redelivered_message_leaves_a_living_worker_alone(store, settings, incident_id):
    """Only the broker was away: heartbeats have moved the lease meanwhile."""
    held(store, incident_id, lease_seconds=settings.worker.lease_seconds + 60)

    assert run(Stage.COLLECT, redelivered(store, settings), incident_id) == "dropped"


def test_a_long_outage_is_not_waited_for_by_any_number_of_workers(store, settings, incident_id):
    """Each process sees its first failure; the incident counts how often it was put off."""
    outcomes = []
    for _ in range(8):
        outcomes.append(run(Stage.COLLECT, shell(store, settings, Guarded(AllAway())), incident_id))
        make_due(store, incident_id)

    assert outcomes[:7] == ["retried"] * 6 + ["committed"]


def test_collect_is_told_of_changes_before_the_alerts_and_since(store, settings):
    """Oldest first, as far back as `collect.changes_seconds` says, none from the time to come."""
    start = alert().starts_at
    (touched,) = store.create_incident(group(alert(service="cart"))).incidents
    for hours in (1, 25, 3, -24 * 365 * 100):
        at = start - timedelta(hours=hours)
        store.add_change(ReportedChange(kind=ChangeKind.DEPLOY, summary=f"{hours} h", at=at))
    source = ListeningSource()

    run(Stage.COLLECT, shell(store, settings, source), touched.incident_id)

    assert [each.summary for each in source.scopes[0].changes] == ["3 h", "1 h"]


def revised(store: Store, incident_id: UUID, report: dict[str, Any]) -> None:
    """Have an incident diagnosed so, and begin anew."""
    documents = dict(zip((stage.document for stage in Stage), ({}, {}, report), strict=True))
    with store._writer.begin() as connection:
        connection.execute(
            update(tables.incidents).values(status=Status.COMPLETED.value, **documents)
        )
    store.restart_incident(incident_id)


ANSWER = {"verdict": "fault", "root_cause": "The disk is full.", "confidence_score": 0.97}


@pytest.mark.parametrize(
    ("report", "revision"),
    [
        (ANSWER, 1),
        ({**ANSWER, "verdict": "insufficient_evidence", "earlier": None}, None),
        ({"verdict": "insufficient_evidence", "earlier": {**ANSWER, "revision": 7}}, 7),
        ({}, None),
    ],
)
def test_answer_of_an_earlier_revision_is_known_to_the_next(
    store, settings, incident_id, report, revision
):
    """The last one with a verdict, however many came to none since."""
    revised(store, incident_id, report)
    task = shell(store, settings)

    run(Stage.COLLECT, task, incident_id)
    run(Stage.ENRICH, task, incident_id)

    earlier = store.get_incident(incident_id).enhanced_context["earlier"]
    assert (earlier and earlier["revision"]) == revision
