"""What a source of evidence is, what it is asked and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from opssage.changes import ReportedChange
from opssage.evidence import Evidence, SourceReport, SourceStatus, Window
from opssage.graph import ServiceGraph
from opssage.incident import Alert
from tasks.collect.targets import Targets


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What collect wants to know about: the same for every source."""

    alerts: tuple[Alert, ...]
    targets: Targets
    window: Window  #: everything of interest, the alert expressions' ranges included
    baseline_start: datetime  #: from here on until `calm_until` is normal life
    calm_until: datetime  #: a little before onset: a rule fires after its fault began
    now: datetime  #: when the investigation began: objects are as of this moment
    changes: tuple[ReportedChange, ...] = ()  #: told to us, oldest first
    declared: ServiceGraph = field(default_factory=ServiceGraph)  #: calls that people wrote down
    max_points: int  #: per series
    max_series: int  #: per query


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a source saw, in the order it wants it read, and the ledger of its questions."""

    evidence: tuple[Evidence, ...] = ()
    reports: tuple[SourceReport, ...] = ()


class Source(Protocol):
    """Something that can be asked.

    `ask` never raises for a fault of what it asks: the fault is a line of the ledger. It returns
    what it has by `deadline` (a value of `time.monotonic()`), and is abandoned soon after.
    """

    @property
    def name(self) -> str:
        """What the ledger calls it."""
        ...

    def ask(self, scope: Scope, deadline: float) -> Answer:
        """Return what this source knows about `scope`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleFacts:
    """What is known of the rules behind alerts, by the alerts' fingerprints."""

    active_since: Mapping[str, datetime] = field(default_factory=dict)
    """When the condition became true: `starts_at` less the rule's `for`."""
    conditions: Mapping[str, str] = field(default_factory=dict)  #: the rules' expressions
    reports: tuple[SourceReport, ...] = ()
    is_silent: bool = False  #: it was waited for as long as for any answer, and gave none


@runtime_checkable
class KnowsRules(Protocol):
    """A source that also knows the rules behind alerts."""

    @property
    def name(self) -> str:
        """What the ledger calls it."""
        ...

    def rule_facts(self, alerts: tuple[Alert, ...], deadline: float) -> RuleFacts:
        """Return what it knows of them; never raises."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Unconfigured:
    """Stands in for a source nobody has configured, so that the ledger names it."""

    name: str
    key: str = "url"  #: the setting that is missing

    def ask(self, scope: Scope, deadline: float) -> Answer:  # noqa: ARG002 - Source's signature
        """Answer that there is nobody to ask."""
        report = SourceReport(
            source=self.name,
            status=SourceStatus.NOT_CONFIGURED,
            error=f"sources.{self.name}.{self.key} is not set",
        )
        return Answer(reports=(report,))
