"""Past incidents that resemble this one: by what they are first, by what is told of them second.

    similarity = 1 - product over all that is shared of (1 - weight x how much of it is shared)

so each thing shared takes its part of what is left, none alone makes two incidents the same, and
nothing is lost where something cannot be known.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from opssage.knowledge import PastIncident, RelatedIncident, Standing
from tasks.enrich.symptoms import Symptoms
from tasks.enrich.words import spellings

ALERT_NAME = 0.4
SERVICE = 0.25
CATEGORY = 0.2
"""The cause that the evidence suggests is of the category that it was then …"""
COMPONENT_KIND = 0.1
"""… and befell the same kind of component."""
SIGNALS = 0.5
"""What is out of order is the same, measured by what is said in logs and by Kubernetes."""
NAMESPACE = 0.05
WORDS = 0.3
"""The words of its category and root cause are those of this incident's symptoms."""

FLOOR = 0.4
"""The same service, namespace and kind of component do not make two incidents alike."""

CLOSE = 0.55
"""Among incidents as alike as this, those whose cause a person has told come first."""

_PER_KIND = {"state": 3.0, "log": 3.0, "change": 1.0, "metric": 1.0}
"""What a signal weighs: many troubles move the same metrics."""
_SHOWN = 6  # words and signals told of


def similar(
    past: Sequence[PastIncident], symptoms: Symptoms, *, limit: int = 5
) -> tuple[RelatedIncident, ...]:
    """Return at most `limit` past incidents: judged ones, then most similar, newest, by id.

    The order of the candidates does not matter.
    """
    case = _Case(symptoms=symptoms, vocabulary=symptoms.vocabulary)
    compared = (_compared(incident, case) for incident in past)
    alike = (related for related in compared if related.similarity >= FLOOR)
    return tuple(sorted(alike, key=_rank)[:limit])


def _rank(related: RelatedIncident) -> tuple[bool, float, float, str]:
    is_judged = related.standing is not Standing.UNJUDGED and related.similarity >= CLOSE
    newest = -related.created_at.timestamp()
    return (not is_judged, -related.similarity, newest, related.incident_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """This incident, as past ones are compared with it."""

    symptoms: Symptoms
    vocabulary: frozenset[str]

    @property
    def kinds(self) -> dict[tuple[str, str], float]:
        """Category and kind of component of what is suspected, with the probability."""
        found: dict[tuple[str, str], float] = {}
        for each in self.symptoms.impression.suspicions:
            key = each.category, each.component_kind
            found[key] = found.get(key, 0.0) + each.probability
        return found


Shared = tuple[float, str]
"""What is shared weighs, and its name."""


def _compared(past: PastIncident, case: _Case) -> RelatedIncident:
    shared = [each for reader in _READERS for each in reader(past, case)]
    different = 1.0
    for weight, _ in shared:
        different *= 1 - weight
    ended = past.resolved_at
    return RelatedIncident(
        incident_id=past.incident_id,
        alert_name=past.alert_name,
        root_cause=past.root_cause,
        created_at=past.created_at,
        similarity=round(1 - different, 4),
        shares=tuple(what for _, what in shared),
        category=past.category,
        service=past.service,
        namespace=past.namespace,
        standing=past.standing,
        resolved_at=ended,
        lasted_seconds=max((ended - past.created_at).total_seconds(), 0.0) if ended else None,
        actions=past.actions,
        comment=past.comment,
    )


def _alert_name(past: PastIncident, case: _Case) -> Iterator[Shared]:
    if past.alert_name in case.symptoms.alert_names:
        yield ALERT_NAME, f"alert {past.alert_name}"


def _places(past: PastIncident, case: _Case) -> Iterator[Shared]:
    if past.service in case.symptoms.services:
        yield SERVICE, f"service {past.service}"
    if past.namespace is not None and past.namespace == case.symptoms.namespace:
        yield NAMESPACE, f"namespace {past.namespace}"


def _cause(past: PastIncident, case: _Case) -> Iterator[Shared]:
    kinds = case.kinds
    probability = sum(share for (category, _), share in kinds.items() if category == past.category)
    if probability:
        yield CATEGORY * probability, f"category {past.category}"
        if befalls := kinds.get((past.category, past.component_kind)):
            yield COMPONENT_KIND * befalls, f"kind of component {past.component_kind}"


def _signals(past: PastIncident, case: _Case) -> Iterator[Shared]:
    """Yield the weighted Jaccard index of the signals: what both have of what either has."""
    mine, theirs = set(case.symptoms.impression.signals), set(past.signals)
    both = mine & theirs
    if both:
        share = sum(map(_weight, both)) / sum(map(_weight, mine | theirs))
        named = sorted(both, key=lambda each: (-_weight(each), each))
        yield SIGNALS * share, f"signals {', '.join(named[:_SHOWN])}"


def _weight(signal: str) -> float:
    return _PER_KIND.get(signal.partition(".")[0], 1.0)


def _words(past: PastIncident, case: _Case) -> Iterator[Shared]:
    told = spellings(f"{past.category} {past.root_cause}")
    seen = [spelling for word, spelling in told.items() if word in case.vocabulary]
    if seen:
        yield WORDS * len(seen) / len(told), f"words {', '.join(seen[:_SHOWN])}"


_READERS: tuple[Callable[[PastIncident, _Case], Iterator[Shared]], ...] = (
    _alert_name,
    _places,
    _cause,
    _signals,
    _words,
)
