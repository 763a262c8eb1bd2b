"""What collect was told, kept for as long as its answer may be asked for again.

An incident has that of the answer it shows, and while a revision runs, that of the one before.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, LargeBinary, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from store.columns import database_now
from store.tables import incident_recordings, incidents

NOT_KEPT = b""
"""Stands in for a recording that could not be kept."""


def keep(connection: Connection, incident_id: UUID, content: bytes) -> None:
    """Keep the recording of the incident's present revision, and forget those nobody can need.

    A stage may run twice: the last recording counts.
    """
    told = {"of": incident_id, "content": content}
    connection.execute(_KEEP[connection.dialect.name], told)
    connection.execute(_FORGET, {"of": incident_id})


def _keep(insert_into: Any) -> Any:
    own = select(
        incidents.c.incident_id,
        incidents.c.revision,
        database_now(),
        bindparam("content", type_=LargeBinary),
    ).where(incidents.c.incident_id == bindparam("of"))
    names = [column.name for column in incident_recordings.columns]
    statement = insert_into(incident_recordings).from_select(names, own)
    changed = {name: statement.excluded[name] for name in ("recorded_at", "content")}
    return statement.on_conflict_do_update(
        index_elements=incident_recordings.primary_key.columns, set_=changed
    )


# both databases spell ON CONFLICT alike, but the two inserts have no common type
_KEEP = {"postgresql": _keep(postgresql.insert), "sqlite": _keep(sqlite.insert)}
_mine = incident_recordings.c.incident_id == bindparam("of")
_present = (
    select(incidents.c.revision).where(incidents.c.incident_id == bindparam("of")).scalar_subquery()
)
_FORGET = delete(incident_recordings).where(_mine, incident_recordings.c.revision < _present - 1)


def take_back(connection: Connection, incident_id: UUID, revision: int, before: int) -> None:
    """Give the recording of the answer `before` to the revision that has failed after it."""
    connection.execute(_DROP, {"of": incident_id, "which": revision})
    connection.execute(_MOVE, {"of": incident_id, "which": before, "to": revision})


_which = incident_recordings.c.revision == bindparam("which")
_DROP = delete(incident_recordings).where(_mine, _which)
_MOVE = update(incident_recordings).where(_mine, _which).values(revision=bindparam("to"))


def get(connection: Connection, incident_id: UUID, revision: int) -> bytes | None:
    """Return the recording of a revision; `NOT_KEPT` in its place, None when there is none."""
    return connection.scalar(_GET, {"of": incident_id, "which": revision})


_GET = select(incident_recordings.c.content).where(_mine, _which)
