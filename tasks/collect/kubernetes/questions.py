"""Kinds of objects, where the API has them, and how to ask for them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from tasks.collect.shell import command


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """A kind of object and where the API has it."""

    kind: str
    plural: str
    version: str = "v1"  #: with its group, except the core group

    @property
    def group(self) -> str:
        """The API group, "" for the core."""
        return self.version.rpartition("/")[0]

    @property
    def root(self) -> str:
        """The path below which it is."""
        return f"/apis/{self.version}" if self.group else f"/api/{self.version}"


MAX_PAGES = 4

_EVENTS = "events"
EVENTS_GROUP = "events.k8s.io"

RESOURCES: Mapping[str, Resource] = {
    resource.kind: resource
    for resource in (
        Resource(kind="Pod", plural="pods"),
        Resource(kind="Event", plural=_EVENTS),
        Resource(kind="Service", plural="services"),
        Resource(kind="PersistentVolumeClaim", plural="persistentvolumeclaims"),
        Resource(kind="ResourceQuota", plural="resourcequotas"),
        Resource(kind="LimitRange", plural="limitranges"),
        Resource(kind="Node", plural="nodes"),
        Resource(kind="ConfigMap", plural="configmaps"),
        Resource(kind="Deployment", plural="deployments", version="apps/v1"),
        Resource(kind="ReplicaSet", plural="replicasets", version="apps/v1"),
        Resource(kind="StatefulSet", plural="statefulsets", version="apps/v1"),
        Resource(kind="DaemonSet", plural="daemonsets", version="apps/v1"),
        Resource(kind="ControllerRevision", plural="controllerrevisions", version="apps/v1"),
        Resource(kind="Job", plural="jobs", version="batch/v1"),
        Resource(kind="CronJob", plural="cronjobs", version="batch/v1"),
        Resource(
            kind="HorizontalPodAutoscaler",
            plural="horizontalpodautoscalers",
            version="autoscaling/v2",
        ),
        Resource(kind="EndpointSlice", plural="endpointslices", version="discovery.k8s.io/v1"),
        Resource(kind="Ingress", plural="ingresses", version="networking.k8s.io/v1"),
        Resource(kind="IngressClass", plural="ingressclasses", version="networking.k8s.io/v1"),
        Resource(kind="NetworkPolicy", plural="networkpolicies", version="networking.k8s.io/v1"),
        Resource(kind="StorageClass", plural="storageclasses", version="storage.k8s.io/v1"),
    )
}
"""Every kind that is asked about; deploy/kubernetes grants exactly this."""

GROUPED_EVENTS = Resource(kind="Event", plural=_EVENTS, version=f"{EVENTS_GROUP}/v1")
"""The same events by their other API: whoever may not read one may be allowed the other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A list of objects, the metadata of one object, or the log of a container."""

    resource: Resource
    namespace: str = ""  #: "": of the cluster, or of all namespaces
    name: str = ""  #: one object; else a list
    params: Mapping[str, str] = field(default_factory=dict)
    is_log: bool = False
    most_pages: int = MAX_PAGES  #: of a list

    @property
    def path(self) -> str:
        """The path of the request, every part of it quoted."""
        parts = [self.resource.root]
        if self.namespace:
            parts += ["namespaces", quote(self.namespace, safe="")]
        parts.append(self.resource.plural)
        if self.name:
            parts.append(quote(self.name, safe=""))
        return "/".join((*parts, "log") if self.is_log else parts)

    @property
    def is_of_place(self) -> bool:
        """True for a list of all there is in a namespace or the cluster; of events, of warnings."""
        return not self.name and self.params in ({}, WARNINGS)

    @property
    def text(self) -> str:
        """The request as the ledger shows it."""
        asked = "&".join(f"{name}={value}" for name, value in self.params.items())
        return f"GET {self.path}?{asked}" if asked else f"GET {self.path}"

    @property
    def permission(self) -> tuple[str, str, str]:
        """What must be granted: API group, resource, verb."""
        plural = f"{self.resource.plural}/log" if self.is_log else self.resource.plural
        return self.resource.group, plural, "get" if self.name else "list"

    @property
    def by_hand(self) -> str:
        """A kubectl command that shows the same."""
        scope = ["-n", self.namespace] if self.namespace else []
        if self.is_log:
            options = [f"--tail={self.params.get('tailLines', '-1')}", "--timestamps"]
            options += ["--previous"] if "previous" in self.params else []
            return _command("logs", self.name, "-c", self.params["container"], *scope, *options)
        what = ".".join(filter(None, (self.resource.plural, self.resource.group)))
        if not self.namespace and self.resource.kind not in OF_CLUSTER:
            scope = ["-A"]
        chosen = [f"{_OPTIONS[name]}={value}" for name, value in self.params.items()]
        return _command("get", what, *filter(None, (self.name,)), *scope, *chosen)


WARNINGS: Mapping[str, str] = {"fieldSelector": "type=Warning"}
_OPTIONS = {"fieldSelector": "--field-selector", "labelSelector": "--selector"}

OF_CLUSTER = frozenset({"Node", "StorageClass", "IngressClass"})
"""Kinds whose objects are in no namespace."""


# RFC 1123, as Kubernetes takes it for names of objects; a namespace has no dots in it.
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def can_be_named(namespace: str, name: str) -> bool:
    """Tell whether an object can have this name in this namespace, or in one not known: ""."""
    is_placed = not namespace or NAMESPACE.fullmatch(namespace)
    return bool(is_placed and NAME.fullmatch(name))


def _command(*words: str) -> str:
    return command("kubectl", *words)
