"""What people say of a diagnosis. It outlives the incident's move to the archive."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, delete, insert, literal, select

from opssage.access import Actor
from opssage.incident import Status
from store import audit
from store.columns import database_now
from store.tables import feedback, incidents, incidents_archive
from store.timeline import tell


class Judgement(StrEnum):
    """Whether a diagnosis was right."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"


@dataclass(frozen=True, kw_only=True, slots=True)
class Feedback:
    """What somebody said of a diagnosis."""

    feedback_id: int
    incident_id: UUID
    revision: int  #: of the incident, whose diagnosis it was
    at: datetime
    by: str
    verdict: Judgement
    root_cause: str | None  #: what it really was
    comment: str | None


def add(
    connection: Connection,
    incident_id: UUID,
    by: Actor,
    verdict: Judgement,
    root_cause: str | None = None,
    comment: str | None = None,
) -> Feedback | None:
    """Keep what somebody says of the present diagnosis; None when there is none."""
    for statement in _DIAGNOSED:
        judged = connection.execute(statement, {"wanted": incident_id}).first()
        if judged:
            break
    else:
        return None
    said = {"verdict": verdict.value, "root_cause": root_cause, "comment": comment}
    row = connection.execute(
        _ADD, {"incident_id": incident_id, "revision": judged.revision, "by": by.name, **said}
    ).one()
    told = {"feedback_id": row.feedback_id, "by": by.name, "revision": judged.revision, **said}
    tell(connection, incident_id, "feedback", told, archived=judged.is_archived)
    audit.note(connection, by, "feedback", str(incident_id), {"verdict": verdict.value})
    return _kept(row)


# held, so that it is neither archived nor diagnosed anew meanwhile
_DIAGNOSED = [
    select(table.c.revision, literal(is_archived).label("is_archived"))
    .where(
        table.c.incident_id == bindparam("wanted"),
        table.c.status == Status.COMPLETED.value,
    )
    .with_for_update()
    for table, is_archived in ((incidents, False), (incidents_archive, True))
]
_ADD = insert(feedback).values(at=database_now()).returning(*feedback.c)


def page(
    connection: Connection, incident_id: UUID, limit: int, after: int | None
) -> list[Feedback]:
    """Return up to `limit` of what was said of an incident, newest first, behind the id `after`."""
    query = (
        select(feedback)
        .where(feedback.c.incident_id == incident_id)
        .order_by(feedback.c.feedback_id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(feedback.c.feedback_id < after)
    return [_kept(row) for row in connection.execute(query)]


def _kept(row: Row[*tuple[Any, ...]]) -> Feedback:
    return Feedback(**{**row._asdict(), "verdict": Judgement(row.verdict)})


def forget(connection: Connection, incident_ids: Collection[UUID]) -> None:
    """Delete what was said of incidents that are deleted."""
    connection.execute(_FORGET, {"ids": list(incident_ids)})


_FORGET = delete(feedback).where(feedback.c.incident_id.in_(bindparam("ids", expanding=True)))
