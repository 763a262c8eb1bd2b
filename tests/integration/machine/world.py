"""The database under the machine: what is in it, and time that passes when told to."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, event, select, update

from opssage.settings import DatabaseSettings, IngestSettings
from store import Rules, Store, engine, tables
from store.columns import database_now

AlertKey = tuple[str, str, datetime]
"""Sender, fingerprint and start."""

RULES = Rules(ingest=IngestSettings(backlog_max=3), notify=("team",))
_HASTE = {"sqlite": "PRAGMA synchronous=OFF", "postgresql": "SET synchronous_commit=off"}


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Every row that a promise speaks of."""

    incidents: Mapping[UUID, Row[Any]]
    archive: Mapping[UUID, Row[Any]]
    alerts: Mapping[AlertKey, Row[Any]]
    archived_alerts: Mapping[AlertKey, Row[Any]]
    events: Counter[tuple[UUID, str]]  #: archived ones too
    effects: Counter[tuple[UUID, int, str, str]]

    @property
    def owners(self) -> set[UUID]:
        """The incidents that any row belongs to."""
        rows = [*self.alerts.values(), *self.archived_alerts.values()]
        return {row.incident_id for row in rows if row.incident_id} | {
            key[0] for key in (*self.events, *self.effects)
        }

    def find_incident(self, incident_id: UUID) -> Row[Any]:
        """Return an incident's row, archived or not."""
        return self.incidents.get(incident_id) or self.archive[incident_id]

    def find_alert(self, key: AlertKey) -> Row[Any] | None:
        """Return an alert's row, archived or not."""
        return self.alerts.get(key) or self.archived_alerts.get(key)


class World:
    """A store, and what only a test may do to its rows."""

    def __init__(self, settings: DatabaseSettings) -> None:
        """Take a migrated database; `clear` makes it another world."""
        self._engine = engine.create(settings, Path())
        event.listen(self._engine, "connect", self._hurry)
        self._markers = count()
        self.store = Store(self._engine, RULES)

    def _hurry(self, connection: Any, _record: object) -> None:
        """Do without the disk: no machine is switched off in these tests."""
        cursor = connection.cursor()
        cursor.execute(_HASTE[self._engine.dialect.name])
        cursor.close()

    def clear(self) -> None:
        """Begin anew, with a broker that holds nothing."""
        with self._engine.begin() as connection:
            for table in reversed(tables.metadata.sorted_tables):
                if table is not tables.broker_epoch:
                    connection.execute(delete(table))
        self.lose_broker()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def lose_broker(self) -> int | None:
        """Have a dispatcher find a marker that nobody knows."""
        return self.store.renew_broker(f"marker {next(self._markers)}")

    def let_pass(self, column: str, seconds: float, incident_id: UUID | None = None) -> None:
        """Move a time of one incident, or of all, so far into the past."""
        moved = tables.incidents.c[column]
        statement = update(tables.incidents).where(moved.is_not(None))
        if incident_id is not None:
            statement = statement.where(tables.incidents.c.incident_id == incident_id)
        with self._engine.begin() as connection:
            connection.execute(statement.values({column: database_now(-seconds)}))

    def look(self) -> Snapshot:
        """Read everything."""
        with self._engine.connect() as connection:
            rows = {
                table.name: connection.execute(select(table)).all()
                for table in tables.metadata.sorted_tables
            }
        return Snapshot(
            incidents={row.incident_id: row for row in rows["incidents"]},
            archive={row.incident_id: row for row in rows["incidents_archive"]},
            alerts={_key(row): row for row in rows["alerts"]},
            archived_alerts={_key(row): row for row in rows["alerts_archive"]},
            events=Counter(
                (row.incident_id, row.kind)
                for row in (*rows["incident_events"], *rows["incident_events_archive"])
            ),
            effects=Counter(
                (row.incident_id, row.revision, row.event, row.target) for row in rows["effects"]
            ),
        )


def _key(row: Row[Any]) -> AlertKey:
    return row.sender, row.fingerprint, row.starts_at
