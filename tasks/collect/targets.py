"""Where alerts point: their labels read as namespace, service, pod, node."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from opssage.incident import Alert

T = TypeVar("T")

SUBJECT_LABELS: Mapping[str, tuple[str, ...]] = {
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
"""Subject key → the labels that may hold it, best first.

An `exported_` label is the object's own one where the scraper put its own in the plain place.
"""

MAX_VALUES = 50  #: of each kind; an alert storm must not build endless queries


@dataclass(frozen=True, kw_only=True, slots=True)
class Exporter:
    """A program that reports about other things: some labels on its series name itself."""

    job: re.Pattern[str]
    own: frozenset[str]  #: subject keys that are never about the object
    instance_is_node: bool = False


EXPORTERS: tuple[Exporter, ...] = (
    Exporter(
        job=re.compile(r"(^|[-/])node(-|_)?exporter|^node$"),
        own=frozenset({"namespace", "service", "workload", "pod", "container", "job"}),
        instance_is_node=True,
    ),
    Exporter(
        job=re.compile(r"kube-state-metrics"),
        own=frozenset({"service", "instance", "job"}),
    ),
    Exporter(
        job=re.compile(r"^(kubelet|cadvisor)$|kubernetes-(nodes|cadvisor)"),
        own=frozenset({"service", "instance", "job"}),
    ),
)

_NODE_EXPORTER_PORT = ":9100"
# Kubernetes makes its random suffixes of these letters and digits (rand.SafeEncodeString in
# k8s.io/apimachinery), which spell no words; a hash with a digit in it is taken as one too.
_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
_POD_SUFFIX = re.compile(
    rf"-(?:{_SAFE}{{6,10}}-{_SAFE}{{5}}|(?=[a-z]*\d)[a-z0-9]{{6,10}}-[a-z0-9]{{5}}|{_SAFE}{{5}}|\d+)$"
)
_WITH_PORT = re.compile(r"^\[?([^\[\]/]+?)\]?:\d+$")


def host_of(instance: str) -> str:
    """Return the instance label without its port."""
    match = _WITH_PORT.match(instance)
    return match.group(1) if match else instance


def owner_of(pod: str) -> str:
    """Return the pod's name without what its controller appended.

    That is the hash of a ReplicaSet and of a pod, or a StatefulSet's number.
    """
    return _POD_SUFFIX.sub("", pod)


def subject_of(labels: Mapping[str, str]) -> dict[str, str]:
    """Return what a label set is about; keys as in `SUBJECT_LABELS`, only those known."""
    subject = {
        key: next(labels[name] for name in names if labels.get(name))
        for key, names in SUBJECT_LABELS.items()
        if any(labels.get(name) for name in names)
    }
    exporter = _exporter_of(subject)
    if exporter is None:
        return subject
    own = set(exporter.own)
    if exporter.job.search(subject.get("pod", "")):
        own |= {"namespace", "pod", "container"}
    if exporter.instance_is_node and "instance" in subject:
        subject.setdefault("node", host_of(subject["instance"]))
    return {key: value for key, value in subject.items() if key not in own}


def _exporter_of(subject: Mapping[str, str]) -> Exporter | None:
    job = subject.get("job")
    if not job and subject.get("instance", "").endswith(_NODE_EXPORTER_PORT):
        return EXPORTERS[0]
    return next((item for item in EXPORTERS if job and item.job.search(job)), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Targets:
    """All places an incident's alerts point to, each once, in order of the alerts."""

    namespaces: tuple[str, ...] = ()
    services: tuple[tuple[str, str], ...] = ()  #: (namespace or "", service or workload)
    pods: tuple[tuple[str, str], ...] = ()  #: (namespace or "", pod)
    nodes: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()  #: of alerts that name nothing better
    instances: tuple[str, ...] = ()  #: of alerts that name nothing better

    @property
    def is_nowhere(self) -> bool:
        """True when no alert names any place."""
        return not (self.namespaces or self.services or self.pods or self.nodes or self.instances)


def targets_of(alerts: Sequence[Alert]) -> Targets:
    """Return where the alerts point."""
    subjects = [subject_of(alert.labels) for alert in alerts]
    vague = [item for item in subjects if not item.keys() & {"namespace", "service", "pod", "node"}]
    return Targets(
        namespaces=_distinct(item.get("namespace") for item in subjects),
        services=_distinct(
            (item.get("namespace", ""), name)
            for item in subjects
            if (name := item.get("service") or item.get("workload"))
        ),
        pods=_distinct(
            (item.get("namespace", ""), item["pod"]) for item in subjects if "pod" in item
        ),
        nodes=_distinct(item.get("node") for item in subjects),
        jobs=_distinct(item.get("job") for item in vague),
        instances=_distinct(item.get("instance") for item in vague),
    )


def _distinct(values: Iterable[T | None]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(value for value in values if value is not None))[:MAX_VALUES]
