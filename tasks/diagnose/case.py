"""The context of one incident, laid out for reading: order, names and places settled."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from opssage.evidence import Evidence, EvidenceKind, PrimaryContext
from opssage.graph import parts_of
from opssage.knowledge import EnhancedContext
from opssage.linking import IncidentEvent
from opssage.wire import canonical, parse_time
from tasks.diagnose.component import Names, kind_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What the readers of signals look at."""

    evidence: tuple[Evidence, ...]  #: in an order that depends on content, not on arrival
    names: Names
    start: datetime  #: of the time that is looked at
    onset: datetime
    unanswered: tuple[str, ...]  #: queries that failed
    calls: Mapping[str, tuple[str, ...]]  #: caller → called components, as enrich knows them
    nodes: Mapping[str, tuple[str, ...]]  #: component → the nodes its pods run on
    event: IncidentEvent | None = None  #: that the incident is part of

    @classmethod
    def of(cls, context: PrimaryContext, enhanced: EnhancedContext) -> "Case":
        """Lay out a context and what enrich added to it."""
        evidence = _in_order(context.evidence_collected)
        mapped = {name for called in enhanced.topology.values() for name in called}
        names = Names.of(
            [subject_of(item) for item in evidence],
            mapped | set(enhanced.topology),
            home=context.affected_components.namespace or "",
        )
        return cls(
            evidence=evidence,
            names=names,
            start=context.window.start,
            onset=context.window.onset,
            unanswered=tuple(
                sorted({each.query for each in context.sources if each.status == "failed"})
            ),
            calls=_calls(enhanced.topology, names),
            nodes=_nodes(evidence, names),
            event=enhanced.event,
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


def _calls(topology: Mapping[str, tuple[str, ...]], names: Names) -> dict[str, tuple[str, ...]]:
    calls: dict[str, set[str]] = {}
    for caller, called in topology.items():
        calls.setdefault(_component(caller, names), set()).update(
            _component(each, names) for each in called
        )
    return {caller: tuple(sorted(calls[caller])) for caller in sorted(calls)}


def _component(service: str, names: Names) -> str:
    """Return the component of a service as the topology names it: with a namespace, or without."""
    namespace, name = parts_of(service)
    return names.workload(name, namespace)


def _in_order(collected: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Sort evidence by its content; its data, which may be long, counts between equals only."""
    heads = [(item.kind.value, _head(item), item) for item in collected]
    alike = Counter((kind, head) for kind, head, _ in heads)

    def content(each: tuple[str, bytes, Evidence]) -> tuple[str, bytes, bytes, str]:
        kind, head, item = each
        data = canonical(dict(item.data)) if alike[kind, head] > 1 else b""
        return kind, head, data, item.evidence_id

    return tuple(item for _, _, item in sorted(heads, key=content))


def _head(item: Evidence) -> bytes:
    return canonical([item.source, dict(item.subject), item.query, item.summary])


def _nodes(evidence: tuple[Evidence, ...], names: Names) -> dict[str, tuple[str, ...]]:
    places: dict[str, set[str]] = {}
    for item in evidence:
        subject = subject_of(item)
        component, node = names.component(subject), names.node(subject)
        if component and node and kind_of(component) != "node":
            places.setdefault(component, set()).add(node)
    return {component: tuple(sorted(places[component])) for component in sorted(places)}
