"""Which component a set of labels, a pod or a host name means."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from opssage.graph import parts_of, service_named
from opssage.places import deployment_of, host_of, owner_of, service_of_host, subject_of

_ADDRESS = re.compile(r"^[\d.]+$|:.*:|^localhost$|^kubernetes$")
_SUFFIX = re.compile(r"[-_]?(?:service|svc)$")


def label_of(component: str) -> str:
    """Return the bare name: `checkout` of `service/checkout`."""
    return component.partition("/")[2]


def kind_of(component: str) -> str:
    """Return `service`, `pod` or `node`; `incident` for the incident as a whole."""
    return component.partition("/")[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """The names an incident's evidence uses, so that one thing has one name."""

    known: frozenset[str]  #: services and workloads
    services: Mapping[str, str]  #: workload → the service it belongs to, where they differ
    shared: Mapping[str, frozenset[str]]  #: name → the namespaces that have it, where several do
    home: str  #: the incident's own namespace: a name that is shared means the one there

    @classmethod
    def of(
        cls,
        subjects: Sequence[Mapping[str, str]],
        called: Collection[str] = (),
        home: str = "",
    ) -> "Names":
        """Learn the names from the subjects of all evidence and from known callers and callees."""
        pairs = sorted(set(_pairs(subjects)))
        known = {name for pair in pairs for name in pair if name}
        known |= {parts_of(each)[1] for each in called}
        services = {
            owner: service
            for service, owner in reversed(pairs)
            if service and owner and (owner, owner) not in pairs
        }
        return cls(
            known=frozenset(known), services=services, shared=_shared(subjects, called), home=home
        )

    def component(self, subject: Mapping[str, str]) -> str | None:
        """Return the component a subject means; None when it names none."""
        places = subject_of(subject)
        namespace = places.get("namespace", "")
        if name := places.get("service") or places.get("workload"):
            return self.workload(name, namespace)
        if pod := places.get("pod"):
            owner = self._owner(pod)
            return self.workload(owner, namespace) if owner else f"pod/{pod}"
        return self.node(subject) or self._claim(subject) or self._scraped(places)

    def node(self, subject: Mapping[str, str]) -> str | None:
        """Return the node a subject names."""
        node = subject_of(subject).get("node")
        return f"node/{node}" if node else None

    def called(self, host: str, near: str = "") -> str | None:
        """Return the component behind a host name; None for addresses and the local host.

        `near` is the namespace of who calls: the one that a name alone is looked up in first.
        """
        namespace = parts_of(service_named(host.lower()))[0] or near
        name = service_of_host(host.strip(".").lower())
        if (head := name.partition(".")[0]) in self.known:
            name = head
        if not name or _ADDRESS.search(name):
            return None
        return self.workload(name if name in self.known else self._alike(name), namespace)

    def mentioned(self, text: str) -> tuple[str, ...]:
        """Return the components whose known names stand in a text as whole words."""
        tokens = set(re.findall(r"[\w.-]+", text.lower()))
        return tuple(sorted({self.workload(name) for name in self.known if name in tokens}))

    def workload(self, name: str, namespace: str = "") -> str:
        """Return the component of a workload or service: the service it belongs to.

        The namespace is part of its name when a service in another one is meant than the
        incident's own of that name.
        """
        service = self.services.get(name, name)
        if namespace != self.home and namespace in self.shared.get(service, ()):
            return f"service/{namespace}/{service}"
        return f"service/{service}"

    def _owner(self, pod: str) -> str | None:
        if owner := deployment_of(pod):
            return owner
        owner = owner_of(pod)
        return owner if owner != pod and owner in self.known else None

    def _alike(self, name: str) -> str:
        """Return the one known name that differs only by an ending such as `-service`."""
        bare = _SUFFIX.sub("", name)
        alike = [each for each in sorted(self.known) if _SUFFIX.sub("", each) == bare]
        return alike[0] if len(alike) == 1 else name

    def _claim(self, subject: Mapping[str, str]) -> str | None:
        """Return the workload a volume claim is named after: `data-orders-db-0` of `orders-db`."""
        claim = re.sub(r"-\d+$", "", subject.get("pvc", ""))
        owners = [name for name in self.known if f"-{claim}-".find(f"-{name}-") >= 0]
        return (
            self.workload(max(owners, key=lambda name: (len(name), name), default=claim))
            if claim
            else None
        )

    def _scraped(self, places: Mapping[str, str]) -> str | None:
        if name := places.get("container") or places.get("job"):
            return self.workload(name)
        host = host_of(places.get("instance", ""))
        return f"node/{host}" if host else None


def _shared(
    subjects: Iterable[Mapping[str, str]], called: Iterable[str]
) -> dict[str, frozenset[str]]:
    told: dict[str, set[str]] = {}
    for namespace, name in (*_placed(subjects), *map(parts_of, called)):
        if namespace and name:
            told.setdefault(name, set()).add(namespace)
    return {name: frozenset(places) for name, places in told.items() if len(places) > 1}


def _placed(subjects: Iterable[Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for subject in subjects:
        namespace = subject_of(subject).get("namespace", "")
        for pair in _pairs([{**subject, "peer": ""}]):
            yield from ((namespace, name) for name in pair)


def _pairs(subjects: Iterable[Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for subject in subjects:
        places = subject_of(subject)
        owner = places.get("workload") or deployment_of(places.get("pod", "")) or ""
        yield places.get("service", ""), owner
        if peer := subject.get("peer"):
            yield peer, ""
