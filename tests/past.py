"""Incidents of long ago, for what becomes of history."""

from datetime import UTC, datetime
from uuid import UUID

from factories import alert, group
from steps import completed, opened

from store import Store

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def alone(store: Store, name: str, **labels) -> UUID:
    """Store one firing alert in a group of its own; returns its incident."""
    return opened(store, alert(name, **labels), key=name)


def over(store: Store, name: str = "HighErrorRate", **labels) -> UUID:
    """Have an incident diagnosed, and resolved long ago."""
    chosen = {"starts_at": LONG_AGO, **labels}
    incident_id = alone(store, name, **chosen)
    completed(store, incident_id)
    store.create_incident(group(alert(name, resolved_after=60, **chosen), key=name))
    return incident_id
