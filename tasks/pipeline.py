"""The three tasks and their chain: Celery and the store on one side, plain stages on the other."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic, sleep
from typing import Any, Protocol, cast
from uuid import UUID

from celery import Signature, shared_task
from celery import Task as CeleryTask

from opssage import metrics
from opssage.changes import ReportedChange
from opssage.diagnosis import EarlierAnswer, Verdict
from opssage.errors import (
    LostClaimError,
    OpsSageError,
    SourcesAwayError,
    StoreUnavailableError,
)
from opssage.evidence import PrimaryContext
from opssage.incident import Alert, Stage
from opssage.knowledge import EnhancedContext
from opssage.linking import OpenIncident
from opssage.log import get_logger
from opssage.redaction import redact
from opssage.settings import Settings
from opssage.wire import from_json, to_json
from store import NOT_KEPT, UNCOUNTED_SECONDS, ChangeFilter, Claim, Store
from tasks import heartbeat
from tasks.collect import MOST_CHANGES, Source, outage, tape
from tasks.collect import collect as collect_evidence
from tasks.collect.recording import Recording, pack
from tasks.diagnose import diagnose as diagnose_cause
from tasks.diagnose import first_impression
from tasks.enrich import (
    NEAR_SECONDS,
    Correlation,
    Library,
    correlate,
    footprint,
    owners_around,
)
from tasks.enrich import enrich as enrich_context

log = get_logger(__name__)

_TRACEBACK_CHARS = 4000
_WRITE_PAUSE_SECONDS = 0.5
_MISSED_BEATS = 1.25  # heartbeats that may be missing before a worker is taken for lost


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the tasks work with; the worker puts it on its app."""

    settings: Settings
    store: Store
    sources: Sequence[Source]
    library: Library
    owners: Mapping[str, str] = field(default_factory=dict)  #: as the topology file says


Task = CeleryTask[Any, Any]


class App(Protocol):
    """The Celery app as the tasks see it."""

    parts: Parts
    owner: str  #: names the worker on its leases


@shared_task(bind=True, name="opssage.collect")
def collect(self: Task, incident_id: str) -> str:
    """Ask the sources what they saw, and commit it."""
    return _advance(self, Stage.COLLECT, UUID(incident_id), _collect)


@shared_task(bind=True, name="opssage.enrich")
def enrich(self: Task, incident_id: str) -> str:
    """Add what the team knows, and commit it."""
    return _advance(self, Stage.ENRICH, UUID(incident_id), _enrich)


@shared_task(bind=True, name="opssage.diagnose")
def diagnose(self: Task, incident_id: str) -> str:
    """Answer, and commit it."""
    return _advance(self, Stage.DIAGNOSE, UUID(incident_id), _diagnose)


def task_name(stage: Stage) -> str:
    """Return the name a stage's task is known by to Celery, and its queue."""
    return f"opssage.{stage.value}"


