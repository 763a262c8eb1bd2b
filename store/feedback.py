"""What people say of a diagnosis. It outlives the incident's move to the archive."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, delete, insert, literal, select

from opssage.access import Actor
from opssage.incident import Status
from store import audit, precedents, priors
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
    namespace: str  #: of the incident, or empty
    component: str  #: where the diagnosis found the cause, or what the incident is about
    judged_cause: str  #: the cause that was judged, or empty
    cause: str | None  #: a name of the catalogue: what it really was


def add(
    connection: Connection,
    incident_id: UUID,
    by: Actor,
    verdict: Judgement,
    root_cause: str | None = None,
    comment: str | None = None,
    cause: str | None = None,
) -> Feedback | None:
    """Keep what somebody says of the present diagnosis; None when there is none.

    `cause` is what it really was, as the catalogue names it. Without it a `root_cause` means the
    hypothesis of the report that it names or words exactly.
    """
    for statement in _DIAGNOSED:
        judged = connection.execute(statement, {"wanted": incident_id}).first()
        if judged:
            break
    else:
        return None
    meant = cause or _meant(root_cause, judged.hypotheses or ())
    said = {
        "verdict": verdict.value,
        "root_cause": root_cause,
        "comment": comment,
        **({"cause": meant} if meant else {}),
    }
    about = {"incident_id": incident_id, "revision": judged.revision, **_judged(judged)}
    row = connection.execute(_ADD, {**about, "by": by.name, "cause": None, **said}).one()
    told = {"feedback_id": row.feedback_id, "by": by.name, "revision": judged.revision, **said}
    tell(connection, incident_id, "feedback", told, archived=judged.is_archived)
    precedents.renew(connection, incident_id)
    priors.move(connection)
    audit.note(connection, by, "feedback", str(incident_id), {"verdict": verdict.value})
    return _kept(row)


def _judged(row: Row[*tuple[Any, ...]]) -> dict[str, str]:
    """Return what was judged, in the names that causes are counted by."""
    component = row.component or (f"service/{row.service}" if row.service else "")
    return {
        "namespace": row.namespace or "",
        "component": component[:_NAME_CHARS],
        "judged_cause": (row.judged_cause or "")[:_CAUSE_CHARS],
    }


def _meant(told: str | None, hypotheses: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the cause of the hypothesis that somebody names or words, if there is one."""
    wanted = _plain(told or "")
    # the last of all causes, which the catalogue does not know, has no component
    for each in (one for one in hypotheses if one.get("component")):
        if wanted and wanted in {_plain(each.get("cause", "")), _plain(each.get("title", ""))}:
            return str(each["cause"])
    return None


def _plain(text: str) -> str:
    return text.strip().rstrip(".").casefold()


_NAME_CHARS = 512
_CAUSE_CHARS = 128
# held, so that it is neither archived nor diagnosed anew meanwhile
_DIAGNOSED = [
    select(
        table.c.revision,
        table.c.namespace,
        table.c.service,
        table.c.diagnostic_report["root_cause_component"].as_string().label("component"),
        table.c.diagnostic_report["cause"].as_string().label("judged_cause"),
        table.c.diagnostic_report["hypotheses"].label("hypotheses"),
        literal(is_archived).label("is_archived"),
    )
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
    if connection.execute(_FORGET, {"ids": list(incident_ids)}).rowcount:
        priors.move(connection)


_FORGET = delete(feedback).where(feedback.c.incident_id.in_(bindparam("ids", expanding=True)))
