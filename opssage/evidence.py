"""What collect finds out: evidence, its window, and the ledger of what was asked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class EvidenceKind(StrEnum):
    """What sort of thing was observed."""

    METRIC = "metric"
    LOG = "log"
    EVENT = "event"
    OBJECT = "object"
    ALERT = "alert"
    CHANGE = "change"


SURGE_FACTOR = 3
"""Log lines multiplied when their rate since onset is so many times the one before …"""

SURGE_LINES = 5
"""… and they are so many at least."""


NO_VALUE = "no value, although the alert fired: is this the Prometheus that evaluates its rule?"
"""Said in the ledger where an alert's own expression finds nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """The time an investigation looks at. Stored, so that a replay asks for the same."""

    start: datetime
    end: datetime
    onset: datetime  #: when the trouble began at the latest: before it is baseline


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One observation, dated and attributed.

    `data` holds what its kind needs; docs/architecture.md lists it.
    """

    kind: EvidenceKind
    source: str
    summary: str  #: one sentence a person can check
    observed_at: datetime
    subject: Mapping[str, str] = field(
        default_factory=dict
    )  #: labels: namespace, service, pod, node …
    query: str = ""
    window: Window | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    evidence_id: str = ""  #: `E1` …, given once all sources have answered


class SourceStatus(StrEnum):
    """How one question to a source went."""

    OK = "ok"
    EMPTY = "empty"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_CONFIGURED = "not_configured"


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceReport:
    """A line of the ledger: what was asked of a source and how it went."""

    source: str
    status: SourceStatus
    query: str = ""
    duration_seconds: float = 0.0
    error: str = ""
    size: int = 0  #: bytes of the answer
    truncated: bool = False  #: there was more than was read or kept
    by_hand: str = ""  #: a command that asks the same, where the answer is missing


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertMetadata:
    """The lead alert in short."""

    alert_name: str
    severity: str
    firing_condition: str
    trigger_time: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AffectedComponents:
    """Where the lead alert points."""

    service: str | None = None
    namespace: str | None = None
    pod: str | None = None
    node: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceCollected:
    """All evidence, by kind, each list in order of its ids."""

    metrics: tuple[Evidence, ...] = ()
    logs: tuple[Evidence, ...] = ()
    events: tuple[Evidence, ...] = ()
    objects: tuple[Evidence, ...] = ()
    alerts: tuple[Evidence, ...] = ()
    changes: tuple[Evidence, ...] = ()

    @classmethod
    def by_kind(cls, evidence: Sequence[Evidence]) -> "EvidenceCollected":
        """Sort evidence into its lists."""
        return cls(
            **{
                f"{kind.value}s": tuple(item for item in evidence if item.kind is kind)
                for kind in EvidenceKind
            }
        )

    def __iter__(self) -> Iterator[Evidence]:
        """Iterate over all evidence, kind after kind."""
        for kind in EvidenceKind:
            yield from getattr(self, f"{kind.value}s")


@dataclass(frozen=True, kw_only=True, slots=True)
class PreliminaryAnalysis:
    """What stands out at first sight."""

    observations: tuple[str, ...] = ()
    hypotheses: tuple[str, ...] = ()
    missing_information: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PrimaryContext:
    """The result of collect."""

    alert_metadata: AlertMetadata
    affected_components: AffectedComponents
    evidence_collected: EvidenceCollected
    preliminary_analysis: PreliminaryAnalysis
    window: Window
    alert_seq: int
    sources: tuple[SourceReport, ...] = ()
