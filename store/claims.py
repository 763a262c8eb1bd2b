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
    Update,
    and_,
    bindparam,
    case,
    or_,
    select,
    update,
)

from opssage.errors import LostClaimError
from opssage.incident import Incident, Stage
from opssage.linking import Linking
from store import links, precedents, recordings, rows, words
from store.columns import database_now
from store.effects import announce
from store.rules import Rules
from store.tables import incidents
from store.timeline import tell


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
    recording: bytes | None = None,
    linking: Linking | None = None,
) -> None:
    """Write a stage's document and the next status together.

    When alerts joined since collect looked, or others linked themselves since enrich did, the last
    stage makes the next revision due.

    `shown` are columns that repeat facts of the document, `recording` what it was made of,
    `linking` what it says of other incidents. Raises LostClaimError when the claim has passed to
    somebody else: nothing is written then.
    """
    held = links.hold(connection, incident_id, linking) if linking and linking.links else set()
    told = {f"new_{name}": value for name, value in {stage.document: document, **shown}.items()}
    if stage is Stage.DIAGNOSE:
        told["cooldown_seconds"] = rules.cooldown_seconds
    write_under_claim(connection, _committing(stage, tuple(shown)), incident_id, epoch, told)
    tell(connection, incident_id, stage.reaches.value, {"stage": stage.value, "epoch": epoch})
    if recording is not None:
        recordings.keep(connection, incident_id, recording)
    if linking is not None and held:
        links.write(connection, incident_id, linking, held, rules)
    if stage is Stage.DIAGNOSE:
        words.change_answer(connection, incident_id, document)
        precedents.renew(connection, incident_id)
        announce(connection, [incident_id], stage.reaches.value, rules.notify)


COLLECTED = incidents.c.primary_context
_ALERTS_JOINED = incidents.c.alert_seq > COLLECTED["alert_seq"].as_integer()
_IS_URGENT = incidents.c.urgent_seq > COLLECTED["alert_seq"].as_integer()
_NEXT_REVISION = case(
    (incidents.c.flapping, None),
    (_IS_URGENT, database_now()),
    (
        _ALERTS_JOINED | links.NEWLY_LINKED,
        database_now(bindparam("cooldown_seconds", type_=Float)),
    ),
    else_=None,
)


@cache
def _committing(stage: Stage, shown: tuple[str, ...]) -> Update:
    return under_claim(stage).values(
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


def under_claim(stage: Stage) -> Update:
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


def write_under_claim(
    connection: Connection,
    statement: Update,
    incident_id: UUID,
    epoch: int,
    told: Mapping[str, Any] | None = None,
) -> None:
    """Make the update. Raises LostClaimError when the claim has passed to somebody else."""
    written = connection.execute(
        statement, {"claimed_id": incident_id, "claimed_epoch": epoch, **(told or {})}
    )
    if written.rowcount != 1:
        raise LostClaimError
