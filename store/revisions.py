"""An incident diagnosed anew: because alerts joined it, or because somebody asked.

While a revision runs, the report before it stays readable; when it fails, that report is the
incident's again.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Integer, Row, bindparam, select, update

from opssage.incident import Incident, Stage, Status
from store import recordings, rows
from store.columns import database_now
from store.tables import RUNNING, incident_events, incidents
from store.timeline import tell

_DOCUMENTS = tuple(stage.document for stage in Stage)
_ANSWER = (*_DOCUMENTS, "root_cause", "confidence_score")
"""What a revision replaces."""

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


def start_due(connection: Connection, limit: int) -> int:
    """Restart the incidents that alerts have joined since their diagnosis; returns how many."""
    ids = connection.scalars(_FIND_DUE_AGAIN, {"most": limit}).all()
    return sum(restart(connection, incident_id) is not None for incident_id in ids)


def restart(connection: Connection, incident_id: UUID) -> Incident | None:
    """Run a failed incident on from where it stopped, or a completed one anew.

    Returns None when there is no such incident or it is still running. A completed incident's
    answer moves to its timeline.
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
    missing = next((s for s in Stage if getattr(before, s.document) is None), Stage.COLLECT)
    told = {name: getattr(before, name) for name in ("revision", *_ANSWER)} if anew else {}
    tell(connection, incident_id, "restarted", told or {"stage": missing.value})
    cleared = dict.fromkeys(_ANSWER) if anew else {}
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


def take_back(connection: Connection, incident_id: UUID, error: Mapping[str, Any]) -> bool:
    """Give a failed incident the answer it had before this revision; False when it had none.

    The alerts that caused the revision stay; `last_error` and the timeline say what happened.
    """
    before = _before(connection, incident_id)
    if before is None:
        return False
    connection.execute(
        update(incidents)
        .where(incidents.c.incident_id == incident_id)
        .values(
            status=Status.COMPLETED.value,
            last_error=error,
            **{name: before.data.get(name) for name in _ANSWER},
        )
    )
    recordings.take_back(connection, incident_id, before.revision, before.data["revision"])
    tell(connection, incident_id, "revision_failed", {"revision": before.revision, "error": error})
    return True


def previous(connection: Connection, incident_id: UUID) -> dict[str, Any] | None:
    """Return what the revision before the running one answered, or None."""
    before = _before(connection, incident_id)
    if before is None:
        return None
    shown = ("revision", "root_cause", "confidence_score", "diagnostic_report")
    return {name: before.data.get(name) for name in shown}


def _before(connection: Connection, incident_id: UUID) -> Row[Any, Any] | None:
    """Return the newest answer that was moved to the timeline, if a revision followed it."""
    return connection.execute(_BEFORE, {"wanted": incident_id}).first()


_BEFORE = (
    select(incident_events.c.data, incidents.c.revision)
    .join_from(incident_events, incidents)
    .where(
        incident_events.c.incident_id == bindparam("wanted"),
        incident_events.c.kind == "restarted",
        incident_events.c.data["revision"].as_integer() == incidents.c.revision - 1,
    )
    .order_by(incident_events.c.event_id.desc())
    .limit(1)
)
