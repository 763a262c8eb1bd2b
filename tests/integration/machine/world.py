"""The database under the machine: what is in it, and time that passes when told to."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update
from steps import empty, let_pass, without_disk

from opssage.settings import DatabaseSettings, IgnoredAlerts, IngestSettings
from store import Rules, Store, engine, tables
from store.columns import database_now

AlertKey = tuple[str, str, datetime]
"""Sender, fingerprint and start."""

RULES = Rules(ingest=IngestSettings(backlog_max=3, flap_max=2), notify=("team",))
_PROMISED = (
    tables.incidents,
    tables.incidents_archive,
    tables.alerts,
    tables.alerts_archive,
    tables.incident_events,
    tables.incident_events_archive,
    tables.effects,
    tables.incident_links,
)
_DATED = {
    tables.incidents: ("created_at", "closed_at"),
    tables.alerts: ("last_seen_at", "stale_at", "closed_at"),
}


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Every row that a promise speaks of."""

    incidents: Mapping[UUID, Row[Any]]
    archive: Mapping[UUID, Row[Any]]
    alerts: Mapping[AlertKey, Row[Any]]
    archived_alerts: Mapping[AlertKey, Row[Any]]
    events: Counter[tuple[UUID, str]]  #: archived ones too
    effects: Counter[tuple[UUID, int, str, str]]
    links: set[tuple[UUID, UUID]]  #: of archived ones too
    looked_at: datetime = field(compare=False)

    @property
    def owners(self) -> set[UUID]:
        """The incidents that any row belongs to."""
        rows = [*self.alerts.values(), *self.archived_alerts.values()]
        return (
            {row.incident_id for row in rows if row.incident_id}
            | {key[0] for key in (*self.events, *self.effects)}
            | {end for ends in self.links for end in ends}
        )

    def find_incident(self, incident_id: UUID) -> Row[Any]:
        """Return an incident's row, archived or not."""
        return self.incidents.get(incident_id) or self.archive[incident_id]

    def find_alert(self, key: AlertKey) -> Row[Any] | None:
        """Return an alert's row, archived or not."""
        return self.alerts.get(key) or self.archived_alerts.get(key)

    def deliveries(self, key: AlertKey) -> int:
        """Return how often an alert came, archived deliveries too."""
        rows = (self.alerts.get(key), self.archived_alerts.get(key))
        return sum(row.deliveries for row in rows if row)


class World:
    """A store, and what only a test may do to its rows."""

    def __init__(self, settings: DatabaseSettings) -> None:
        """Take a migrated database; `clear` makes it another world."""
        self._engine = engine.create(settings, Path())
        without_disk(self._engine)
        self._markers = count()
        self.store = Store(self._engine, RULES)

    def clear(self) -> None:
        """Begin anew, with a broker that holds nothing and no alert that is ignored."""
        self.ignore(())
        with self._engine.begin() as connection:
            empty(connection)
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

    def let_all_pass(self, seconds: float) -> None:
        """Move everything that tells how old an episode is so far into the past."""
        with self._engine.begin() as connection:
            let_pass(connection, seconds, _DATED)

    def ignore(self, names: Collection[str]) -> None:
        """Have alerts with these names open no incident from now on."""
        ignored = (IgnoredAlerts(labels=(("alertname", "|".join(names)),)),) if names else ()
        rules = replace(RULES, ingest=replace(RULES.ingest, ignore=ignored))
        self.store = Store(self._engine, rules)

    def look(self) -> Snapshot:
        """Read what promises speak of."""
        with self._engine.connect() as connection:
            rows = {table.name: connection.execute(select(table)).all() for table in _PROMISED}
            looked_at = connection.scalar(select(database_now()))
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
            links={(row.lower_id, row.higher_id) for row in rows["incident_links"]},
            looked_at=looked_at,
        )


def _key(row: Row[Any]) -> AlertKey:
    return row.sender, row.fingerprint, row.starts_at
