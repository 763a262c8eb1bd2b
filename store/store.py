"""The store: one verb, one transaction. Callers see values, never sessions or rows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from opssage.errors import StoreUnavailableError
from opssage.incident import Alert, AlertGroup, Incident, Stage, Status
from opssage.knowledge import PastIncident
from opssage.settings import DatabaseSettings
from store import claims, engine, ingest, migrate, queries
from store.claims import Claim, Due
from store.ingest import Receipt
from store.queries import IncidentFilter, Position


@contextmanager
def _transaction(bound: Engine) -> Iterator[Connection]:
    try:
        with bound.begin() as connection:
            yield connection
    except (DBAPIError, PoolTimeoutError) as error:
        if not _may_pass(error):
            raise
        raise StoreUnavailableError(f"the database cannot answer: {_told(error)}") from error


_LIMIT_EXCEEDED = "54"  # SQLSTATE class: what was asked for is too much, now and later


def _may_pass(error: DBAPIError | PoolTimeoutError) -> bool:
    """Tell an outage from a refusal: what a database refuses once, it refuses again."""
    if isinstance(error, OperationalError):
        return not str(getattr(error.orig, "pgcode", "") or "").startswith(_LIMIT_EXCEEDED)
    if isinstance(error, DBAPIError):
        return isinstance(error, InterfaceError) or error.connection_invalidated
    return True


def _told(error: DBAPIError | PoolTimeoutError) -> str:
    """Return the first line of what the database says: the rest may quote our data."""
    text = str(getattr(error, "orig", None) or error).strip()
    return text.splitlines()[0] if text else type(error).__name__


class Store:
    """All that is remembered. Every verb raises StoreUnavailableError when it cannot commit."""

    def __init__(self, bound: Engine) -> None:
        """Take the engine; `connect` makes one from settings."""
        self._engine = bound
        self._writer = bound.execution_options(**{engine.BEGIN_OPTION: "IMMEDIATE"})
        is_postgresql = bound.dialect.name == "postgresql"
        # one statement is its own transaction there: two round trips less
        single = bound.execution_options(isolation_level="AUTOCOMMIT") if is_postgresql else None
        self._single_reader = single or bound
        self._single_writer = single or self._writer

    def _reading(self) -> AbstractContextManager[Connection]:
        """Connect for one statement that reads, or several that need not agree."""
        return _transaction(self._single_reader)

    def _writing(self) -> AbstractContextManager[Connection]:
        """Connect for statements that happen together or not at all."""
        return _transaction(self._writer)

    def _writing_once(self) -> AbstractContextManager[Connection]:
        """Connect for one statement that writes."""
        return _transaction(self._single_writer)

    # life of the database

    def migrate(self) -> None:
        """Create or upgrade the tables, once, however many processes call it together."""
        migrate.upgrade(self._engine)

    def ping(self) -> None:
        """Ask the database for a sign of life."""
        with self._reading() as connection:
            connection.execute(select(1))

    def is_at_head(self) -> bool:
        """Tell whether the schema is the one this code was written for."""
        with self._reading() as connection:
            return migrate.current(connection) == migrate.head()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    # ingest

    def create_incident(self, group: AlertGroup) -> Receipt:
        """Store a request's alerts: under the incident they belong to, or a new one."""
        with self._writing() as connection:
            return ingest.record(connection, group)

    # reading

    def get_incident(self, incident_id: UUID) -> Incident | None:
        """Return the incident with its documents, or None."""
        with self._reading() as connection:
            return queries.get(connection, incident_id)

    def get_version(self, incident_id: UUID) -> int | None:
        """Return the incident's version without reading its documents, or None."""
        with self._reading() as connection:
            return queries.get_version(connection, incident_id)

    def list_incidents(
        self,
        chosen: IncidentFilter | None = None,
        *,
        limit: int = 50,
        after: Position | None = None,
    ) -> list[Incident]:
        """Return incidents without documents, newest first, behind the position `after`."""
        with self._reading() as connection:
            return queries.page(connection, chosen or IncidentFilter(), limit, after)

    def list_alerts(self, incident_id: UUID) -> tuple[Alert, ...]:
        """Return all alerts of an incident, firing and resolved."""
        with self._reading() as connection:
            return queries.alerts_of(connection, incident_id)

    def list_past(self, incident: Incident, limit: int) -> list[PastIncident]:
        """Return the newest diagnosed incidents that share the alert name or the service."""
        with self._reading() as connection:
            return queries.past(
                connection,
                than=incident.incident_id,
                alert_name=incident.alert_name,
                service=incident.service,
                limit=limit,
            )

    # by hand

    def delete_incident(self, incident_id: UUID) -> bool:
        """Delete the incident and all its rows; a running stage then commits nothing."""
        with self._writing_once() as connection:
            return queries.remove(connection, incident_id)

    def restart_incident(self, incident_id: UUID) -> Incident | None:
        """Run a failed incident on, or a completed one anew; None when it does not rest."""
        with self._writing() as connection:
            return claims.restart(connection, incident_id)

    # the work

    def take_due(self, limit: int, resend_seconds: float) -> list[Due]:
        """Stamp and return incidents whose next message is due, most severe first."""
        with self._writing() as connection:
            return claims.take_due(connection, limit, resend_seconds)

    def start_revisions(self, limit: int) -> int:
        """Restart what alerts have joined since its diagnosis; returns how many there were."""
        with self._writing() as connection:
            return claims.start_revisions(connection, limit)

    def give_up_exhausted(self, max_attempts: int) -> int:
        """Fail what has killed its workers as often as allowed; returns how many there were."""
        with self._writing() as connection:
            return claims.give_up_exhausted(connection, max_attempts)

    def give_back(self, incident_ids: Sequence[UUID]) -> None:
        """Clear the stamp of incidents whose message could not be published."""
        with self._writing_once() as connection:
            claims.give_back(connection, list(incident_ids))

    def claim(
        self,
        incident_id: UUID,
        stage: Stage,
        *,
        owner: str,
        task_id: str,
        lease_seconds: float,
    ) -> Claim | None:
        """Take a stage of an incident, or return None when it is not there to be taken."""
        with self._writing_once() as connection:
            return claims.claim(
                connection,
                incident_id,
                stage,
                owner=owner,
                task_id=task_id,
                lease_seconds=lease_seconds,
            )

    def update_primary_context(
        self, incident_id: UUID, epoch: int, document: Mapping[str, Any]
    ) -> None:
        """Commit collect. Raises LostClaimError when the claim of `epoch` has passed on."""
        with self._writing() as connection:
            claims.commit(connection, incident_id, Stage.COLLECT, epoch, document, {})

    def update_enhanced_context(
        self, incident_id: UUID, epoch: int, document: Mapping[str, Any]
    ) -> None:
        """Commit enrich. Raises LostClaimError when the claim of `epoch` has passed on."""
        with self._writing() as connection:
            claims.commit(connection, incident_id, Stage.ENRICH, epoch, document, {})

    def update_diagnostic_report(
        self, incident_id: UUID, epoch: int, document: Mapping[str, Any]
    ) -> None:
        """Commit diagnose. Raises LostClaimError when the claim of `epoch` has passed on."""
        shown = {name: document[name] for name in ("root_cause", "confidence_score")}
        with self._writing() as connection:
            claims.commit(connection, incident_id, Stage.DIAGNOSE, epoch, document, shown)

    def update_status(
        self,
        incident_id: UUID,
        stage: Stage,
        epoch: int,
        error: Mapping[str, Any],
        *,
        give_up: bool,
    ) -> Status:
        """End a claim without a document: `failed` for good, or back to be tried later.

        Raises LostClaimError when the claim of `epoch` has passed on.
        """
        end = claims.fail if give_up else claims.postpone
        with self._writing() as connection:
            end(connection, incident_id, stage, epoch, error)
        return Status.FAILED if give_up else stage.expects


def connect(settings: DatabaseSettings, folder: Path) -> Store:
    """Return the store of these settings. Nothing is connected before the first verb."""
    return Store(engine.create(settings, folder))
