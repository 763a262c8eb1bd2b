"""Who calls whom, as far as the evidence of one incident shows it."""

from collections.abc import Iterator, Mapping

from opssage.evidence import PrimaryContext
from opssage.places import called_by, caller_of

_NOBODY = frozenset({"", "unknown"})  # Istio calls a peer outside the mesh `unknown`


def topology(context: PrimaryContext) -> dict[str, tuple[str, ...]]:
    """Return caller → called services, both in order of name.

    A metric whose subject has a service and a peer is an edge; so is an alert that names both.
    """
    edges: dict[str, set[str]] = {}
    for caller, called in (*_measured(context), *_alerted(context)):
        if caller != called and _NOBODY.isdisjoint((caller, called)):
            edges.setdefault(caller, set()).add(called)
    return {caller: tuple(sorted(edges[caller])) for caller in sorted(edges)}


def _measured(context: PrimaryContext) -> Iterator[tuple[str, str]]:
    for metric in context.evidence_collected.metrics:
        yield metric.subject.get("service", ""), metric.subject.get("peer", "")


def _alerted(context: PrimaryContext) -> Iterator[tuple[str, str]]:
    for alert in context.evidence_collected.alerts:
        labels: Mapping[str, str] = alert.data.get("labels") or {}
        for called in called_by(labels):
            yield caller_of(labels) or "", called
