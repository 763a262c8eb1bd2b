"""Where a label set points: namespace, service, workload, pod, node, and the side it calls."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

PLACE_LABELS: Mapping[str, tuple[str, ...]] = {
    "namespace": (
        "exported_namespace",
        "namespace",
        "kubernetes_namespace",
        "k8s_namespace_name",
        "kubernetes_namespace_name",
        "destination_workload_namespace",
    ),
    "service": (
        "exported_service",
        "service",
        "service_name",
        "app",
        "app_kubernetes_io_name",
        "destination_workload",
    ),
    "workload": ("deployment", "statefulset", "daemonset", "workload", "k8s_deployment_name"),
    "pod": ("exported_pod", "pod", "pod_name", "kubernetes_pod_name", "k8s_pod_name"),
    "container": ("exported_container", "container", "container_name", "k8s_container_name"),
    "node": ("node", "node_name", "nodename", "kubernetes_node", "k8s_node_name"),
    "instance": ("exported_instance", "instance"),
    "job": ("exported_job", "job"),
}
"""Kind of place → the labels that may name it, best first.

An `exported_` label is the object's own one where the scraper put its own in the plain place.
"""

_CALLER_LABELS = ("source_workload", "source_service")
_CALLED_LABELS = (
    "dependency",
    "upstream",
    "upstream_service",
    "peer",
    "peer_service",
    "destination_workload",
    "destination_service_name",
    "destination_service",
    "target_service",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Exporter:
    """A program that reports about other things: some labels on its series name itself."""

    name: re.Pattern[str]  #: found in its job, service or pod
    job: str = ""  #: a whole job name that means it too
    own: frozenset[str]  #: kinds of place that are never about the object
    instance_is_node: bool = False

    def measured(self, places: Mapping[str, str]) -> bool:
        """Say whether it is the one that reports."""
        job = places.get("job", "")
        named = self.name.search(job) or self.name.search(places.get("service", ""))
        return bool(named or (job and job == self.job))


_NODE_EXPORTER = Exporter(
    name=re.compile(r"(^|[-/])node[-_]?exporter"),
    job="node",
    own=frozenset({"namespace", "service", "workload", "pod", "container", "job"}),
    instance_is_node=True,
)
_SCRAPED = frozenset({"service", "instance", "job"})
_EXPORTERS: tuple[Exporter, ...] = (
    _NODE_EXPORTER,
    Exporter(name=re.compile(r"kube-state-metrics"), own=_SCRAPED),
    Exporter(
        name=re.compile(r"(^|[-/])(kubelet|cadvisor)$|kubernetes-(nodes|cadvisor)"), own=_SCRAPED
    ),
    Exporter(name=re.compile(r"blackbox-exporter$"), own=frozenset({"service", "job"})),
)

_NODE_EXPORTER_PORT = ":9100"
_WITH_PORT = re.compile(r"^\[?([^\[\]/]+?)\]?:\d+$")
_CLUSTER_HOST = re.compile(r"^([^.]+)\.[^.]+\.svc(?:\..*)?$")  # NAME.NAMESPACE.svc.cluster.local

# Kubernetes draws the random parts of names from this alphabet, which spells no words: no vowels,
# no 0, 1 and 3 (k8s.io/apimachinery, pkg/util/rand). What has a digit in it passes for one too.
_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
_DEPLOYMENT_SUFFIX = re.compile(
    rf"-(?:{_SAFE}{{6,10}}|(?=[a-z]*\d)[a-z\d]{{6,10}})-(?:{_SAFE}{{5}}|(?=[a-z]*\d)[a-z\d]{{5}})$"
)
_OTHER_SUFFIX = re.compile(rf"-(?:{_SAFE}{{5}}|\d+)$")


def places_in(labels: Mapping[str, str]) -> dict[str, str]:
    """Return what the labels name, taken at their word; keys as in `PLACE_LABELS`."""
    return {
        kind: name
        for kind, names in PLACE_LABELS.items()
        if (name := next(filter(None, map(labels.get, names)), None))
    }


def subject_of(labels: Mapping[str, str]) -> dict[str, str]:
    """Return what the labels of a series or an alert are about, without who measured it.

    Keys as in `PLACE_LABELS`, only those known.
    """
    places = places_in(labels)
    exporter = _exporter_of(places)
    if exporter is None:
        return places
    own = set(exporter.own)
    if exporter.name.search(places.get("pod", "")):
        own |= {"namespace", "pod", "container"}
    if exporter.instance_is_node and "instance" in places:
        places.setdefault("node", host_of(places["instance"]))
    return {kind: name for kind, name in places.items() if kind not in own}


def _exporter_of(places: Mapping[str, str]) -> Exporter | None:
    if "job" not in places and places.get("instance", "").endswith(_NODE_EXPORTER_PORT):
        return _NODE_EXPORTER
    return next((exporter for exporter in _EXPORTERS if exporter.measured(places)), None)


def service_of(labels: Mapping[str, str]) -> str | None:
    """Return the service that labels are about, else the workload, else that of the pod."""
    subject = subject_of(labels)
    return (
        subject.get("service") or subject.get("workload") or deployment_of(subject.get("pod", ""))
    )


def caller_of(labels: Mapping[str, str]) -> str | None:
    """Return the calling side of what labels are about: the service itself, unless they say."""
    named = next(filter(None, map(labels.get, _CALLER_LABELS)), None)
    return service_of_host(named) if named else service_of(labels)


def called_by(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the called side, most telling first."""
    named = filter(None, map(labels.get, _CALLED_LABELS))
    return tuple(dict.fromkeys(service_of_host(name) for name in named))


def host_of(instance: str) -> str:
    """Return the instance label without its port."""
    match = _WITH_PORT.match(instance)
    return match.group(1) if match else instance


def service_of_host(host: str) -> str:
    """Return the service of a host name inside the cluster; any other name as it is."""
    match = _CLUSTER_HOST.match(host)
    return match.group(1) if match else host


def deployment_of(pod: str) -> str | None:
    """Return the Deployment that a pod's name tells of by its two hashes; None without them."""
    owner = _DEPLOYMENT_SUFFIX.sub("", pod)
    return owner if owner and owner != pod else None


def owner_of(pod: str) -> str:
    """Return the pod's name without what its controller appended.

    A Deployment appends two hashes, a DaemonSet one, a StatefulSet a number.
    """
    return deployment_of(pod) or _OTHER_SUFFIX.sub("", pod)
