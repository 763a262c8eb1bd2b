"""The store: one verb, one transaction. Callers see values, never sessions or rows."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from opssage.access import Actor, Scope
from opssage.changes import ReportedChange
from opssage.diagnosis import Impression
from opssage.errors import StoreUnavailableError
from opssage.incident import Alert, AlertGroup, Incident, Reject, Stage, Status
from opssage.knowledge import KnowledgeDocument, PastIncident
from opssage.linking import Footprint, Linking, Vicinity
from opssage.notification import Outcome
from opssage.priors import Priors
from opssage.settings import DatabaseSettings
from opssage.wire import to_json
from store import (
    acks,
    alert_lists,
    archive,
    assurance,
    audit,
    changes,
    claims,
    dispatching,
    documents,
    effects,
    endings,
    engine,
    expiry,
    facets,
    feedback,
    ingest,
    links,
    listing,
    migrate,
    precedents,
    priors,
    queries,
    recordings,
    rejects,
    revisions,
    search,
    timeline,
    tokens,
    watchdogs,
)
from store.alert_lists import AlertKey, KeptAlert, StrayFilter, StrayPosition
from store.assurance import Assurances
from store.audit import AuditEntry, AuditFilter
from store.changes import ChangeFilter, ChangePosition
from store.claims import Claim
from store.dispatching import Backlog, Due
from store.documents import (
    DocumentFilter,
    DocumentOutcome,
    DocumentPosition,
    NewDocument,
)
from store.effects import Effect
from store.facets import Count, Facets
from store.feedback import Feedback, Judgement
from store.ingest import Receipt
from store.links import LinkedIncident
from store.listing import IncidentFilter, Position, Question, Sort
from store.rejects import KeptReject, RejectFilter
from store.rules import Rules
from store.timeline import Event, EventPosition
from store.tokens import KeptToken, NewToken
from store.waiting import within

P = ParamSpec("P")
T = TypeVar("T")
Verb = Callable[Concatenate[Connection, P], T]

_TRIES = 3
"""For transactions that the database sends back because they met each other."""


class _ConflictError(StoreUnavailableError):
    """Two transactions met, and this one was sent back; it may come again at once."""


@contextmanager
def _transaction(bound: Engine) -> Iterator[Connection]:
    try:
        with bound.begin() as connection:
            yield connection
    except (DBAPIError, PoolTimeoutError) as error:
        if not _may_pass(error):
            raise
        kind = _ConflictError if _code(error) in _CONFLICTS else StoreUnavailableError
        raise kind(f"the database cannot answer: {_told(error)}") from error


_CONFLICTS = {"40P01", "40001"}  # SQLSTATE: deadlock detected, serialization failure
_LIMIT_EXCEEDED = "54"  # SQLSTATE class: what was asked for is too much, now and later


def _code(error: Exception) -> str:
    return str(getattr(getattr(error, "orig", None), "pgcode", "") or "")


def _may_pass(error: DBAPIError | PoolTimeoutError) -> bool:
    """Tell an outage from a refusal: what a database refuses once, it refuses again."""
    if isinstance(error, OperationalError):
        return not _code(error).startswith(_LIMIT_EXCEEDED)
    if isinstance(error, DBAPIError):
        return isinstance(error, InterfaceError) or error.connection_invalidated
    return True


def _told(error: DBAPIError | PoolTimeoutError) -> str:
    """Return the first line of what the database says: the rest may quote our data."""
    text = str(getattr(error, "orig", None) or error).strip()
    return text.splitlines()[0] if text else type(error).__name__


class Store:
    """All that is remembered. Every verb raises StoreUnavailableError when it cannot commit."""

    def __init__(
        self,
        bound: Engine,
        rules: Rules = Rules(),  # noqa: B008 - it is frozen
        seconds: float = math.inf,
    ) -> None:
        """Take the engine, and how long a verb may take; `connect` makes one from settings."""
        self._rules = rules
        self._seconds = seconds
        self._engine = bound
        self._writer = bound.execution_options(**{engine.BEGIN_OPTION: "IMMEDIATE"})
        is_postgresql = bound.dialect.name == "postgresql"
        # one statement is its own transaction there: two round trips less
        single = bound.execution_options(isolation_level="AUTOCOMMIT") if is_postgresql else None
        self._single_reader = single or bound
        self._single_writer = single or self._writer

    def _read(self, verb: Verb[P, T], *told: P.args, **named: P.kwargs) -> T:
        """Do what reads: one statement, or several that need not agree."""
        with within(self._seconds), _transaction(self._single_reader) as connection:
            return verb(connection, *told, **named)

    def _read_together(self, verb: Verb[P, T], *told: P.args, **named: P.kwargs) -> T:
        """Do several statements that read in one transaction."""
        with within(self._seconds), _transaction(self._engine) as connection:
            return verb(connection, *told, **named)

    def _write(self, verb: Verb[P, T], *told: P.args, **named: P.kwargs) -> T:
        """Do statements that happen together or not at all."""
        return self._written(self._writer, verb, *told, **named)

    def _write_once(self, verb: Verb[P, T], *told: P.args, **named: P.kwargs) -> T:
        """Do one statement that writes."""
        return self._written(self._single_writer, verb, *told, **named)

    def _written(self, bound: Engine, verb: Verb[P, T], *told: P.args, **named: P.kwargs) -> T:
        with within(self._seconds) as deadline:
            for _ in range(_TRIES - 1):
                try:
                    with _transaction(bound) as connection:
                        return verb(connection, *told, **named)
                except _ConflictError:
                    # what is cut short costs its connection: begin nothing that has no time
                    if deadline - monotonic() < engine.ANSWER_SECONDS:
                        raise
            with _transaction(bound) as connection:
                return verb(connection, *told, **named)

    # life of the database

    def migrate(self) -> None:
        """Create or upgrade the tables, once, however many processes call it together."""
        migrate.upgrade(self._engine)

    def ping(self) -> None:
        """Ask the database for a sign of life."""
        self._read(Connection.execute, select(1))

    def is_at_head(self) -> bool:
        """Tell whether the schema is the one this code was written for."""
        return self._read(migrate.current) == migrate.head()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    # what the promise rests on

    def assurances(self) -> Assurances:
        """Return the settings of the database that the safety of a commit rests on."""
        return self._read(assurance.assurances)

    # ingest

    def create_incident(self, *groups: AlertGroup) -> Receipt:
        """Store a request's alerts: under the incidents they belong to, or new ones.

        All groups are of one sender.
        """
        return self._write(ingest.record, groups, self._rules)

    # reading

    def get_incident(self, incident_id: UUID) -> Incident | None:
        """Return the incident with its documents, archived or not, or None."""
        return self._read(queries.get, incident_id)

    def get_version(self, incident_id: UUID) -> int | None:
        """Return the incident's version without reading its documents, or None."""
        return self._read(queries.get_version, incident_id)

    def list_incidents(
        self,
        chosen: IncidentFilter | None = None,
        *,
        sort: Sort = Sort.NEWEST,
        limit: int = 50,
        after: Position | None = None,
        archived: bool = False,
    ) -> list[Incident]:
        """Return incidents without documents, behind the position `after` in that order.

        Those that are not archived, or only those that are.
        """
        chosen = chosen or IncidentFilter()
        question = Question.of(chosen, sort=sort, after=after, archived=archived)
        return self._read(listing.page, question, limit)

    def search_incidents(
        self,
        words: Sequence[str],
        chosen: IncidentFilter | None = None,
        *,
        sort: Sort = Sort.NEWEST,
        limit: int = 50,
        after: Position | None = None,
        archived: bool = False,
    ) -> tuple[list[Incident], Position | None]:
        """Return those in which a word begins with each of `words`, and where to go on, if at all.

        `words_in` makes words of what people type. A page may be short, even empty, and yet lead
        on: so many incidents at most are looked through at a time.
        """
        chosen = chosen or IncidentFilter()
        question = Question.of(chosen, sort=sort, after=after, archived=archived)
        return self._read_together(search.page, question, words, limit)

    def count_facets(
        self,
        chosen: IncidentFilter | None = None,
        words: Sequence[str] | None = None,
        *,
        archived: bool = False,
    ) -> Facets:
        """Count the newest thousand incidents chosen, by what people choose them by.

        With `words`, of those that they find.
        """
        chosen = chosen or IncidentFilter()
        if words is None:
            return self._read(facets.count, chosen, None, archived=archived)
        return self._read_together(facets.count, chosen, words, archived=archived)

    def list_alerts(self, incident_id: UUID) -> tuple[Alert, ...]:
        """Return all alerts of an incident, firing and resolved."""
        return self._read(queries.alerts_of, incident_id)

    def page_alerts(
        self,
        incident_id: UUID,
        *,
        status: Sequence[str] = (),
        limit: int = 50,
        after: AlertKey | None = None,
    ) -> list[KeptAlert]:
        """Return alerts of an incident with what became of each, behind the one with this key."""
        return self._read(alert_lists.of_incident, incident_id, status, limit, after)

    def list_strays(
        self,
        chosen: StrayFilter | None = None,
        *,
        limit: int = 50,
        after: StrayPosition | None = None,
    ) -> list[KeptAlert]:
        """Return alerts that belong to no incident, newest first, behind the position `after`."""
        return self._read(alert_lists.strays, chosen or StrayFilter(), limit, after)

    def count_strays(self, chosen: StrayFilter | None = None) -> tuple[Sequence[Count], bool]:
        """Count the newest thousand of them by disposition; returns whether there are more."""
        return self._read(alert_lists.count_strays, chosen or StrayFilter())

    def list_events(
        self, incident_id: UUID, *, limit: int = 50, after: EventPosition | None = None
    ) -> list[Event]:
        """Return what happened to an incident, oldest first, behind the position `after`."""
        return self._read(timeline.page, incident_id, limit, after)

    def list_feedback(
        self, incident_id: UUID, *, limit: int = 50, after: int | None = None
    ) -> list[Feedback]:
        """Return what people said of an incident's diagnoses, newest first, behind that id."""
        return self._read(feedback.page, incident_id, limit, after)

    def get_recording(self, incident_id: UUID, revision: int) -> bytes | None:
        """Return what collect was told in a revision, or NOT_KEPT; None when it was not kept."""
        return self._read(recordings.get, incident_id, revision)

    def list_past(
        self, incident: Incident, impression: Impression, limit: int
    ) -> list[PastIncident]:
        """Return incidents whose cause is known, of the same alert or kind, archived or not.

        The newest `limit` of each kind that they may share, in order of id; those that people
        judged before all others. What belongs to the same trouble is left out.
        """
        return self._read_together(
            precedents.past,
            than=incident.incident_id,
            alert_name=incident.alert_name,
            service=incident.service,
            impression=impression,
            limit=limit,
        )

    def list_links(self, incident_id: UUID, *, limit: int = 200) -> list[LinkedIncident]:
        """Return the incidents that one is linked with, the newest link first."""
        return self._read_together(links.linked_with, incident_id, limit)

    def vicinity(self, incident_id: UUID, since: datetime, until: datetime) -> Vicinity:
        """Return the open incidents that were opened in that time, and all links of these."""
        return self._read_together(links.vicinity, incident_id, since, until)

    def priors(self, namespace: str | None) -> Priors:
        """Return how often people confirmed and rejected causes in a namespace."""
        return self._read_together(priors.of_namespace, namespace)

    def list_priors(self, limit: int) -> Priors:
        """Return the same of all namespaces, by the newest `limit` judgements."""
        return self._read_together(priors.of_all, limit)

    def list_topologies(self, limit: int) -> list[Mapping[str, Sequence[str]]]:
        """Return who calls whom by what was found for the newest incidents, caller → called."""
        return self._read(queries.topologies, limit)

    # rejects

    def keep_unreadable(self, reject: Reject, sender: str) -> None:
        """Keep what could be read of a body that is no request; the same one is counted."""
        self._write(rejects.write_unreadable, reject, sender)

    def get_reject(self, reject_id: int) -> KeptReject | None:
        """Return an alert that could not be taken, or None."""
        return self._read(rejects.get, reject_id)

    def list_rejects(
        self, chosen: RejectFilter | None = None, *, limit: int = 50, after: int | None = None
    ) -> list[KeptReject]:
        """Return rejects, newest first, behind the one with the id `after`."""
        return self._read(rejects.page, chosen or RejectFilter(), limit, after)

    def take_reject(
        self, reject_id: int, group: AlertGroup, by: Actor | None = None
    ) -> Receipt | None:
        """Store the corrected alerts of a reject and mark it as taken, together.

        None when it was taken or removed before.
        """
        verb = audit.noted(ingest.record_reject, by, "reject.ingest", reject_id, _is_stored)
        return self._write(verb, reject_id, group, self._rules)

    def delete_reject(self, reject_id: int, by: Actor | None = None) -> bool:
        """Delete a reject; False when there was none."""
        verb = audit.noted(rejects.remove, by, "reject.delete", reject_id)
        return self._write(verb, reject_id)

    # changes

    def add_change(
        self, change: ReportedChange, *, dated: bool = True
    ) -> tuple[ReportedChange, bool]:
        """Keep a change; returns it as it is kept, and False when it was known already.

        One that is not `dated` has the present as its time, for want of a better one.
        """
        return self._write(changes.add, change, dated=dated)

    def list_changes(
        self,
        chosen: ChangeFilter | None = None,
        *,
        limit: int = 50,
        after: ChangePosition | None = None,
    ) -> list[ReportedChange]:
        """Return reported changes, newest first, behind the position `after`."""
        return self._read(changes.page, chosen or ChangeFilter(), limit, after)

    # knowledge

    def put_document(self, new: NewDocument, by: Actor, *, most_bytes: int) -> DocumentOutcome:
        """Keep a document under its name; what was kept under it is replaced.

        The same content again changes nothing. `most_bytes` bounds the texts of all documents.
        """
        return self._write(documents.put, new, by, most_bytes)

    def replace_document(
        self,
        document_id: UUID,
        new: NewDocument,
        by: Actor,
        *,
        most_bytes: int,
        version: int | None = None,
    ) -> DocumentOutcome:
        """Put other content into a document, which keeps its name.

        With `version` only while that is the document's.
        """
        return self._write(documents.replace, document_id, new, by, most_bytes, version)

    def delete_document(self, document_id: UUID, by: Actor) -> bool:
        """Delete a document; False when there was none."""
        return self._write(documents.remove, document_id, by)

    def get_document(self, document_id: UUID) -> KnowledgeDocument | None:
        """Return a document with its text, or None."""
        return self._read(documents.get, document_id)

    def list_documents(
        self,
        chosen: DocumentFilter | None = None,
        *,
        limit: int = 50,
        after: DocumentPosition | None = None,
    ) -> list[KnowledgeDocument]:
        """Return documents without their text, last changed first, behind the position `after`."""
        return self._read(documents.page, chosen or DocumentFilter(), limit, after)

    def knowledge_version(self) -> int:
        """Return a number that is another one after every change of a document."""
        return self._read(documents.version)

    def knowledge_documents(self) -> tuple[KnowledgeDocument, ...]:
        """Return all documents with their text, in order of name."""
        return self._read(documents.every)

    # by hand

    def delete_incident(self, incident_id: UUID, by: Actor | None = None) -> bool:
        """Delete the incident and all its rows; a running stage then commits nothing."""
        return self._write(audit.noted(queries.remove, by, "delete", incident_id), incident_id)

    def restart_incident(self, incident_id: UUID, by: Actor | None = None) -> Incident | None:
        """Run a failed incident on, or a completed one anew; None when it does not rest."""
        return self._write(audit.noted(revisions.restart, by, "retry", incident_id), incident_id)

    def acknowledge(self, incident_id: UUID, by: Actor, note: str | None = None) -> Incident | None:
        """Write down who looks after an incident; None when there is none that is not archived.

        Who said so first stays.
        """
        return self._write(acks.acknowledge, incident_id, by, note)

    def unacknowledge(self, incident_id: UUID, by: Actor) -> Incident | None:
        """Forget who looks after an incident; None when there is none that is not archived."""
        return self._write(acks.take_back, incident_id, by)

    def add_feedback(
        self,
        incident_id: UUID,
        by: Actor,
        verdict: Judgement,
        *,
        root_cause: str | None = None,
        comment: str | None = None,
        cause: str | None = None,
    ) -> Feedback | None:
        """Keep what somebody says of the present diagnosis; None when there is none.

        `root_cause` and `cause`, a name of the catalogue, are what it really was.
        """
        return self._write(feedback.add, incident_id, by, verdict, root_cause, comment, cause)

    # who

    def create_token(
        self,
        name: str,
        scopes: Iterable[Scope],
        *,
        by: Actor,
        expires_seconds: float | None = None,
    ) -> NewToken:
        """Make a token; its text is told this once. Several may have one name, to change over."""
        return self._write(tokens.create, name, tuple(scopes), by, expires_seconds)

    def create_first_tokens(self, by: Actor) -> tuple[NewToken, ...]:
        """Make a token `admin` and an ingest token `alertmanager`; none where there was any."""
        return self._write(tokens.create_first, by)

    def list_tokens(self) -> list[KeptToken]:
        """Return the newest thousand tokens, revoked and expired ones too."""
        return self._read(tokens.every)

    def find_token(self, token_id: str) -> KeptToken | None:
        """Return the token or session with this id, whatever its state, or None."""
        return self._read(tokens.find, token_id)

    def revoke_token(self, token_id: str, by: Actor) -> bool:
        """End a token and the sessions it opened; False when none with this id is in force."""
        return self._write(tokens.revoke, token_id, by)

    def touch_token(self, token_id: str) -> None:
        """Note that a token is in use; once a minute at most, and on SQLite only if none writes."""
        at_once = self._single_writer.execution_options(**{engine.AT_ONCE_OPTION: True})
        self._written(at_once, tokens.touch, token_id)

    def open_session(
        self,
        name: str,
        scopes: Iterable[Scope],
        *,
        by: Actor,
        expires_seconds: float,
        parent_id: str,
    ) -> NewToken:
        """Make a session for whoever holds the token `parent_id`."""
        told = (name, tuple(scopes), by, expires_seconds, parent_id)
        return self._write(tokens.open_session, *told)

    def end_session(self, token_id: str) -> None:
        """End a session."""
        self._write_once(tokens.end_session, token_id)

    def list_audit(
        self, chosen: AuditFilter | None = None, *, limit: int = 50, after: int | None = None
    ) -> list[AuditEntry]:
        """Return what people did, newest first, behind the entry with the id `after`."""
        return self._read(audit.page, chosen or AuditFilter(), limit, after)

    # history

    def archive_incidents(self, age_seconds: float, limit: int) -> int:
        """Move up to `limit` incidents that have been over for so long; returns how many.

        Oldest first. 0 says that none is left, or only ones that somebody is busy with.
        """
        return self._write(archive.move, age_seconds, limit)

    def count_archivable(self, age_seconds: float) -> int:
        """Return how many incidents have been over for so long and are not archived."""
        return self._read(archive.count_over, age_seconds)

    def prune_archive(self, age_seconds: float, limit: int) -> int:
        """Delete up to `limit` archived incidents of that age for good; returns how many."""
        return self._write(archive.forget, age_seconds, limit)

    def count_prunable(self, age_seconds: float) -> int:
        """Return how many archived incidents opened and ended so long ago."""
        return self._read(archive.count_forgettable, age_seconds)

    def prune_strays(self, age_seconds: float, limit: int) -> int:
        """Delete up to `limit` alerts that belong to no incident and were last sent so long ago."""
        return self._write(archive.forget_strays, age_seconds, limit)

    def count_prunable_strays(self, age_seconds: float) -> int:
        """Return how many alerts belong to no incident and were last sent so long ago."""
        return self._read(archive.count_forgettable_strays, age_seconds)

    def prune_changes(self, age_seconds: float, limit: int) -> int:
        """Delete up to `limit` reported changes that happened so long ago; returns how many."""
        return self._write(changes.forget, age_seconds, limit)

    def count_prunable_changes(self, age_seconds: float) -> int:
        """Return how many reported changes happened so long ago."""
        return self._read(changes.count_forgettable, age_seconds)

    # the work

    def take_due(self, limit: int, resend_seconds: float) -> list[Due]:
        """Stamp and return incidents whose next message is due, most severe first."""
        return self._write(dispatching.take_due, limit, resend_seconds)

    def start_revisions(self, limit: int) -> int:
        """Restart what alerts have joined since its diagnosis; returns how many there were."""
        return self._write(revisions.start_due, limit)

    def end_stale_alerts(self, limit: int) -> int:
        """End firing alerts that have not been sent for too long; returns how many there were."""
        return self._write(expiry.end_stale, limit, self._rules)

    def check_watchdogs(self) -> int:
        """Open incidents for Watchdogs that have fallen silent; returns how many of them are."""
        if self._rules.ingest.watchdog_seconds is None:
            return 0
        return self._write(watchdogs.check, self._rules)

    def give_up_exhausted(self, max_attempts: int) -> int:
        """Fail what has killed its workers as often as allowed; returns how many there were."""
        return self._write(endings.give_up_exhausted, max_attempts, self._rules)

    def give_back(self, incident_ids: Sequence[UUID]) -> None:
        """Clear the stamp of incidents whose message could not be published."""
        self._write_once(dispatching.give_back, list(incident_ids))

    def claim(
        self,
        incident_id: UUID,
        stage: Stage,
        *,
        owner: str,
        task_id: str,
        lease_seconds: float,
        max_attempts: int,
        redelivered: bool = False,
        silent_seconds: float = 0,
    ) -> Claim | None:
        """Take a stage of an incident, or return None when it is not there to be taken.

        A `redelivered` message takes over the lease of its own task when that has been silent for
        so long.
        """
        return self._write_once(
            claims.claim,
            incident_id,
            stage,
            owner=owner,
            task_id=task_id,
            lease_seconds=lease_seconds,
            max_attempts=max_attempts,
            redelivered=redelivered,
            silent_seconds=silent_seconds,
        )

    def is_held(self, incident_id: UUID, task_id: str) -> bool:
        """Tell whether a stage of the incident is claimed under this task, and the lease runs."""
        return self._read(claims.is_held, incident_id, task_id)

    def extend_lease(self, incident_id: UUID, epoch: int, lease_seconds: float) -> bool:
        """Hold a lease for so long from now on; False when the claim has ended or passed on."""
        return self._write_once(claims.extend, incident_id, epoch, lease_seconds)

    def release(self, owner: str) -> int:
        """Give back, uncounted, what a worker holds while it ends; returns how many stages."""
        return self._write_once(endings.release, owner)

    def update_primary_context(
        self,
        incident_id: UUID,
        epoch: int,
        document: Mapping[str, Any],
        recording: bytes | None = None,
        footprint: Footprint | None = None,
    ) -> None:
        """Commit collect. Raises LostClaimError when the claim of `epoch` has passed on.

        `recording` is what it was told, or NOT_KEPT; `footprint` is what others find it by.
        """
        shown = {} if footprint is None else {"footprint": to_json(footprint)}
        self._commit(incident_id, Stage.COLLECT, epoch, document, shown, recording=recording)

    def update_enhanced_context(
        self,
        incident_id: UUID,
        epoch: int,
        document: Mapping[str, Any],
        linking: Linking | None = None,
    ) -> None:
        """Commit enrich. Raises LostClaimError when the claim of `epoch` has passed on.

        With it the links that are new; whom they concern is diagnosed again.
        """
        shown = {} if linking is None else {"links_seen": linking.seen}
        self._commit(incident_id, Stage.ENRICH, epoch, document, shown, linking=linking)

    def update_diagnostic_report(
        self, incident_id: UUID, epoch: int, document: Mapping[str, Any]
    ) -> None:
        """Commit diagnose. Raises LostClaimError when the claim of `epoch` has passed on."""
        shown = {name: document[name] for name in ("root_cause", "confidence_score")}
        self._commit(incident_id, Stage.DIAGNOSE, epoch, document, shown)

    def _commit(
        self,
        incident_id: UUID,
        stage: Stage,
        epoch: int,
        document: Mapping[str, Any],
        shown: Mapping[str, Any] = MappingProxyType({}),
        recording: bytes | None = None,
        linking: Linking | None = None,
    ) -> None:
        self._write(
            claims.commit,
            incident_id,
            stage,
            epoch,
            document,
            shown,
            self._rules,
            recording,
            linking,
        )

    def update_status(
        self,
        incident_id: UUID,
        stage: Stage,
        epoch: int,
        error: Mapping[str, Any],
        *,
        give_up: bool,
        counted: bool = True,
        alerts_seen: int | None = None,
    ) -> Status:
        """End a claim without a document: `failed` for good, or back to be tried later.

        An attempt that is not `counted` is given back. `alerts_seen` is the `alert_seq` of the
        claim: alerts that joined since have a failed incident run again. Raises LostClaimError
        when the claim of `epoch` has passed on.
        """
        told = (incident_id, stage, epoch, error)
        if give_up:
            self._write(endings.fail, *told, self._rules, alerts_seen=alerts_seen)
            return Status.FAILED
        self._write(endings.postpone, *told, counted=counted)
        return stage.expects

    # signs of life

    def renew_broker(self, marker: str) -> int | None:
        """Take note of the broker's marker; returns how many lost messages may be sent again.

        None when nothing was lost.
        """
        return self._write(dispatching.renew_broker, marker)

    def backlog(self) -> Backlog:
        """Return how much is unfinished, and for how long the oldest of it has been."""
        return self._read(dispatching.backlog)

    def beat(self, name: str) -> None:
        """Note a sign of life of a process or queue."""
        self._write_once(dispatching.beat, name)

    def beats(self) -> dict[str, float]:
        """Return the seconds since each sign of life."""
        return self._read(dispatching.beats)

    # notifications

    def effects_due(self) -> dict[str, float]:
        """Return the targets that have notifications due, with the age of the oldest in seconds."""
        return self._read(effects.due)

    def take_effects(self, target: str, limit: int, lease_seconds: float) -> list[Effect]:
        """Take notifications of a target; those without an end by then are due again."""
        return self._write(effects.take_due, target, limit, lease_seconds)

    def end_effect(
        self,
        effect: Effect,
        outcome: Outcome | None,
        error: str | None = None,
        delay_seconds: float = 0,
    ) -> bool:
        """Write down what came of an attempt; None is to try again after the delay.

        False when somebody else has taken it since.
        """
        attempt = effect.effect_id, effect.attempts
        return self._write_once(effects.end, *attempt, outcome, error, delay_seconds)

    def give_up_effects(self, older_than_seconds: float) -> int:
        """Give up notifications that are owed for so long; returns how many there were."""
        return self._write_once(effects.give_up_stale, older_than_seconds)

    def incident_at(self, incident_id: UUID, revision: int) -> Incident | None:
        """Return an incident with the answer of one of its revisions, as far as it was kept."""
        return self._read(effects.incident_at, incident_id, revision)


def _is_stored(receipt: Receipt | None) -> bool:
    return receipt is not None and not receipt.refused


def connect(
    settings: DatabaseSettings,
    folder: Path,
    rules: Rules = Rules(),  # noqa: B008 - it is frozen
    *,
    hasty: bool = False,
) -> Store:
    """Return the store of these settings. Nothing is connected before the first verb.

    `hasty` is for a process that answers requests: on PostgreSQL its verbs give up within five
    seconds. On SQLite they wait four for a writer, whoever asks.
    """
    seconds = engine.VERB_SECONDS if hasty else math.inf
    return Store(engine.create(settings, folder, hasty=hasty), rules, seconds)
