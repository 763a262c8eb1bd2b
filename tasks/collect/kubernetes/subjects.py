"""Which objects the alerts are about, and what an object's subject is."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from opssage.incident import Alert
from opssage.places import deployment_of, host_of, subject_of
from tasks.collect.kubernetes.api import Document
from tasks.collect.kubernetes.known import Known
from tasks.collect.kubernetes.networking import backends_of, chosen_pods
from tasks.collect.kubernetes.nodes import addresses
from tasks.collect.kubernetes.pods import claims_of, references
from tasks.collect.kubernetes.sight import (
    Key,
    controller_of,
    key_of,
    labels_of,
    mapping,
    selects_by,
    text,
)
from tasks.collect.targets import Targets

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet")

_NAMING_LABELS: Mapping[str, str] = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "replicaset": "ReplicaSet",
    "job_name": "Job",
    "cronjob": "CronJob",
    "horizontalpodautoscaler": "HorizontalPodAutoscaler",
    "persistentvolumeclaim": "PersistentVolumeClaim",
    "resourcequota": "ResourceQuota",
    "ingress": "Ingress",
}
"""Labels of kube-state-metrics that name an object, and its kind."""

_SERVING = ("Service", "Deployment", "StatefulSet", "DaemonSet")
"""What a service of an alert may be."""

_APP_LABELS = ("app.kubernetes.io/name", "app", "k8s-app", "app.kubernetes.io/instance")


@dataclass(frozen=True, kw_only=True)
class Focus:
    """What the alerts point to among the objects that were seen."""

    targets: Targets
    alerts: tuple[Alert, ...]
    known: Known

    @cached_property
    def keys(self) -> frozenset[Key]:
        """Objects the alerts are about, and what these hang on."""
        named = {*self._named(), *self._on_addresses()}
        pods = {key_of(pod): pod for pod in self._pods(named)}
        found = named | pods.keys() | set(map(self.known.owner, pods.values()))
        return frozenset(found | set(self._around(found, pods.values())))

    def has(self, key: Key) -> bool:
        """Tell whether the alerts are about an object.

        Where they say no more than a namespace, they are about all of it; where they name no
        place, about the nodes.
        """
        if key[0] == "Node":
            return key in self.keys or self._is_everywhere
        return key in self.keys or key[1] in self._whole

    def names(self, key: Key) -> bool:
        """Tell whether the alerts name this very object."""
        return bool({key, (key[0], "", key[2])} & set(self.candidates))

    @cached_property
    def candidates(self) -> tuple[Key, ...]:
        """What the alerts' names can stand for, most telling first; it need not exist."""
        pods = [("Pod", *pod) for pod in self.targets.pods]
        owners = [("Deployment", place, deployment_of(name) or "") for _, place, name in pods]
        services = [(kind, *each) for each in self.targets.services for kind in _SERVING]
        nodes = [("Node", "", name) for name in self.targets.nodes]
        found = (*pods, *self._by_labels(), *owners, *services, *nodes)
        return tuple(key for key in dict.fromkeys(found) if key[2])

    @property
    def _is_everywhere(self) -> bool:
        targets = self.targets
        return not (targets.namespaces or targets.services or targets.pods or targets.nodes)

    @cached_property
    def _whole(self) -> frozenset[str]:
        finer = {namespace for namespace, _ in (*self.targets.services, *self.targets.pods)}
        finer |= {namespace for _, namespace, _ in self._by_labels()}
        return frozenset(self.targets.namespaces) - finer

    def _by_labels(self) -> Iterator[Key]:
        for alert in self.alerts:
            namespace = subject_of(alert.labels).get("namespace", "")
            for label, kind in _NAMING_LABELS.items():
                if name := alert.labels.get(label):
                    yield kind, namespace, name

    def _named(self) -> Iterator[Key]:
        yield from self._by_labels()
        services = {(place, name) for place, name in self.targets.services}
        for kind in ("Service", "Ingress", *WORKLOADS):
            for key in map(key_of, self.known.all(kind)):
                if {key[1:], ("", key[2])} & services:
                    yield key
        for pod in self.known.all("Pod"):
            key = key_of(pod)
            if {key[1:], ("", key[2])} & set(self.targets.pods):
                yield key
        for namespace, pod_name in self.targets.pods:  # it may be gone, and its owner is not
            owner = ("Deployment", namespace, deployment_of(pod_name) or "")
            if self.known.get(*owner):
                yield owner

    def is_named_node(self, node: Document) -> bool:
        """Tell whether the alerts have a name or an address of a node."""
        wanted = {*map(host_of, self.targets.instances), *self.targets.nodes}
        return bool(wanted & {text(node, "metadata", "name"), *addresses(node)})

    def _on_addresses(self) -> Iterator[Key]:
        """Yield nodes, and pods, that go by a name or an address the alerts have."""
        yield from (key_of(node) for node in self.known.all("Node") if self.is_named_node(node))
        instances = {host_of(each) for each in self.targets.instances}
        for pod in self.known.all("Pod"):
            if text(pod, "status", "podIP") in instances:
                yield key_of(pod)

    def _pods(self, named: set[Key]) -> Iterator[Document]:
        for key in sorted(named):
            if key[0] == "Service" and (item := self.known.get(*key)):
                yield from chosen_pods(item, self.known)
        services = set(self.targets.services)
        for pod in self.known.all("Pod"):
            namespace = text(pod, "metadata", "namespace")
            apps = {
                (place, labels_of(pod).get(label))
                for label in _APP_LABELS
                for place in (namespace, "")
            }
            chain = {key_of(pod), self.known.owner(pod), controller_of(pod)}
            if chain & named or apps & services:
                yield pod

    def _around(self, found: set[Key], pods: Iterable[Document]) -> Iterator[Key]:
        """Yield what the objects hang on: nodes, claims, autoscalers, Services, Ingresses."""
        for pod in pods:
            namespace = text(pod, "metadata", "namespace")
            if node := text(pod, "spec", "nodeName"):
                yield "Node", "", node
            yield from (("PersistentVolumeClaim", namespace, name) for name in claims_of(pod))
            for policy in self.known.all("NetworkPolicy", namespace):
                if selects_by(mapping(policy, "spec", "podSelector"), labels_of(pod)):
                    yield key_of(policy)
        own = {key for key in found if key[0] == "Pod"}
        services = {
            key_of(each)
            for each in self.known.all("Service")
            if own & set(map(key_of, chosen_pods(each, self.known)))
        }
        yield from services
        for each in self.known.all("Ingress"):
            namespace = text(each, "metadata", "namespace")
            leads_to = {("Service", namespace, name) for name, _ in backends_of(each)}
            if leads_to & (services | found):
                yield key_of(each)
        for each in self.known.all("HorizontalPodAutoscaler"):
            target = mapping(each, "spec", "scaleTargetRef")
            namespace = text(each, "metadata", "namespace")
            if (text(target, "kind"), namespace, text(target, "name")) in found:
                yield key_of(each)

    def subject(self, key: Key) -> dict[str, str]:
        """Return whom an object is about: places as an alert's labels have them."""
        kind, namespace, _ = key
        item = self.known.get(*key) or {}
        place = {"namespace": namespace} if namespace else {}
        return {**place, **_SUBJECTS.get(kind, _workload)(self, key, item)}

    def of_pod(self, pod: Document) -> dict[str, str]:
        """Return workload and node of a pod, and the service, if the alerts name it."""
        key = key_of(pod)
        kind, _, owner = self.known.owner(pod)
        found = {
            "service": self.service_of(pod),
            "workload": "" if kind == "Pod" else owner,
            "pod": key[2],
            "node": text(pod, "spec", "nodeName"),
        }
        return {place: name for place, name in found.items() if name}

    def service_of(self, pod: Document) -> str:
        """Return the service of the alerts that leads to a pod; "" for none."""
        namespace = text(pod, "metadata", "namespace")
        return next(
            (
                name
                for place, name in self.targets.services
                if place in {namespace, ""}
                and (item := self.known.get("Service", namespace, name))
                and key_of(pod) in map(key_of, chosen_pods(item, self.known))
            ),
            "",
        )


