"""What the store has promised so far, kept beside it in plain Python."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from integration.machine.world import AlertKey, Snapshot

from opssage.incident import Stage, Status
from store import Claim

_REACHED = (Status.PENDING, *(stage.reaches for stage in Stage))


@dataclass(frozen=True, kw_only=True)
class Message:
    """What the broker holds: the stages still to run, the first one now."""

    incident_id: UUID
    stages: tuple[Stage, ...]
    task_id: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """What a worker believes to hold."""

    claim: Claim
    owner: str
    message: Message

    @property
    def incident_id(self) -> UUID:
        """The incident it works on."""
        return self.claim.incident.incident_id


@dataclass(kw_only=True, eq=False)
class Entry:
    """One incident."""

    incident_id: UUID
    documents: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] | None = None  #: of the revision before the running one
    revision: int = 1
    attempts: int = 0
    is_failed: bool = False
    holder: Work | None = None  #: whose commit counts
    is_leased: bool = False  #: False too when the lease has run out
    is_waiting: bool = False  #: postponed
    is_stamped: bool = False  #: a message is said to be there
    is_stamp_old: bool = False
    completions: int = 0
    told: set[tuple[int, str]] = field(default_factory=set)
    """Revision and event of what the team is told."""

    @property
    def status(self) -> Status:
        """How far it has come: each document is a step."""
        return Status.FAILED if self.is_failed else _REACHED[len(self.documents)]

    @property
    def is_due(self) -> bool:
        """True when a message would find work."""
        return not (self.status.is_terminal or self.is_waiting or self.is_leased)

    @property
    def needs_message(self) -> bool:
        """True when a dispatcher is to publish one."""
        return self.is_due and (not self.is_stamped or self.is_stamp_old)

    def stamped(self) -> None:
        """A message was published just now."""
        self.is_stamped, self.is_stamp_old = True, False

    def admits(self, message: Message, max_attempts: int, *, redelivered: bool) -> bool:
        """Tell whether the first stage of a message may be claimed."""
        mine = self.holder is not None and self.holder.message.task_id == message.task_id
        return (
            message.stages[0].expects is self.status
            and not self.is_waiting
            and self.attempts < max_attempts
            and (not self.is_leased or (redelivered and mine))
        )

    def claimed(self, work: Work) -> None:
        """A worker took a stage: the attempt counts, and its message is taken up."""
        self.holder, self.is_leased, self.is_stamped = work, True, False
        self.attempts += 1

    def let_go(self) -> None:
        """Nobody holds it."""
        self.holder, self.is_leased = None, False

    def committed(self, stage: Stage, document: dict[str, Any]) -> None:
        """A stage is done; the chain that ran it publishes the next."""
        self.let_go()
        self.documents[stage.document] = document
        self.attempts = 0
        self.stamped()
        if self.status is Status.COMPLETED:
            self.completions += 1
            self.told.add((self.revision, "completed"))

    def given_up(self) -> None:
        """A stage failed for good; a revision leaves the answer before it."""
        self.let_go()
        self.is_waiting = False
        if self.before is None:
            self.is_failed = True
            self.told.add((self.revision, "failed"))
        else:
            self.documents = self.before

    def restarted(self) -> None:
        """A failed one runs on, a completed one anew."""
        if not self.is_failed:
            self.before, self.documents = self.documents, {}
            self.revision += 1
        self.is_failed = self.is_waiting = self.is_stamped = False
        self.attempts = 0


@dataclass(kw_only=True)
class Ledger:
    """All incidents that were not deleted, and where each acknowledged alert is kept."""

    entries: dict[UUID, Entry] = field(default_factory=dict)
    archived: dict[UUID, Entry] = field(default_factory=dict)
    kept: dict[AlertKey, AlertKey] = field(default_factory=dict)
    """By the alert as delivered: its row, whose start may be another while it fires."""
    gone: set[UUID] = field(default_factory=set)
    linked: set[tuple[UUID, UUID]] = field(default_factory=set)
    """Pairs that are one event, those of deleted incidents too; the lower id first."""
    max_attempts: int = 3

    @property
    def unfinished(self) -> list[Entry]:
        """Entries with stages to run."""
        return [entry for entry in self.entries.values() if not entry.status.is_terminal]

    @property
    def exhausted(self) -> Iterator[Entry]:
        """Entries that have had their attempts and that nobody works on."""
        return (
            entry
            for entry in self.unfinished
            if entry.attempts >= self.max_attempts and not entry.is_leased
        )

    def forget(self, incident_ids: set[UUID], before: Snapshot, now: Snapshot) -> None:
        """Incidents were deleted; the alerts that are gone with them are owed no longer."""
        for incident_id in incident_ids:
            self.entries.pop(incident_id, None)
            self.archived.pop(incident_id, None)
        self.gone |= incident_ids
        theirs = {
            key
            for rows in (before.alerts, before.archived_alerts)
            for key, row in rows.items()
            if row.incident_id in incident_ids and now.find_alert(key) is None
        }
        self.kept = {told: key for told, key in self.kept.items() if key not in theirs}
