"""The protocol between the queue and the row: claim a stage, commit it, or give it back.

A message only says that an incident may have work. The row decides: a claim is a compare-and-set
that raises `epoch`, and a result is written only under the epoch it was claimed with. So a stage
may run twice, but its effect happens once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Connection,
    Float,
    Integer,
    Update,
    bindparam,
    case,
    insert,
    or_,
    select,
    update,
)

from opssage.errors import LostClaimError
from opssage.incident import Incident, Stage, Status
from store import rows
from store.columns import database_now
from store.tables import RUNNING, incident_events, incidents

BACKOFF_SECONDS = 5
BACKOFF_FACTOR = 3
BACKOFF_MAX_SECONDS = 600
RESEND_DOUBLINGS = 4
REVISION_COOLDOWN_SECONDS = 300
"""How long alerts that join a diagnosed incident are gathered before it is diagnosed anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The right to run one stage of one incident, until the lease ends."""

    incident: Incident
    stage: Stage
    epoch: int
    attempts: int  #: this one included


_CLAIM = (
    update(incidents)
    .where(
        incidents.c.incident_id == bindparam("claimed_id"),
        incidents.c.status == bindparam("expected"),
        incidents.c.next_attempt_at <= database_now(),
        or_(incidents.c.lease_until.is_(None), incidents.c.lease_until < database_now()),
    )
    .values(
        epoch=incidents.c.epoch + 1,
        attempts=incidents.c.attempts + 1,
        lease_owner=bindparam("owner"),
        lease_task=bindparam("task_id"),
        lease_until=database_now(bindparam("lease_seconds", type_=Float)),
    )
    .returning(*rows.WHOLE, incidents.c.epoch, incidents.c.attempts)
)


def claim(
    connection: Connection,
    incident_id: UUID,
    stage: Stage,
    *,
    owner: str,
    task_id: str,
    lease_seconds: float,
) -> Claim | None:
    """Take a stage, or return None when it is not there to be taken."""
    told = {
        "claimed_id": incident_id,
        "expected": stage.expects.value,
        "owner": owner,
        "task_id": task_id,
        "lease_seconds": lease_seconds,
    }
    row = connection.execute(_CLAIM, told).first()
    if row is None:
        return None
    values = row._asdict()
    epoch, attempts = values.pop("epoch"), values.pop("attempts")
    return Claim(
        incident=rows.incident_of(values),
        stage=stage,
        epoch=epoch,
        attempts=attempts,
    )


def commit(
    connection: Connection,
    incident_id: UUID,
    stage: Stage,
    epoch: int,
    document: Mapping[str, Any],
    shown: Mapping[str, Any],
) -> None:
    """Write a stage's document and the next status together.

    When alerts joined since collect looked, the last stage makes the next revision due.

    `shown` are columns that repeat facts of the document. Raises LostClaimError when the claim has
    passed to somebody else: nothing is written then.
    """
    told = {stage.document: document, **shown}
    _write_under_claim(connection, _committing(stage, tuple(shown)), incident_id, epoch, told)
    _tell(connection, incident_id, stage.reaches.value, {"stage": stage.value, "epoch": epoch})


_AGAIN_IF_ALERTS_JOINED = case(
    (
        incidents.c.alert_seq > incidents.c.primary_context["alert_seq"].as_integer(),
        database_now(REVISION_COOLDOWN_SECONDS),
    ),
    else_=None,
)


@cache
def _committing(stage: Stage, shown: tuple[str, ...]) -> Update:
    return _under_claim(stage).values(
        status=stage.reaches.value,
        attempts=0,
        last_error=None,
        # the chain that ran this stage publishes the next one
        enqueued_at=database_now(),
        enqueue_count=1,
        next_attempt_at=_AGAIN_IF_ALERTS_JOINED if stage is Stage.DIAGNOSE else database_now(),
        **{
            name: bindparam(f"new_{name}", type_=incidents.c[name].type)
            for name in (stage.document, *shown)
        },
    )


def postpone(
    connection: Connection, incident_id: UUID, stage: Stage, epoch: int, error: Mapping[str, Any]
) -> None:
    """Give a stage back to be tried again later, the later the more attempts it has had."""
    exponent = incidents.c.attempts - 1
    delay = case(
        *((exponent == n, BACKOFF_SECONDS * BACKOFF_FACTOR**n) for n in range(5)),
        else_=BACKOFF_MAX_SECONDS,
    )
    statement = _under_claim(stage).values(
        next_attempt_at=database_now(delay), enqueued_at=None, enqueue_count=0, last_error=error
    )
    _write_under_claim(connection, statement, incident_id, epoch)
    _tell(connection, incident_id, "postponed", {"stage": stage.value, "error": error})


def fail(
    connection: Connection, incident_id: UUID, stage: Stage, epoch: int, error: Mapping[str, Any]
) -> None:
    """Give an incident up, with the reason."""
    statement = _under_claim(stage).values(
        status=Status.FAILED.value, last_error=error, next_attempt_at=None
    )
    _write_under_claim(connection, statement, incident_id, epoch)
    _tell(connection, incident_id, Status.FAILED.value, {"stage": stage.value, "error": error})


def _under_claim(stage: Stage) -> Update:
    """Return an update that only the holder of the claim can make, and that ends its lease."""
    return (
        update(incidents)
        .where(
            incidents.c.incident_id == bindparam("claimed_id"),
            incidents.c.epoch == bindparam("claimed_epoch"),
            incidents.c.status == stage.expects.value,
        )
        .values(
            lease_until=None,
            lease_owner=None,
            lease_task=None,
            version=incidents.c.version + 1,
            updated_at=database_now(),
        )
    )


def _write_under_claim(
    connection: Connection,
    statement: Update,
    incident_id: UUID,
    epoch: int,
    told: Mapping[str, Any] | None = None,
) -> None:
    new = {f"new_{name}": value for name, value in (told or {}).items()}
    written = connection.execute(
        statement, {"claimed_id": incident_id, "claimed_epoch": epoch, **new}
    )
    if written.rowcount != 1:
        raise LostClaimError


_INSERT_EVENT = insert(incident_events).values(at=database_now())


def _tell(connection: Connection, incident_id: UUID, kind: str, data: Mapping[str, Any]) -> None:
    connection.execute(_INSERT_EVENT, {"incident_id": incident_id, "kind": kind, "data": data})


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """An incident with work that no message stands for."""

    incident_id: UUID
    status: Status


# the seconds after which an unclaimed message is sent again double with each message
_PATIENCE = bindparam("resend_seconds", type_=Float) * case(
    *((incidents.c.enqueue_count <= n + 1, 2**n) for n in range(RESEND_DOUBLINGS)),
    else_=2**RESEND_DOUBLINGS,
)
_FIND_DUE = (
    select(incidents.c.incident_id)
    .where(
        incidents.c.status.in_(RUNNING),
        incidents.c.next_attempt_at <= database_now(),
        or_(incidents.c.lease_until.is_(None), incidents.c.lease_until < database_now()),
        or_(
            incidents.c.enqueued_at.is_(None),
            incidents.c.enqueued_at < database_now(-_PATIENCE),
        ),
    )
    .order_by(incidents.c.priority, incidents.c.created_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
_STAMP = (
    update(incidents)
    .where(incidents.c.incident_id.in_(bindparam("due", expanding=True)))
    .values(enqueued_at=database_now(), enqueue_count=incidents.c.enqueue_count + 1)
    .returning(incidents.c.incident_id, incidents.c.status)
)


def take_due(connection: Connection, limit: int, resend_seconds: float) -> list[Due]:
    """Stamp up to `limit` incidents as enqueued and return them, most severe first.

    A message that nobody claims is sent again after `resend_seconds`, doubling four times.
    """
    ids = connection.scalars(_FIND_DUE, {"most": limit, "resend_seconds": resend_seconds}).all()
    if not ids:
        return []
    status = {
        row.incident_id: Status(row.status) for row in connection.execute(_STAMP, {"due": ids})
    }
    return [Due(incident_id=incident_id, status=status[incident_id]) for incident_id in ids]


def give_back(connection: Connection, incident_ids: list[UUID]) -> None:
    """Clear the stamp of incidents whose message could not be published."""
    connection.execute(
        update(incidents)
        .where(incidents.c.incident_id.in_(incident_ids), incidents.c.lease_until.is_(None))
        .values(enqueued_at=None, enqueue_count=incidents.c.enqueue_count - 1)
    )


_EXHAUSTED = {
    "class": "AttemptsExhausted",
    "message": "every worker that took this stage ended before it could say why",
}


def give_up_exhausted(connection: Connection, max_attempts: int) -> int:
    """Fail the incidents whose stage has had its attempts and was left by the last worker too.

    A stage that raises is counted where it raises; this is for workers that were killed. Returns
    how many there were.
    """
    given_up = connection.execute(
        update(incidents)
        .where(
            incidents.c.status.in_(RUNNING),
            incidents.c.attempts >= max_attempts,
            incidents.c.lease_until < database_now(),
        )
        .values(
            status=Status.FAILED.value,
            lease_until=None,
            epoch=incidents.c.epoch + 1,
            version=incidents.c.version + 1,
            updated_at=database_now(),
            last_error=_EXHAUSTED,
            next_attempt_at=None,
        )
        .returning(incidents.c.incident_id)
    ).scalars()
    ids = list(given_up)
    for incident_id in ids:
        _tell(connection, incident_id, Status.FAILED.value, {"error": _EXHAUSTED})
    return len(ids)


_FIND_DUE_AGAIN = (
    select(incidents.c.incident_id)
    .where(
        incidents.c.status.not_in(RUNNING),
        incidents.c.next_attempt_at <= database_now(),
    )
    .order_by(incidents.c.next_attempt_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)


def start_revisions(connection: Connection, limit: int) -> int:
    """Restart the incidents that alerts have joined since their diagnosis; returns how many."""
    ids = connection.scalars(_FIND_DUE_AGAIN, {"most": limit}).all()
    return sum(restart(connection, incident_id) is not None for incident_id in ids)


def restart(connection: Connection, incident_id: UUID) -> Incident | None:
    """Run a failed incident on from where it stopped, or a completed one anew.

    Returns None when there is no such incident or it is still running. A completed incident's
    documents move to its timeline.
    """
    row = connection.execute(
        select(*rows.WHOLE)
        .where(
            incidents.c.incident_id == incident_id,
            incidents.c.status.in_((Status.COMPLETED.value, Status.FAILED.value)),
        )
        .with_for_update()
    ).first()
    if row is None:
        return None
    before = rows.incident(row)
    anew = before.status is Status.COMPLETED
    documents = [stage.document for stage in Stage]
    missing = next((s for s in Stage if getattr(before, s.document) is None), Stage.COLLECT)
    _tell(
        connection,
        incident_id,
        "restarted",
        {name: getattr(before, name) for name in ("revision", "root_cause", *documents)}
        if anew
        else {"stage": missing.value},
    )
    cleared = dict.fromkeys((*documents, "root_cause", "confidence_score")) if anew else {}
    changed = connection.execute(
        update(incidents)
        .where(incidents.c.incident_id == incident_id)
        .values(
            status=(Status.PENDING if anew else missing.expects).value,
            revision=incidents.c.revision + (1 if anew else 0),
            epoch=incidents.c.epoch + 1,
            attempts=0,
            last_error=None,
            next_attempt_at=database_now(),
            enqueued_at=None,
            enqueue_count=0,
            version=incidents.c.version + 1,
            updated_at=database_now(),
            **cleared,
        )
        .returning(*rows.SUMMARY)
    ).one()
    return rows.incident(changed)
