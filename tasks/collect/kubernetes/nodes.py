"""Nodes: whether they are ready, what presses them, and how much of them is promised."""

from collections.abc import Iterable, Mapping
from typing import Any

from tasks.collect.kubernetes.api import Document
from tasks.collect.kubernetes.known import Known
from tasks.collect.kubernetes.quantities import number, total
from tasks.collect.kubernetes.sight import (
    Sight,
    conditions,
    from_conditions,
    mapping,
    mappings,
    names,
    text,
    told,
)

_MEASURED = ("cpu", "memory")
_ENDED = ("Succeeded", "Failed")


def node(item: Document, known: Known) -> Sight:
    """Return a node's state; what its pods ask for where all of them were seen."""
    name = text(item, "metadata", "name")
    info = mapping(item, "status", "nodeInfo")
    ready = conditions(item).get("Ready", {})
    facts = {
        "ready": text(ready, "status"),
        "taints": [_taint(each) for each in mappings(item, "spec", "taints")],
        "cordoned": mapping(item, "spec").get("unschedulable"),
        "addresses": addresses(item),
        "zone": text(item, "metadata", "labels", "topology.kubernetes.io/zone"),
        "kubelet": text(info, "kubeletVersion"),
        "architecture": text(info, "architecture"),
        "allocatable": mapping(item, "status", "allocatable"),
        **_promised(item, known.on_node(name)),
    }
    bad = {"Ready": ("False Unknown", "NotReady")}
    return Sight(facts=told(facts), problems=tuple(from_conditions(item, bad, otherwise="True")))


def addresses(item: Document) -> list[str]:
    """Return the names and addresses a node answers to."""
    return names(text(each, "address") for each in mappings(item, "status", "addresses"))


def _taint(taint: Mapping[str, Any]) -> str:
    """Return a taint as kubectl writes it: `dedicated=gpu:NoSchedule`."""
    key, value = text(taint, "key"), text(taint, "value")
    return (f"{key}={value}" if value else key) + f":{text(taint, 'effect')}"


def _promised(item: Document, pods: Iterable[Document] | None) -> dict[str, Any]:
    """Return requests and limits of a node's pods, as shares of what it can give."""
    if pods is None:
        return {}
    running = [pod for pod in pods if text(pod, "status", "phase") not in _ENDED]
    can_give = mapping(item, "status", "allocatable")
    found: dict[str, Any] = {"pods": len(running)}
    for what in ("requests", "limits"):
        shares = {}
        for resource in _MEASURED:
            whole_node = number(can_give.get(resource))
            asked = total([_asked(pod, what, resource) for pod in running])
            if whole_node:
                shares[resource] = round(asked / whole_node, 3)
        found[f"{what}_share"] = shares
    return found


def _asked(pod: Document, what: str, resource: str) -> float:
    """Return what a pod's containers ask for together; initialisation comes before and alone."""

    def of(kind: str) -> list[float]:
        return [
            number(mapping(each, "resources", what).get(resource)) or 0.0
            for each in mappings(pod, "spec", kind)
        ]

    return max([sum(of("containers")), *of("initContainers")])
