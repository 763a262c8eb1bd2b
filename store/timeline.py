"""What happened to an incident, told in the transaction in which it happens."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert

from store.columns import database_now
from store.tables import incident_events

_INSERT = insert(incident_events).values(at=database_now())


def tell(connection: Connection, incident_id: UUID, kind: str, data: Mapping[str, Any]) -> None:
    """Add an event to an incident's timeline."""
    connection.execute(_INSERT, {"incident_id": incident_id, "kind": kind, "data": data})
