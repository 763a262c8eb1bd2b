"""How a stage ends without a result: put off, given up, or given back."""

import random
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Case, Connection, case, func, or_, update

from opssage.incident import Stage, Status
from store import revisions
from store.claims import COLLECTED, under_claim, write_under_claim
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
    statement = under_claim(stage).values(
        next_attempt_at=database_now((delay if counted else UNCOUNTED_SECONDS) * spread),
        attempts=incidents.c.attempts - (0 if counted else 1),
        last_error=error,
    )
    write_under_claim(connection, statement, incident_id, epoch)
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
    statement = under_claim(stage).values(
        status=Status.FAILED.value, next_attempt_at=_again_if_joined(alerts_seen, rules)
    )
    write_under_claim(connection, statement, incident_id, epoch)
    _end(connection, incident_id, {**error, "epoch": epoch}, rules)


def _again_if_joined(alerts_seen: int | None, rules: Rules) -> Case[Any]:
    """Return when an incident that was given up is due again: when alerts have joined since."""
    seen = func.coalesce(COLLECTED["alert_seq"].as_integer(), alerts_seen)
    return case(
        (incidents.c.flapping, None),
        (incidents.c.alert_seq > seen, database_now(rules.cooldown_seconds)),
        else_=None,
    )


def _end(connection: Connection, incident_id: UUID, error: Mapping[str, Any], rules: Rules) -> None:
    """Tell why an incident was given up; a failed revision leaves the answer before it."""
    if revisions.take_back(connection, incident_id, error):
        return
    connection.execute(
        update(incidents).where(incidents.c.incident_id == incident_id).values(last_error=error)
    )
    tell(connection, incident_id, Status.FAILED.value, {"error": error})
    announce(connection, [incident_id], Status.FAILED.value, rules.notify)


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
