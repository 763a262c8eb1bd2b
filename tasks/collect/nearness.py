"""How near something is to where the alerts point."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from opssage.graph import parts_of, service_named
from opssage.places import called_by, deployment_of, subject_of
from tasks.collect.source import Scope


class Relation(StrEnum):
    """What a place has to do with those of the alerts, the nearest first."""

    SAME_SERVICE = "same_service"
    SAME_NODE = "same_node"
    NEIGHBOUR = "neighbour"
    """A service that calls one of the alerts', or is called by it."""
    SAME_NAMESPACE = "same_namespace"
    EVERYWHERE = "everywhere"
    """It names no place."""
    ELSEWHERE = "elsewhere"

    @property
    def rank(self) -> int:
        """Return 0 for the nearest."""
        return tuple(Relation).index(self)

    @property
    def told(self) -> str:
        """Return it in words."""
        return self.value.replace("_", " ")


_Name = tuple[str, str]  # namespace or "", name


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """The places of an incident's alerts, and the services beside them."""

    services: frozenset[_Name]
    pods: frozenset[_Name]
    neighbours: frozenset[_Name]
    nodes: frozenset[str]
    namespaces: frozenset[str]

    @classmethod
    def of(cls, scope: Scope) -> "Surroundings":
        """Return those of a scope: who calls whom is declared, or told by the alerts."""
        targets, graph = scope.targets, scope.declared
        owners = ((place, deployment_of(pod) or "") for place, pod in targets.pods)
        services = {pair for pair in (*targets.services, *owners) if pair[1]}
        found = [each for pair in sorted(services) for each in graph.find(*pair)]
        near = {parts_of(each) for each in graph.neighbours(*found)} | _called(scope)
        return cls(
            services=frozenset(services),
            pods=frozenset(targets.pods),
            neighbours=frozenset(near),
            nodes=frozenset(targets.nodes),
            namespaces=frozenset(targets.namespaces),
        )

    def relation(self, labels: Mapping[str, str]) -> Relation:
        """Return how near the place is that labels name."""
        subject = subject_of(labels)
        namespace, pod = subject.get("namespace", ""), subject.get("pod", "")
        names = (subject.get("service"), subject.get("workload"), deployment_of(pod))
        own = [(namespace, name) for name in names if name]
        if _any(own, self.services) or _any([(namespace, pod)] if pod else [], self.pods):
            return Relation.SAME_SERVICE
        if subject.get("node") in self.nodes:
            return Relation.SAME_NODE
        if _any(own, self.neighbours):
            return Relation.NEIGHBOUR
        if namespace in self.namespaces:
            return Relation.SAME_NAMESPACE
        return Relation.ELSEWHERE if subject else Relation.EVERYWHERE


def _called(scope: Scope) -> set[_Name]:
    """Return the services that the alerts complain of."""
    named = (service_named(name) for alert in scope.alerts for name in called_by(alert.labels))
    return {parts_of(name) for name in named if name}


def _any(names: list[_Name], known: frozenset[_Name]) -> bool:
    """Tell whether one of the names is known; a namespace that is not told fits any."""
    return any(
        name == other and (not place or not where or place == where)
        for place, name in names
        for where, other in known
    )
