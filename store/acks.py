"""Somebody looks after an incident: said once, and taken back once."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, String, Update, bindparam, null, select, update

from opssage.access import Actor
from opssage.incident import Incident
from store import audit, rows
from store.columns import database_now
from store.tables import incidents
from store.timeline import tell


def acknowledge(
    connection: Connection, incident_id: UUID, by: Actor, note: str | None
) -> Incident | None:
    """Write down who looks after an incident; None when there is none that is not archived.

    Who says so first stays: that somebody says it again changes nothing.
    """
    told = {"by": by.name, "note": note} if note else {"by": by.name}
    return _change(connection, incident_id, by, "ack", told)


def take_back(connection: Connection, incident_id: UUID, by: Actor) -> Incident | None:
    """Forget who looks after an incident; None when there is none that is not archived."""
    return _change(connection, incident_id, by, "unack", {"by": by.name})


def _change(
    connection: Connection, incident_id: UUID, by: Actor, action: str, told: dict[str, Any]
) -> Incident | None:
    who = {"wanted": incident_id}
    changed = connection.execute(_CHANGES[action], {**who, "by": by.name}).first()
    if changed is None:
        unchanged = connection.execute(_AS_IT_IS, who).first()
        return rows.incident(unchanged) if unchanged else None
    tell(connection, incident_id, f"{action}ed", told)
    audit.note(connection, by, action, str(incident_id), told)
    return rows.incident(changed)


_is_wanted = incidents.c.incident_id == bindparam("wanted")


def _update(condition: Any, **values: Any) -> Update:
    changed = {"version": incidents.c.version + 1, "updated_at": database_now(), **values}
    return update(incidents).where(_is_wanted, condition).values(changed).returning(*rows.SUMMARY)


_CHANGES = {
    "ack": _update(
        incidents.c.acked_at.is_(None),
        acked_at=database_now(),
        acked_by=bindparam("by", type_=String),
    ),
    "unack": _update(incidents.c.acked_at.is_not(None), acked_at=null(), acked_by=null()),
}
_AS_IT_IS = select(*rows.SUMMARY).where(_is_wanted)
