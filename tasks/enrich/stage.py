"""The enrich stage: knowledge, history and topology put together."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from opssage.diagnosis import Impression
from opssage.evidence import PrimaryContext
from opssage.knowledge import (
    ContextualEnrichment,
    EnhancedContext,
    PastIncident,
    RelatedIncident,
    RetrievedKnowledge,
    Standing,
)
from tasks.enrich.library import Shelf
from tasks.enrich.runbook_links import addresses, linked_first, resolve_all
from tasks.enrich.runbooks import Passage
from tasks.enrich.similar import similar
from tasks.enrich.symptoms import read_symptoms
from tasks.enrich.topology import topology

MAX_ACTIONS = 10
_EXCERPT_LENGTH = 600
_RECURRING = 2  # similar incidents of one category that make a pattern


def enrich(
    context: PrimaryContext,
    shelf: Shelf,
    past: Sequence[PastIncident],
    impression: Impression,
    *,
    max_passages: int = 5,
    hosts: Collection[str] = (),
) -> EnhancedContext:
    """Add what is known to what was collected.

    `past` are candidates: other incidents whose cause was found, or told by somebody. `impression`
    is what the evidence of this one suggests. A page of one of `hosts` that a rule names is told.
    """
    symptoms = read_symptoms(context, impression)
    links = resolve_all(addresses(context), shelf.runbooks, hosts)
    passages = linked_first(links, shelf.retrieve(symptoms, limit=max_passages), max_passages)
    related = similar(past, symptoms)
    return EnhancedContext(
        retrieved_knowledge=tuple(_knowledge(passage) for passage in passages),
        knowledge_summary=_summary(passages, related),
        contextual_enrichment=ContextualEnrichment(
            failure_patterns=tuple(_patterns(related)),
            possible_causes=_distinct(each.root_cause for each in related),
            related_incidents=related,
            known_remediation_actions=_distinct(_actions(passages, related))[:MAX_ACTIONS],
        ),
        topology=topology(context),
        signals=impression.signals,
        knowledge_version=shelf.version,
        runbook_urls=tuple(link.url for link in links if link.url),
    )


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _knowledge(passage: Passage) -> RetrievedKnowledge:
    heading = passage.chunk.heading
    title = passage.runbook.title
    return RetrievedKnowledge(
        source_id=passage.chunk.source_id,
        title=f"{title}: {heading}" if heading and heading != title else title,
        excerpt=_excerpt(passage.chunk.text),
        relevance=passage.relevance,
    )


def _excerpt(text: str) -> str:
    """Return the text, or as many whole words of it as fit."""
    if len(text) <= _EXCERPT_LENGTH:
        return text
    return f"{text[:_EXCERPT_LENGTH].rsplit(maxsplit=1)[0]} …"


def _summary(passages: Sequence[Passage], related: Sequence[RelatedIncident]) -> str:
    if not passages and not related:
        return "No runbook passage and no similar past incident fit this alert."
    return f"{_summary_of_runbooks(passages)} {_summary_of_history(related)}"


def _summary_of_runbooks(passages: Sequence[Passage]) -> str:
    titles = _distinct(passage.runbook.title for passage in passages)
    if not titles:
        return "No runbook passage fits."
    best, *others = (f"“{title}”" for title in titles)
    return f"Runbook {best} fits best{', then ' if others else ''}{', '.join(others)}."


def _summary_of_history(related: Sequence[RelatedIncident]) -> str:
    if not related:
        return "No similar past incident is known."
    count = f"{len(related)} similar past incident{'s' if len(related) > 1 else ''}"
    closest = related[0]
    cause = f": {closest.root_cause.rstrip('.')}" if closest.root_cause else ""
    judged = _JUDGED[closest.standing] if cause else ""
    return f"{count}, the closest from {closest.created_at:%Y-%m-%d}{cause}{judged}."


_JUDGED = {
    Standing.UNJUDGED: "",
    Standing.CONFIRMED: " (confirmed)",
    Standing.CORRECTED: " (as somebody told)",
}


def _patterns(precedents: Sequence[RelatedIncident]) -> Iterator[str]:
    """Yield the categories that come back, most frequent first."""
    counts: Mapping[str, int] = Counter(each.category for each in precedents if each.category)
    for category, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if count >= _RECURRING:
            last = max(each.created_at for each in precedents if each.category == category)
            yield (
                f"{category}: {count} of {len(precedents)} similar incidents, "
                f"last on {last:%Y-%m-%d}"
            )


def _actions(passages: Sequence[Passage], precedents: Sequence[RelatedIncident]) -> Iterator[str]:
    """Yield what the fitting runbooks say to do, then what was advised for the precedents."""
    for runbook in {passage.runbook.name: passage.runbook for passage in passages}.values():
        for chunk in runbook.chunks:
            yield from chunk.actions
    for incident in precedents:
        yield from incident.actions
