"""The context of one incident, laid out for reading: order, names and places settled."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from opssage.evidence import Evidence, EvidenceKind, PrimaryContext
from opssage.knowledge import EnhancedContext
from opssage.wire import canonical, parse_time
from tasks.diagnose.component import Names, kind_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What the readers of signals look at."""

    evidence: tuple[Evidence, ...]  #: in an order that depends on content, not on arrival
    names: Names
    onset: datetime
    unanswered: tuple[str, ...]  #: queries that failed
    calls: Mapping[str, tuple[str, ...]]  #: caller → called components, as enrich knows them
    nodes: Mapping[str, tuple[str, ...]]  #: component → the nodes its pods run on

    @classmethod
    def of(cls, context: PrimaryContext, enhanced: EnhancedContext) -> "Case":
        """Lay out a context and what enrich added to it."""
        evidence = tuple(sorted(context.evidence_collected, key=_content))
        mapped = {name for called in enhanced.topology.values() for name in called}
        names = Names.of([subject_of(item) for item in evidence], mapped | set(enhanced.topology))
        return cls(
            evidence=evidence,
            names=names,
            onset=context.window.onset,
            unanswered=tuple(
                sorted({each.query for each in context.sources if each.status == "failed"})
            ),
            calls={
                names.workload(caller): tuple(sorted(names.workload(each) for each in called))
                for caller, called in sorted(enhanced.topology.items())
            },
            nodes=_nodes(evidence, names),
        )

    def of_kind(self, kind: EvidenceKind) -> Iterator[Evidence]:
        """Yield the evidence of one kind."""
        return (item for item in self.evidence if item.kind is kind)

    def metrics(self, signal: str) -> Iterator[Evidence]:
        """Yield the metric evidence collected under a signal name."""
        return (
            item for item in self.of_kind(EvidenceKind.METRIC) if item.data.get("signal") == signal
        )

    def component(self, item: Evidence) -> str | None:
        """Return the component a piece of evidence is about."""
        return self.names.component(subject_of(item))


def subject_of(item: Evidence) -> Mapping[str, str]:
    """Return the subject; the labels of an alert that has none."""
    return item.subject or item.data.get("labels") or {}


def time_of(value: object) -> datetime | None:
    """Read a time from evidence data; None when there is none."""
    return parse_time(value) if isinstance(value, str) and value else None


def _content(item: Evidence) -> tuple[str, bytes, str]:
    told = canonical([item.source, dict(item.subject), item.query, item.summary, dict(item.data)])
    return item.kind.value, told, item.evidence_id


def _nodes(evidence: tuple[Evidence, ...], names: Names) -> dict[str, tuple[str, ...]]:
    places: dict[str, set[str]] = {}
    for item in evidence:
        subject = subject_of(item)
        component, node = names.component(subject), names.node(subject)
        if component and node and kind_of(component) != "node":
            places.setdefault(component, set()).add(node)
    return {component: tuple(sorted(places[component])) for component in sorted(places)}
