"""What enrich adds: knowledge that fits, incidents like this one, and who calls whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrievedKnowledge:
    """A passage of the team's knowledge that fits the incident."""

    source_id: str
    title: str
    excerpt: str
    relevance: float  #: 0–1


@dataclass(frozen=True, kw_only=True, slots=True)
class PastIncident:
    """A finished incident in the few facts that comparing needs."""

    incident_id: str
    alert_name: str
    service: str | None
    namespace: str | None
    created_at: datetime
    root_cause: str
    category: str
    confidence_score: float
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RelatedIncident:
    """A past incident that resembles this one, and in what."""

    incident_id: str
    alert_name: str
    root_cause: str
    created_at: datetime
    similarity: float  #: 0–1
    shares: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextualEnrichment:
    """What knowledge and history suggest."""

    failure_patterns: tuple[str, ...] = ()
    possible_causes: tuple[str, ...] = ()
    related_incidents: tuple[RelatedIncident, ...] = ()
    known_remediation_actions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class EnhancedContext:
    """The result of enrich."""

    retrieved_knowledge: tuple[RetrievedKnowledge, ...] = ()
    knowledge_summary: str = ""
    contextual_enrichment: ContextualEnrichment = field(default_factory=ContextualEnrichment)
    topology: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  #: caller → called, by service
