"""What enrich adds: knowledge that fits, incidents like this one, and who calls whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from opssage.diagnosis import EarlierAnswer
from opssage.linking import IncidentEvent
from opssage.priors import Priors


@dataclass(frozen=True, kw_only=True, slots=True)
class KnowledgeDocument:
    """A document of the team's knowledge base."""

    document_id: UUID
    name: str  #: what the team calls it, unique: a path without suffix, such as `shop/checkout`
    text: str  #: Markdown with its front matter; empty in lists
    title: str
    about: Mapping[str, Any]  #: what its front matter says beside the title
    origin: str  #: the folder or repository it is mirrored from; empty: none
    digest: str  #: SHA-256 of what was sent, in hex
    size: int  #: bytes of `text`
    version: int  #: counts its changes, from 1
    created_at: datetime
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrievedKnowledge:
    """A passage of the team's knowledge that fits the incident."""

    source_id: str
    title: str
    excerpt: str
    relevance: float  #: 0–1


class Standing(StrEnum):
    """What people said of a past incident's diagnosis. A rejected one is no precedent."""

    UNJUDGED = "unjudged"
    CONFIRMED = "confirmed"
    CORRECTED = "corrected"
    """It was wrong, and the root cause is what somebody said it really was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PastIncident:
    """An incident that was diagnosed, in the few facts that comparing needs."""

    incident_id: str
    alert_name: str
    service: str | None
    namespace: str | None
    created_at: datetime
    root_cause: str
    category: str
    component_kind: str = ""  #: of the root cause: service, pod, node …
    signals: tuple[str, ...] = ()  #: what was clearly out of order, by name
    resolved_at: datetime | None = None
    actions: tuple[str, ...] = ()  #: that its diagnosis advised
    standing: Standing = Standing.UNJUDGED
    comment: str = ""  #: of who judged


@dataclass(frozen=True, kw_only=True, slots=True)
class RelatedIncident:
    """A past incident that resembles this one: in what, how it ended, and what was done."""

    incident_id: str
    alert_name: str
    root_cause: str
    created_at: datetime
    similarity: float  #: 0–1
    shares: tuple[str, ...]
    category: str = ""
    service: str | None = None
    namespace: str | None = None
    standing: Standing = Standing.UNJUDGED
    resolved_at: datetime | None = None  #: None: it had not ended when this was looked up
    lasted_seconds: float | None = None  #: from its opening to its end
    actions: tuple[str, ...] = ()  #: that its diagnosis advised; none when it was wrong
    comment: str = ""  #: of who judged the diagnosis


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
    signals: tuple[str, ...] = ()  #: what is clearly out of order: later incidents compare it
    knowledge_version: int = 0  #: of the knowledge base that was searched; 0: none was
    runbook_urls: tuple[str, ...] = ()  #: pages that the alerts' rules name, of trusted hosts
    event: IncidentEvent | None = None  #: of several incidents, one of which is this
    earlier: EarlierAnswer | None = None  #: the last answer with a verdict to this incident
    owners: Mapping[str, str] = field(default_factory=dict)  #: service → owner, where declared
    priors: Priors = field(default_factory=Priors)  #: what people said of causes in the namespace
