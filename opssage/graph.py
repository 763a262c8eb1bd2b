"""Who calls whom: services, the calls between them, and which services are near others.

A service is written `namespace/name`, or `name` alone where its namespace is not known. That is the
one form in which metrics, files and alerts are compared; `service_named` makes it of what they say.
A name alone means the one service of that name that the graph knows with a namespace; where there
are several, or none, it stays by itself.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Self

KIND = "ServiceGraph"
"""The kind of object that evidence with a graph in its `facts.edges` is about."""

NEAR_HOPS = 2
NEAR_MOST = 20
"""How far from an incident services are looked at, and how many of them."""
CHART_HOPS = 3
CHART_MOST = 200
"""How far from an incident calls are told, and how many of them."""

_CLUSTER_HOST = re.compile(r"([^./]+)\.([^./]+)\.svc(?:\..*)?")  # NAME.NAMESPACE.svc.cluster.local
_PORT = re.compile(r":\d+$")
_ADDRESS = re.compile(r"[\d.]+|.*:.*|localhost")
# What Istio calls a peer it does not know, and what it sends to no service of the mesh.
_NOBODY = frozenset(
    {"", "-", "unknown", "PassthroughCluster", "BlackHoleCluster", "InboundPassthroughCluster"}
)
# `cart`, `cart-service`, `cartsvc` and `cart-v2` may be a service, its Deployment and its spans.
_ENDING = re.compile(r"(?:[-_]?(?:service|svc))?(?:-v\d+)?$")

Index = Mapping[str, tuple[str, ...]]


def service_named(name: str, namespace: str = "") -> str:
    """Return the service of a name, a host name of the cluster or `namespace/name`; "" for nobody.

    A port is cut off. What the name itself says of the namespace counts more than `namespace`.
    An address is nobody: it does not say whose it is.
    """
    bare = _PORT.sub("", name.strip().rstrip("."))
    place = "" if namespace in _NOBODY else namespace
    if match := _CLUSTER_HOST.fullmatch(bare):
        bare, place = match.groups()
    before, slash, after = bare.rpartition("/")
    if slash:
        bare, place = after, before.rpartition("/")[2] or place
    if bare in _NOBODY or _ADDRESS.fullmatch(bare):
        return ""
    return f"{place}/{bare}" if place else bare


def parts_of(service: str) -> tuple[str, str]:
    """Return a service's namespace, "" where it is not known, and its name."""
    namespace, _, name = service.rpartition("/")
    return namespace, name


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Edge:
    """One service calls another."""

    caller: str
    called: str
    source: str  #: what says so: `istio`, `topology_file` …