def _pod(focus: Focus, key: Key, item: Document) -> dict[str, str]:
    return focus.of_pod(item) if item else {"pod": key[2]}


def _node(_: Focus, key: Key, __: Document) -> dict[str, str]:
    return {"node": key[2]}


def _workload(focus: Focus, key: Key, item: Document) -> dict[str, str]:
    name = focus.known.owner(item)[2] if item else key[2]
    pods = focus.known.pods_of(key[1], name)
    service = focus.service_of(pods[0]) if pods else ""
    return {**({"service": service} if service else {}), "workload": name}


def _service(focus: Focus, key: Key, item: Document) -> dict[str, str]:
    """Return the workload a Service leads to, or the Service where it does not lead to one."""
    pods = chosen_pods(item, focus.known)
    owners = {focus.known.owner(pod)[2] for pod in pods}
    is_named = {key[1:], ("", key[2])} & set(focus.targets.services)
    service = {"service": key[2]} if is_named or len(owners) != 1 else {}
    return {**service, **({"workload": owners.pop()} if len(owners) == 1 else {})}


def _ingress(focus: Focus, key: Key, item: Document) -> dict[str, str]:
    for name, _ in backends_of(item):
        service = focus.known.get("Service", key[1], name)
        return _service(focus, ("Service", key[1], name), service or {})
    return {"service": key[2]}


def _claim(focus: Focus, key: Key, _: Document) -> dict[str, str]:
    users = [pod for pod in focus.known.all("Pod", key[1]) if key[2] in claims_of(pod)]
    return {**_shared(focus, users), "pvc": key[2]}


def _content(focus: Focus, key: Key, _: Document) -> dict[str, str]:
    what = key[0][:1].lower() + key[0][1:]
    pods = focus.known.all("Pod", key[1])
    return _shared(focus, [pod for pod in pods if key[2] in dict(references(pod, what))])


def _autoscaler(_: Focus, key: Key, item: Document) -> dict[str, str]:
    return {"workload": text(item, "spec", "scaleTargetRef", "name") or key[2]}


def _policy(focus: Focus, key: Key, item: Document) -> dict[str, str]:
    selector = mapping(item, "spec", "podSelector")
    pods = focus.known.all("Pod", key[1])
    return _shared(focus, [pod for pod in pods if selects_by(selector, labels_of(pod))])


def _shared(focus: Focus, pods: list[Document]) -> dict[str, str]:
    """Return the workload that all of the pods belong to."""
    owners = {focus.known.owner(pod)[2] for pod in pods}
    return {"workload": owners.pop()} if len(owners) == 1 else {}


def _bounds(_: Focus, __: Key, ___: Document) -> dict[str, str]:
    return {}


_SUBJECTS = {
    "Pod": _pod,
    "Node": _node,
    "Service": _service,
    "Ingress": _ingress,
    "PersistentVolumeClaim": _claim,
    "ConfigMap": _content,
    "Secret": _content,
    "HorizontalPodAutoscaler": _autoscaler,
    "NetworkPolicy": _policy,
    "ResourceQuota": _bounds,
    "LimitRange": _bounds,
}
