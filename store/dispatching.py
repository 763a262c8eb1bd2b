"""What is due and has no message: the publisher's view of the incidents.

A stamp (`enqueued_at`) says that a message was published for an incident. It is taken off by the
claim, so an incident whose worker was lost is due as soon as its lease has run out.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import (
    Connection,
    Float,
    Integer,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from opssage.incident import Status
from store.columns import age_seconds, database_now
from store.tables import RUNNING, broker_epoch, incident_events, incidents, process_beats

RESEND_DOUBLINGS = 4
_NO_LEASE = or_(incidents.c.lease_until.is_(None), incidents.c.lease_until < database_now())


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
        _NO_LEASE,
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
        .where(incidents.c.incident_id.in_(incident_ids), _NO_LEASE)
        .values(enqueued_at=None, enqueue_count=incidents.c.enqueue_count - 1)
    )


def renew_broker(connection: Connection, marker: str) -> int | None:
    """Take note of the marker that the broker holds now.

    Returns None when it is the known one, or the first of all. Otherwise the broker has lost what
    it held: every unfinished incident that nobody works on may be published again, and their
    number is returned. Of several callers with the same marker one gets the number.
    """
    known = connection.scalar(select(broker_epoch.c.value))
    if known == marker:
        return None
    taken = connection.execute(
        update(broker_epoch).where(broker_epoch.c.value == known).values(value=marker)
    )
    if taken.rowcount != 1 or not known:
        return None
    cleared = connection.execute(
        update(incidents)
        .where(incidents.c.status.in_(RUNNING), incidents.c.enqueued_at.is_not(None), _NO_LEASE)
        .values(enqueued_at=None, enqueue_count=0)
    )
    return cleared.rowcount


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """The work that is left."""

    unfinished: int  #: incidents
    oldest_seconds: float  #: since the oldest was opened, or its revision was started


def backlog(connection: Connection) -> Backlog:
    """Return how much is unfinished, and for how long the oldest of it has been."""
    row = connection.execute(_BACKLOG).one()
    return Backlog(unfinished=row.unfinished, oldest_seconds=max(row.oldest or 0.0, 0.0))


_restarted_at = (
    select(func.max(incident_events.c.at))
    .where(
        incident_events.c.incident_id == incidents.c.incident_id,
        incident_events.c.kind == "restarted",
    )
    .scalar_subquery()
)
_BACKLOG = select(
    func.count().label("unfinished"),
    age_seconds(func.min(func.coalesce(_restarted_at, incidents.c.created_at))).label("oldest"),
).where(incidents.c.status.in_(RUNNING))


def beat(connection: Connection, name: str) -> None:
    """Note a sign of life."""
    connection.execute(_BEAT[connection.dialect.name], {"name": name})


def beats(connection: Connection) -> dict[str, float]:
    """Return the seconds since each sign of life."""
    found = connection.execute(
        select(process_beats.c.name, age_seconds(process_beats.c.at).label("age"))
    )
    return {row.name: row.age for row in found}


_BEAT = {
    name: dialect.insert(process_beats)
    .values(name=bindparam("name"), at=database_now())
    .on_conflict_do_update(index_elements=[process_beats.c.name], set_={"at": database_now()})
    for name, dialect in (("postgresql", postgresql), ("sqlite", sqlite))
}
