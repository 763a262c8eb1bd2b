"""Who has to be told, and who was: one row a target, event and revision of an incident.

A row is written in the transaction that ends or reopens the incident, so a notification is owed
exactly when that happened. It is sent at least once: a notifier that dies between sending and
`end` has it sent again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    Connection,
    Float,
    Integer,
    String,
    bindparam,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from opssage.incident import Incident
from opssage.notification import Event, Outcome
from store import queries
from store.columns import age_seconds, database_now
from store.tables import effects, incident_events, incidents

_COLUMNS = ("effect_id", "incident_id", "revision", "event", "target", "attempts", "created_at")


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """A notification that is to be sent now, by whoever took it."""

    effect_id: int
    incident_id: UUID
    revision: int  #: of the incident, when the event happened
    event: Event
    target: str
    attempts: int  #: this one included
    created_at: datetime


def announce(
    connection: Connection, incident_ids: Sequence[UUID], event: str, targets: Sequence[str]
) -> None:
    """Owe every target a notification about the present revision of these incidents.

    What is owed or was sent already is not owed again.
    """
    if not incident_ids:
        return
    for target in targets:
        told = {"ids": list(incident_ids), "event": event, "target": target}
        connection.execute(_ANNOUNCE[connection.dialect.name], told)


_OWED = select(
    incidents.c.incident_id,
    incidents.c.revision,
    bindparam("event", type_=String),
    bindparam("target", type_=String),
    database_now(),
    database_now(),
).where(incidents.c.incident_id.in_(bindparam("ids", expanding=True)))
_ANNOUNCE = {
    name: dialect.insert(effects)
    .from_select(
        ["incident_id", "revision", "event", "target", "created_at", "next_attempt_at"], _OWED
    )
    .on_conflict_do_nothing()
    for name, dialect in (("postgresql", postgresql), ("sqlite", sqlite))
}


def due(connection: Connection) -> dict[str, float]:
    """Return the targets that have notifications due, with the seconds the oldest is owed for."""
    return {row.target: row.age for row in connection.execute(_DUE)}


_is_due = effects.c.next_attempt_at <= database_now()
_DUE = (
    select(effects.c.target, age_seconds(func.min(effects.c.created_at)).label("age"))
    .where(_is_due)
    .group_by(effects.c.target)
)


def take_due(connection: Connection, target: str, limit: int, lease_seconds: float) -> list[Effect]:
    """Take up to `limit` notifications of a target, the longest due first.

    Whatever has not met its `end` after `lease_seconds` is due again.
    """
    ids = connection.scalars(_FIND_DUE, {"wanted": target, "most": limit}).all()
    if not ids:
        return []
    taken = connection.execute(_TAKE, {"taken": ids, "lease_seconds": lease_seconds})
    found = {row.effect_id: row for row in taken}
    return [
        Effect(**{**found[effect_id]._asdict(), "event": Event(found[effect_id].event)})
        for effect_id in ids
    ]


_FIND_DUE = (
    select(effects.c.effect_id)
    .where(_is_due, effects.c.target == bindparam("wanted"))
    .order_by(effects.c.next_attempt_at, effects.c.effect_id)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
_TAKE = (
    update(effects)
    .where(effects.c.effect_id.in_(bindparam("taken", expanding=True)))
    .values(
        attempts=effects.c.attempts + 1,
        next_attempt_at=database_now(bindparam("lease_seconds", type_=Float)),
    )
    .returning(*(effects.c[name] for name in _COLUMNS))
)


def end(
    connection: Connection,
    effect_id: int,
    attempts: int,
    outcome: Outcome | None,
    error: str | None = None,
    delay_seconds: float = 0,
) -> bool:
    """Write down what came of an attempt: how it ended, or None and when it is tried again.

    False when the attempt is no longer the last one, since it took longer than its lease: nothing
    is written then.
    """
    again = {"next_attempt_at": database_now(delay_seconds)}
    over = {"next_attempt_at": None, "state": outcome}
    written = connection.execute(
        update(effects)
        .where(
            effects.c.effect_id == effect_id,
            effects.c.attempts == attempts,
            effects.c.next_attempt_at.is_not(None),
        )
        .values(last_error=error, **(over if outcome else again))
    )
    return written.rowcount == 1


def give_up_stale(connection: Connection, older_than_seconds: float) -> int:
    """Give up what nobody could send for so long; returns how many there were."""
    return connection.execute(_GIVE_UP_STALE, {"age": older_than_seconds}).rowcount


_NEVER_SENT = "owed for too long: no dispatcher knew this target, or none ran"
_GIVE_UP_STALE = (
    update(effects)
    .where(
        _is_due,
        effects.c.created_at < database_now(-bindparam("age", type_=Float)),
    )
    .values(
        state=Outcome.FAILED,
        next_attempt_at=None,
        last_error=func.coalesce(effects.c.last_error, literal(_NEVER_SENT)),
    )
)


def incident_at(connection: Connection, incident_id: UUID, revision: int) -> Incident | None:
    """Return an incident with the answer that this revision had.

    Everything else, `revision` too, is as it is now. Of a revision whose answer was not kept it
    has the present answer, which may be none.
    """
    incident = queries.get(connection, incident_id)
    if incident is None or incident.revision == revision:
        return incident
    told = {"wanted": incident_id, "revision": revision}
    kept = connection.scalar(_ANSWER_OF, told)
    if kept is None:
        return incident
    names = ("root_cause", "confidence_score", "diagnostic_report")
    return replace(incident, **{name: kept[name] for name in names})


_ANSWER_OF = (
    select(incident_events.c.data)
    .where(
        incident_events.c.incident_id == bindparam("wanted"),
        incident_events.c.kind == "restarted",
        incident_events.c.data["revision"].as_integer() == bindparam("revision"),
    )
    .order_by(incident_events.c.event_id.desc())
    .limit(1)
)
