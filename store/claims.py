"""The protocol between the queue and the row: claim a stage, commit it, or give it back.

A message only says that an incident may have work. The row decides: a claim is a compare-and-set
that raises `epoch`, and a result is written only under the epoch it was claimed with. So a stage
may run twice, but its effect happens once.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Case,
    Connection,
    Float,
    Update,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from opssage.errors import LostClaimError
from opssage.incident import Incident, Stage, Status
from store import revisions, rows
from store.columns import database_now
from store.effects import announce
from store.rules import Rules
from store.tables import RUNNING, incidents
from store.timeline import tell

BACKOFF_SECONDS = 5
BACKOFF_FACTOR = 3
BACKOFF_MAX_SECONDS = 600
BACKOFF_JITTER = 0.25
"""Share of a delay added at random, so that what failed together does not return together."""
UNCOUNTED_SECONDS = 10
"""Delay after an attempt that is not counted: nothing was wrong with the incident."""


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
        incidents.c.attempts < bindparam("max_attempts"),
        or_(
            incidents.c.lease_until.is_(None),
            incidents.c.lease_until < database_now(),
            and_(
                incidents.c.lease_task == bindparam("redelivered_task"),
                incidents.c.lease_until <= database_now(bindparam("unless_later", type_=Float)),
            ),
        ),
    )
    .values(
        epoch=incidents.c.epoch + 1,
        attempts=incidents.c.attempts + 1,
        lease_owner=bindparam("owner"),
        lease_task=bindparam("task_id"),
        lease_until=database_now(bindparam("lease_seconds", type_=Float)),
        # the message is taken up: when this worker is lost, the next is due with its lease
        enqueued_at=None,
        enqueue_count=0,
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
    max_attempts: int,
    redelivered: bool = False,
    silent_seconds: float = 0,
) -> Claim | None:
    """Take a stage, or return None when it is not there to be taken.

    A message is delivered again when the worker that had it is lost, so `redelivered` takes the
    lease of the same task over, without waiting for its end, once that has been silent for
    `silent_seconds`. It also comes again when only the broker was away: then there are heartbeats.
    """
    told = {
        "claimed_id": incident_id,
        "expected": stage.expects.value,
        "owner": owner,
        "task_id": task_id,
        "lease_seconds": lease_seconds,
        "max_attempts": max_attempts,
        "redelivered_task": task_id if redelivered else None,
        "unless_later": lease_seconds - silent_seconds,
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


def is_held(connection: Connection, incident_id: UUID, task_id: str) -> bool:
    """Tell whether a stage of the incident is claimed under this task, and the lease runs."""
    return connection.scalar(_HELD, {"claimed_id": incident_id, "task_id": task_id}) is not None


_HELD = select(incidents.c.epoch).where(
    incidents.c.incident_id == bindparam("claimed_id"),
    incidents.c.lease_task == bindparam("task_id"),
    incidents.c.lease_until > database_now(),
)
_EXTEND = (
    update(incidents)
    .where(
        incidents.c.incident_id == bindparam("claimed_id"),
        incidents.c.epoch == bindparam("claimed_epoch"),
        incidents.c.lease_until.is_not(None),
    )
    .values(lease_until=database_now(bindparam("lease_seconds", type_=Float)))
)


def extend(connection: Connection, incident_id: UUID, epoch: int, lease_seconds: float) -> bool:
    """Hold a lease from now on for so long; False when the claim has ended or passed on."""
    told = {"claimed_id": incident_id, "claimed_epoch": epoch, "lease_seconds": lease_seconds}
    return connection.execute(_EXTEND, told).rowcount == 1


def commit(
    connection: Connection,
    incident_id: UUID,
    stage: Stage,
    epoch: int,
    document: Mapping[str, Any],
    shown: Mapping[str, Any],
    rules: Rules,
) -> None:
    """Write a stage's document and the next status together.

    When alerts joined since collect looked, the last stage makes the next revision due.

    `shown` are columns that repeat facts of the document. Raises LostClaimError when the claim has
    passed to somebody else: nothing is written then.
    """
    told = {f"new_{name}": value for name, value in {stage.document: document, **shown}.items()}
    if stage is Stage.DIAGNOSE:
        told["cooldown_seconds"] = rules.cooldown_seconds
    _write_under_claim(connection, _committing(stage, tuple(shown)), incident_id, epoch, told)
    tell(connection, incident_id, stage.reaches.value, {"stage": stage.value, "epoch": epoch})
    if stage is Stage.DIAGNOSE:
        announce(connection, [incident_id], stage.reaches.value, rules.notify)


_collected = incidents.c.primary_context
_ALERTS_JOINED = incidents.c.alert_seq > _collected["alert_seq"].as_integer()
# the severity shown is that of the worst alert, so another one than collect saw is a worse one
_IS_WORSE = incidents.c.severity != _collected["alert_metadata", "severity"].as_string()
_NEXT_REVISION = case(
    (_ALERTS_JOINED & _IS_WORSE, database_now()),
    (_ALERTS_JOINED, database_now(bindparam("cooldown_seconds", type_=Float))),
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
        next_attempt_at=_NEXT_REVISION if stage is Stage.DIAGNOSE else database_now(),
        **{
            name: bindparam(f"new_{name}", type_=incidents.c[name].type)
            for name in (stage.document, *shown)
        },
    )


def postpone(
    connection: Connection,
    incident_id: UUID,
    stage: Stage,
    epoch: int,
    error: Mapping[str, Any],
    *,
    counted: bool,
) -> None:
    """Give a stage back to be tried again later, the later the more attempts it has had.

    Unless the attempt is not `counted`: then it is given back too.
    """
    exponent = incidents.c.attempts - 1
    delay = case(
        *((exponent == n, BACKOFF_SECONDS * BACKOFF_FACTOR**n) for n in range(5)),
        else_=BACKOFF_MAX_SECONDS,
    )
    spread = random.uniform(1, 1 + BACKOFF_JITTER)  # noqa: S311 - nothing secret
    statement = _under_claim(stage).values(
        next_attempt_at=database_now((delay if counted else UNCOUNTED_SECONDS) * spread),
        attempts=incidents.c.attempts - (0 if counted else 1),
        last_error=error,
    )
    _write_under_claim(connection, statement, incident_id, epoch)
    tell(connection, incident_id, "postponed", {"stage": stage.value, "error": error})


def fail(
    connection: Connection,
    incident_id: UUID,
    stage: Stage,
    epoch: int,
    error: Mapping[str, Any],
    rules: Rules,
    *,
    alerts_seen: int | None,
) -> None:
    """Give an incident up, with the reason.

    Alerts that joined since the claim have it run again later; `alerts_seen` is the `alert_seq`
    that the claim had.
    """
    statement = _under_claim(stage).values(
        status=Status.FAILED.value, next_attempt_at=_again_if_joined(alerts_seen, rules)
    )
    _write_under_claim(connection, statement, incident_id, epoch)
    _end(connection, incident_id, {**error, "epoch": epoch}, rules)


def _again_if_joined(alerts_seen: int | None, rules: Rules) -> Case[Any]:
    """Return when an incident that was given up is due again: when alerts have joined since."""
    seen = func.coalesce(_collected["alert_seq"].as_integer(), alerts_seen)
    return case((incidents.c.alert_seq > seen, database_now(rules.cooldown_seconds)), else_=None)


def _end(connection: Connection, incident_id: UUID, error: Mapping[str, Any], rules: Rules) -> None:
    """Tell why an incident was given up; a failed revision leaves the answer before it."""
    if revisions.take_back(connection, incident_id, error):
        return
    connection.execute(
        update(incidents).where(incidents.c.incident_id == incident_id).values(last_error=error)
    )
    tell(connection, incident_id, Status.FAILED.value, {"error": error})
    announce(connection, [incident_id], Status.FAILED.value, rules.notify)


def _under_claim(stage: Stage) -> Update:
    """Return an update that only the holder of the claim can make, and that ends its lease."""
    return (
        update(incidents)
        .where(
            incidents.c.incident_id == bindparam("claimed_id"),
            incidents.c.epoch == bindparam("claimed_epoch"),
            incidents.c.status == stage.expects.value,
            incidents.c.lease_until.is_not(None),
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
    written = connection.execute(
        statement, {"claimed_id": incident_id, "claimed_epoch": epoch, **(told or {})}
    )
    if written.rowcount != 1:
        raise LostClaimError


def release(connection: Connection, owner: str) -> int:
    """Give back all that a worker still holds while it ends; returns how many stages that was.

    They are due at once, and the attempt is not counted: it was not the incident's fault.
    """
    given_back = connection.execute(
        update(incidents)
        .where(
            incidents.c.status.in_(RUNNING),
            incidents.c.lease_owner == owner,
            incidents.c.lease_until.is_not(None),
        )
        .values(
            lease_until=None,
            lease_owner=None,
            lease_task=None,
            epoch=incidents.c.epoch + 1,
            attempts=incidents.c.attempts - 1,
        )
    )
    return given_back.rowcount


_EXHAUSTED = {
    "class": "AttemptsExhausted",
    "message": "every worker that took this stage ended before it could say why",
}


def give_up_exhausted(connection: Connection, max_attempts: int, rules: Rules) -> int:
    """Fail the incidents whose stage has had its attempts and was left by the last worker too.

    A stage that raises is counted where it raises; this is for workers that were killed. Returns
    how many there were.
    """
    given_up = connection.execute(
        update(incidents)
        .where(
            incidents.c.status.in_(RUNNING),
            incidents.c.attempts >= max_attempts,
            or_(incidents.c.lease_until.is_(None), incidents.c.lease_until < database_now()),
        )
        .values(
            status=Status.FAILED.value,
            lease_until=None,
            epoch=incidents.c.epoch + 1,
            version=incidents.c.version + 1,
            updated_at=database_now(),
            next_attempt_at=_again_if_joined(None, rules),
        )
        .returning(
            incidents.c.incident_id,
            incidents.c.attempts,
            incidents.c.epoch,
            incidents.c.lease_owner,
            incidents.c.last_error,
        )
    ).all()
    for row in given_up:
        error = {
            **_EXHAUSTED,
            "attempts": row.attempts,
            "epoch": row.epoch,
            "worker": row.lease_owner,
            "before": row.last_error,
        }
        _end(connection, row.incident_id, error, rules)
    return len(given_up)
