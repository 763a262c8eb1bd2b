"""Which component a set of labels, a pod or a host name means."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

SERVICE_KEYS = ("service", "service_name", "destination_workload", "app", "app_kubernetes_io_name")
"""Labels that name a request-serving component, most telling first."""

WORKLOAD_KEYS = ("workload", "deployment", "statefulset", "daemonset")
"""Labels that name the owner of pods."""

EXPORTERS = ("kube-state-metrics", "node-exporter", "kubelet", "cadvisor", "blackbox-exporter")
"""Endings of names that say who measured, not who is measured."""

# Kubernetes draws the random parts of names from this alphabet: no vowels, no 0, 1 and 3
# (k8s.io/apimachinery, pkg/util/rand).
_RANDOM = "bcdfghjklmnpqrstvwxz2456789"
_DEPLOYMENT_POD = re.compile(
    rf"^(?P<owner>.+)-(?:[{_RANDOM}]{{8,10}}|(?=[a-z]*\d)[a-z\d]{{6,10}})-[a-z\d]{{3,5}}$"
)
_NUMBERED_POD = re.compile(rf"^(?P<owner>.+)-(?:\d{{1,3}}|[{_RANDOM}]{{5}})$")
_CLUSTER_HOST = re.compile(r"^(?P<name>[^.]+)\.[^.]+\.svc(?:\..*)?$")
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

    @classmethod
    def of(cls, subjects: Iterable[Mapping[str, str]], called: Iterable[str] = ()) -> "Names":
        """Learn the names from the subjects of all evidence and from known callers and callees."""
        pairs = sorted(set(_pairs(subjects)))
        known = {name for pair in pairs for name in pair if name} | set(called)
        services = {
            owner: service
            for service, owner in reversed(pairs)
            if service and owner and (owner, owner) not in pairs
        }
        return cls(known=frozenset(known), services=services)

    def component(self, subject: Mapping[str, str]) -> str | None:
        """Return the component a subject means; None when it names none."""
        if service := _service(subject):
            return self.workload(service)
        if workload := _first(subject, WORKLOAD_KEYS):
            return self.workload(workload)
        if pod := subject.get("pod"):
            owner = self._owner(pod)
            return self.workload(owner) if owner else f"pod/{pod}"
        return self.node(subject) or self._claim(subject) or self._scraped(subject)

    def node(self, subject: Mapping[str, str]) -> str | None:
        """Return the node a subject names."""
        node = subject.get("node")
        return f"node/{node}" if node else None

    def called(self, host: str) -> str | None:
        """Return the component behind a host name; None for addresses and the local host."""
        name = host.strip(".").lower()
        if cluster := _CLUSTER_HOST.match(name):
            name = cluster["name"]
        elif (head := name.partition(".")[0]) in self.known:
            name = head
        if not name or _ADDRESS.search(name):
            return None
        return self.workload(name if name in self.known else self._alike(name))

    def mentioned(self, text: str) -> tuple[str, ...]:
        """Return the components whose known names stand in a text as whole words."""
        tokens = set(re.findall(r"[\w.-]+", text.lower()))
        return tuple(sorted({self.workload(name) for name in self.known if name in tokens}))

    def workload(self, name: str) -> str:
        """Return the component of a workload or service: the service it belongs to."""
        return f"service/{self.services.get(name, name)}"

    def _owner(self, pod: str) -> str | None:
        if match := _DEPLOYMENT_POD.match(pod):
            return match["owner"]
        match = _NUMBERED_POD.match(pod)
        return match["owner"] if match and match["owner"] in self.known else None

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

    def _scraped(self, subject: Mapping[str, str]) -> str | None:
        for key in ("container", "job"):
            if (name := subject.get(key)) and not name.endswith(EXPORTERS):
                return self.workload(name)
        host = subject.get("instance", "").partition(":")[0]
        return f"node/{host}" if host else None


def _first(subject: Mapping[str, str], keys: Iterable[str]) -> str:
    return next((subject[key] for key in keys if subject.get(key)), "")


def _service(subject: Mapping[str, str]) -> str:
    """Return the service; an exporter's own name counts for nothing."""
    named = {key: name for key, name in subject.items() if not str(name).endswith(EXPORTERS)}
    return _first(named, SERVICE_KEYS)


def _pairs(subjects: Iterable[Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for subject in subjects:
        pod = _DEPLOYMENT_POD.match(subject.get("pod", ""))
        owner = _first(subject, WORKLOAD_KEYS) or (pod["owner"] if pod else "")
        yield _service(subject), owner
        if peer := subject.get("peer"):
            yield peer, ""
