"""Who calls whom, as far as the evidence of one incident shows it."""

import re
from collections.abc import Iterator, Mapping

from opssage.evidence import PrimaryContext
from opssage.incident import SERVICE_LABELS

CALLER_LABELS = ("source_workload", "source_service", *SERVICE_LABELS)
"""Labels of an alert that name the calling side; the first one present counts."""

CALLED_LABELS = (
    "dependency",
    "upstream",
    "upstream_service",
    "peer",
    "peer_service",
    "destination_workload",
    "destination_service_name",
    "destination_service",
)
"""Labels of an alert that name a called service."""

_CLUSTER_HOST = re.compile(r"^([^.]+)\.[^.]+\.svc(\..*)?$")  # NAME.NAMESPACE.svc.cluster.local
_NOBODY = frozenset({"", "unknown"})  # Istio calls a peer outside the mesh `unknown`


def topology(context: PrimaryContext) -> dict[str, tuple[str, ...]]:
    """Return caller → called services, both in order of name.

    A metric whose subject has a service and a peer is an edge; so is an alert that names both.
    """
    called_by: dict[str, set[str]] = {}
    for caller, called in (*_measured(context), *_alerted(context)):
        if caller != called and _NOBODY.isdisjoint((caller, called)):
            called_by.setdefault(caller, set()).add(called)
    return {caller: tuple(sorted(called_by[caller])) for caller in sorted(called_by)}


def _measured(context: PrimaryContext) -> Iterator[tuple[str, str]]:
    for metric in context.evidence_collected.metrics:
        yield metric.subject.get("service", ""), metric.subject.get("peer", "")


def _alerted(context: PrimaryContext) -> Iterator[tuple[str, str]]:
    for alert in context.evidence_collected.alerts:
        labels: Mapping[str, str] = alert.data.get("labels") or {}
        caller = next((labels[name] for name in CALLER_LABELS if labels.get(name)), "")
        for name in CALLED_LABELS:
            yield _service(caller), _service(labels.get(name, ""))


def _service(name: str) -> str:
    """Return the service of a host name inside the cluster; any other name as it is."""
    host = _CLUSTER_HOST.match(name)
    return host.group(1) if host else name
