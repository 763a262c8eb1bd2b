"""Past incidents that resemble this one, and in what."""

from collections.abc import Iterator, Sequence

from opssage.knowledge import PastIncident, RelatedIncident
from tasks.enrich.symptoms import Symptoms
from tasks.enrich.words import spellings

ALERT_NAME = 0.4
SERVICE = 0.25
NAMESPACE = 0.05
SYMPTOMS = 0.3
"""Weights of what can be shared; they add up to 1. The last is spread over the words of the past
incident's category and root cause."""

FLOOR = 0.35
"""Same service and namespace alone do not make two incidents alike."""

_WORDS_SHOWN = 6


def similar(
    past: Sequence[PastIncident],
    symptoms: Symptoms,
    *,
    limit: int = 5,
) -> tuple[RelatedIncident, ...]:
    """Return at most `limit` past incidents, most similar first, then newest, then by id."""
    vocabulary = symptoms.vocabulary
    compared = (_compared(incident, symptoms, vocabulary) for incident in past)
    alike = (related for related in compared if related.similarity >= FLOOR)
    return tuple(sorted(alike, key=_rank)[:limit])


def _rank(related: RelatedIncident) -> tuple[float, float, str]:
    return (-related.similarity, -related.created_at.timestamp(), related.incident_id)


def _compared(
    past: PastIncident, symptoms: Symptoms, vocabulary: frozenset[str]
) -> RelatedIncident:
    overlaps = tuple(_overlaps(past, symptoms, vocabulary))
    return RelatedIncident(
        incident_id=past.incident_id,
        alert_name=past.alert_name,
        root_cause=past.root_cause,
        created_at=past.created_at,
        similarity=round(sum(weight for weight, _ in overlaps), 4),
        shares=tuple(what for _, what in overlaps),
    )


def _overlaps(
    past: PastIncident, symptoms: Symptoms, vocabulary: frozenset[str]
) -> Iterator[tuple[float, str]]:
    """Yield the weight of each thing shared, and its name."""
    if past.alert_name in symptoms.alert_names:
        yield ALERT_NAME, f"alert {past.alert_name}"
    if past.service in symptoms.services:
        yield SERVICE, f"service {past.service}"
    if past.namespace is not None and past.namespace == symptoms.namespace:
        yield NAMESPACE, f"namespace {past.namespace}"
    told = spellings(f"{past.category} {past.root_cause}")
    seen = [spelling for word, spelling in told.items() if word in vocabulary]
    if seen:
        yield SYMPTOMS * len(seen) / len(told), f"words {', '.join(seen[:_WORDS_SHOWN])}"