@dataclass(frozen=True, kw_only=True)
class ServiceGraph:
    """Calls between services. `of` makes one of calls in any order and of any origin."""

    edges: tuple[Edge, ...] = ()  #: in order, each once, none from a service to itself

    @classmethod
    def of(cls, edges: Iterable[Edge]) -> Self:
        """Settle names and order."""
        told = set(edges)
        full = _full_names(service for edge in told for service in (edge.caller, edge.called))
        settled = {
            Edge(
                caller=full.get(edge.caller, edge.caller),
                called=full.get(edge.called, edge.called),
                source=edge.source,
            )
            for edge in told
            if edge.caller and edge.called
        }
        return cls(edges=tuple(sorted(edge for edge in settled if edge.caller != edge.called)))

    @classmethod
    def from_rows(cls, rows: Iterable[Sequence[str]]) -> Self:
        """Read what `rows` wrote."""
        return cls.of(Edge(caller=row[0], called=row[1], source=row[2]) for row in rows)

    def rows(self) -> list[list[str]]:
        """Return the calls as JSON: `[[caller, called, source], …]`."""
        return [[edge.caller, edge.called, edge.source] for edge in self.edges]

    def joined(self, *others: "ServiceGraph") -> "ServiceGraph":
        """Return the calls of this graph and of others."""
        if not any(others):
            return self
        return ServiceGraph.of(chain(self.edges, *(other.edges for other in others)))

    def __bool__(self) -> bool:
        """Tell whether any call is known."""
        return bool(self.edges)

    @cached_property
    def calls(self) -> Index:
        """Caller → whom it calls, in order of name."""
        return _grouped((edge.caller, edge.called) for edge in self.edges)

    @cached_property
    def callers(self) -> Index:
        """Called → who calls it, in order of name."""
        return _grouped((edge.called, edge.caller) for edge in self.edges)

    @cached_property
    def sources(self) -> Index:
        """Service → what tells of calls by it or to it."""
        sides = ((side, edge.source) for edge in self.edges for side in (edge.caller, edge.called))
        return _grouped(sides)

    @cached_property
    def services(self) -> tuple[str, ...]:
        """Every service, in order of name."""
        return tuple(sorted({*self.calls, *self.callers}))

    def find(self, namespace: str, name: str) -> tuple[str, ...]:
        """Return the services of the graph that a name in a namespace, or anywhere (""), means.

        A service whose namespace the graph does not know fits any. Where no service has the name,
        those count that differ from it by an ending only, such as `-service` or `-v2`.
        """
        for found in (self._by_name.get(name, ()), self._by_stem.get(_stem(name), ())):
            fitting = [each for each in found if _fits(parts_of(each)[0], namespace)]
            if fitting:
                return tuple(fitting)
        return ()

    def neighbours(
        self, *services: str, hops: int = NEAR_HOPS, most: int = NEAR_MOST
    ) -> tuple[str, ...]:
        """Return the services near these, nearest first: the called, their callers, the rest."""
        called = _reach(services, self._called_by, hops)
        callers = _reach(services, self._callers_of, hops)
        near = _reach(services, self._beside, hops)

        def rank(service: str) -> tuple[int, int, str]:
            side = 0 if service in called else 1 if service in callers else 2
            return near[service], side, service

        return tuple(sorted(near.keys() - set(services), key=rank)[:most])

    def called_by(self, *services: str, hops: int) -> dict[str, int]:
        """Return whom these services call, directly or not, and in how many steps at least."""
        reached = _reach(services, self._called_by, hops)
        return {each: steps for each, steps in reached.items() if steps}

    def chart(
        self, *services: str, hops: int = CHART_HOPS, most: int = CHART_MOST
    ) -> "ServiceGraph":
        """Return the calls around these services; of too many the nearest."""
        near = _reach(services, self._beside, hops)
        inside = (edge for edge in self.edges if edge.caller in near and edge.called in near)
        ranked = sorted(inside, key=lambda edge: (near[edge.caller] + near[edge.called], edge))
        return ServiceGraph(edges=tuple(sorted(ranked[:most])))

    def _called_by(self, service: str) -> tuple[str, ...]:
        return self.calls.get(service, ())

    def _callers_of(self, service: str) -> tuple[str, ...]:
        return self.callers.get(service, ())

    def _beside(self, service: str) -> tuple[str, ...]:
        return (*self._called_by(service), *self._callers_of(service))

    @cached_property
    def _by_name(self) -> Index:
        return _grouped((parts_of(each)[1], each) for each in self.services)

    @cached_property
    def _by_stem(self) -> Index:
        return _grouped((_stem(parts_of(each)[1]), each) for each in self.services)


def bare_names(services: Iterable[str]) -> dict[str, str]:
    """Return the shortest name of each service that means no other: without its namespace, if so.

    For people to read.
    """
    told = sorted(set(services))
    named = _grouped((parts_of(each)[1], each) for each in told)
    return {each: name if len(named[name := parts_of(each)[1]]) == 1 else each for each in told}


def owners_of(services: Iterable[str], declared: Mapping[str, str]) -> dict[str, str]:
    """Return service → owner for those whose owner somebody declared.

    A declared name without a namespace means that service in any; one whose namespace nobody tells
    is the declared one if only one owner comes into question.
    """
    owners: dict[str, str] = {}
    for service in sorted(set(services)):
        namespace, name = parts_of(service)
        fitting = {
            owner
            for written, owner in declared.items()
            if parts_of(written)[1] == name and _fits(parts_of(written)[0], namespace)
        }
        if owner := declared.get(service) or (fitting.pop() if len(fitting) == 1 else ""):
            owners[service] = owner
    return owners


def _full_names(services: Iterable[str]) -> dict[str, str]:
    """Return name → the one service with a namespace that has it."""
    full = _grouped((parts_of(each)[1], each) for each in services if parts_of(each)[0])
    return {name: found[0] for name, found in full.items() if len(found) == 1}


def _fits(known: str, wanted: str) -> bool:
    return not known or not wanted or known == wanted


def _stem(name: str) -> str:
    return _ENDING.sub("", name, count=1) or name


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, set[str]] = {}
    for key, value in pairs:
        groups.setdefault(key, set()).add(value)
    return {key: tuple(sorted(groups[key])) for key in sorted(groups)}


def _reach(
    starts: Iterable[str], steps: Callable[[str], Iterable[str]], hops: int
) -> dict[str, int]:
    """Return what is reached within so many steps, the starts included, and the fewest steps."""
    distance = dict.fromkeys(starts, 0)
    front = list(distance)
    for hop in range(1, hops + 1):
        front = sorted({each for place in front for each in steps(place)} - distance.keys())
        distance |= dict.fromkeys(front, hop)
    return distance