def investigation(incident_id: UUID, stages: Sequence[Stage], app: Any) -> Signature:
    """Return the chain of these stages for an incident; messages carry only the id."""
    first, *others = (app.tasks[task_name(stage)].si(str(incident_id)) for stage in stages)
    # what `chain(first, *others)` would send, made in a third of the time
    return cast("Signature", first.set(chain=others[::-1]) if others else first)


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a stage made: its document, and what else is committed with it."""

    document: object
    beside: tuple[object, ...] = ()


Work = Callable[[Parts, Claim], Result]


def _collect(parts: Parts, claim: Claim) -> Result:
    incident, now = claim.incident, datetime.now(UTC)
    settings = parts.settings.collect
    alerts = parts.store.list_alerts(incident.incident_id)
    changes = _reported(parts, alerts, now)
    with tape.recording() as heard:
        context = collect_evidence(incident, alerts, parts.sources, settings, now, changes)
    has_waited = _waits(claim) * UNCOUNTED_SECONDS >= settings.outage_seconds
    if not has_waited and (away := outage(parts.sources, settings.outage_seconds)):
        raise SourcesAwayError(f"no answer from any source of evidence: {away}")
    recorded = Recording(
        alert_name=incident.alert_name,
        alert_seq=incident.alert_seq,
        now=now,
        alerts=alerts,
        changes=changes,
        settings=parts.settings,
        exchanges=heard.exchanges,
        matters=heard.matters,
    )
    return Result(document=context, beside=(pack(recorded) or NOT_KEPT, footprint(context)))


def _reported(parts: Parts, alerts: Sequence[Alert], now: datetime) -> tuple[ReportedChange, ...]:
    """Return the changes that were reported for the time before `now`, oldest first."""
    oldest = min((alert.starts_at for alert in alerts), default=now)
    since = oldest - timedelta(seconds=parts.settings.collect.changes_seconds)
    chosen = ChangeFilter(since=since, until=now)
    return tuple(reversed(parts.store.list_changes(chosen, limit=MOST_CHANGES)))


def _waits(claim: Claim) -> int:
    """Return how often in a row the incident was put off without its attempt being counted."""
    return int((claim.incident.last_error or {}).get("waits", 0))


def _enrich(parts: Parts, claim: Claim) -> Result:
    settings = parts.settings.enrich
    primary = _primary(claim)
    impression = first_impression(primary)
    past = parts.store.list_past(claim.incident, impression, settings.past_incidents)
    context = enrich_context(
        primary,
        parts.library.shelf(),
        past,
        impression,
        max_passages=settings.max_passages,
        hosts=settings.runbook_hosts,
    )
    found = _correlated(parts, claim, primary)
    context = replace(
        context,
        event=found.event,
        earlier=_earlier(parts, claim),
        owners=owners_around(primary, parts.owners),
        priors=parts.store.priors(claim.incident.namespace),
    )
    return Result(document=context, beside=(found.linking,))


def _earlier(parts: Parts, claim: Claim) -> EarlierAnswer | None:
    """Return the last answer with a verdict that an earlier revision gave."""
    if claim.incident.revision == 1:
        return None
    now = parts.store.get_incident(claim.incident.incident_id)
    before = (now.previous if now else None) or {}
    report = before.get("diagnostic_report") or {}
    is_answer = report.get("verdict") in {Verdict.FAULT, Verdict.HEALTHY}
    told = {**report, "revision": before["revision"]} if is_answer else report.get("earlier")
    return from_json(told, EarlierAnswer) if told else None


def _correlated(parts: Parts, claim: Claim, primary: PrimaryContext) -> Correlation:
    """Compare an incident with those that were opened when it began."""
    incident, onset = claim.incident, primary.window.onset
    me = OpenIncident(
        incident_id=str(incident.incident_id),
        alert_name=incident.alert_name,
        severity=incident.severity,
        footprint=footprint(primary),
    )
    near = timedelta(seconds=NEAR_SECONDS)
    vicinity = parts.store.vicinity(
        incident.incident_id,
        min(onset, incident.created_at) - near,
        incident.created_at + near,
    )
    return correlate(me, primary, vicinity)


def _diagnose(parts: Parts, claim: Claim) -> Result:
    enhanced = from_json(claim.incident.enhanced_context or {}, EnhancedContext)
    report = diagnose_cause(_primary(claim), enhanced, parts.settings.diagnose)
    return Result(document=report)


def _primary(claim: Claim) -> PrimaryContext:
    return from_json(claim.incident.primary_context or {}, PrimaryContext)


def _advance(task: Task, stage: Stage, incident_id: UUID, work: Work) -> str:
    """Claim, work, commit. What goes wrong is recorded on the incident, never lost.

    Returns the outcome. Anything but a commit ends this chain: the row says what comes next, and
    the dispatcher publishes it. The task itself ends normally, so that Flower shows no ghosts.
    """
    app = cast("App", task.app)
    parts = app.parts
    outcome = "dropped"
    try:
        claim = _claim(task, stage, incident_id)
        if claim is not None:
            with heartbeat.kept(claim, parts.store, parts.settings.worker):
                outcome = _work_on(parts, claim, work, app.owner)
    except LostClaimError:
        log.warning("claim_lost", stage=stage.value)
    except StoreUnavailableError as error:
        log.warning("store_unavailable", stage=stage.value, error=str(error))
        outcome = "retried"
    metrics.STAGE_RESULTS.labels(stage.value, outcome).inc()
    if outcome != "committed":
        task.request.chain = None
    return outcome


def _claim(task: Task, stage: Stage, incident_id: UUID) -> Claim | None:
    """Claim the stage, if it is there to be taken.

    A message that comes again while its own lease runs is waited with for a moment: whoever has
    the lease gives a sign of life meanwhile, or is lost.
    """
    app, task_id = cast("App", task.app), task.request.id or ""
    store, settings = app.parts.store, app.parts.settings.worker
    redelivered = bool((task.request.delivery_info or {}).get("redelivered"))
    silent_seconds = _MISSED_BEATS * settings.heartbeat_seconds
    take = partial(
        store.claim,
        incident_id,
        stage,
        owner=app.owner,
        task_id=task_id,
        lease_seconds=settings.lease_seconds,
        max_attempts=settings.max_attempts,
        redelivered=redelivered,
        silent_seconds=silent_seconds,
    )
    claim = take()
    if claim is None and redelivered and store.is_held(incident_id, task_id):
        sleep(silent_seconds)
        claim = take()
    return claim


def _work_on(parts: Parts, claim: Claim, work: Work, owner: str) -> str:
    try:
        with metrics.STAGE_SECONDS.labels(claim.stage.value).time():
            result = work(parts, claim)
            document = to_json(result.document)
        _insist(parts, partial(_committer(parts.store, claim), document, *result.beside))
    except (LostClaimError, StoreUnavailableError):
        raise
    except Exception as error:  # noqa: BLE001 - the edge of a task: any fault is told on the row
        return _record_fault(parts, claim, error, owner)
    if verdict := document.get("verdict"):
        metrics.DIAGNOSES.labels(verdict).inc()
    log.info("stage_committed", stage=claim.stage.value, epoch=claim.epoch)
    return "committed"


def _insist(parts: Parts, verb: Callable[[], object]) -> None:
    """Write, and try again for the length of a lease while the database is away."""
    until = monotonic() + parts.settings.worker.lease_seconds
    while True:
        try:
            verb()
        except StoreUnavailableError as error:
            if monotonic() > until:
                raise
            log.warning("write_retried", error=str(error))
            sleep(_WRITE_PAUSE_SECONDS)
        else:
            return


def _committer(store: Store, claim: Claim) -> Callable[..., None]:
    verbs: Mapping[Stage, Callable[..., None]] = {
        Stage.COLLECT: store.update_primary_context,
        Stage.ENRICH: store.update_enhanced_context,
        Stage.DIAGNOSE: store.update_diagnostic_report,
    }
    return partial(verbs[claim.stage], claim.incident.incident_id, claim.epoch)


def _record_fault(parts: Parts, claim: Claim, error: Exception, owner: str) -> str:
    permanent = isinstance(error, OpsSageError) and error.permanent
    counted = not isinstance(error, OpsSageError) or error.counted
    is_last = claim.attempts >= parts.settings.worker.max_attempts
    give_up = permanent or (counted and is_last)
    told = redact(
        {
            "class": type(error).__name__,
            "message": str(error),
            "traceback": "".join(traceback.format_exception(error))[-_TRACEBACK_CHARS:],
            "stage": claim.stage.value,
            "attempts": claim.attempts,
            "worker": owner,
            **({} if counted else {"waits": _waits(claim) + 1}),
        }
    )
    _insist(
        parts,
        partial(
            parts.store.update_status,
            claim.incident.incident_id,
            claim.stage,
            claim.epoch,
            told,
            give_up=give_up,
            counted=counted,
            alerts_seen=claim.incident.alert_seq,
        ),
    )
    log.error("stage_failed", stage=claim.stage.value, give_up=give_up, exc_info=error)
    return "failed" if give_up else "retried"
