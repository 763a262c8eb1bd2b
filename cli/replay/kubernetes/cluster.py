"""Everything a recording's cluster holds, by kind, as of the moment its alerts arrive."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cli.replay.kubernetes.events import as_grouped, events
from cli.replay.kubernetes.moment import Document, Moment, metadata
from cli.replay.kubernetes.nodes import nodes
from cli.replay.kubernetes.pods import pods as pod_documents
from cli.replay.kubernetes.services import claims, config_maps, services
from cli.replay.kubernetes.workloads import workloads
from cli.replay.pods import pods_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of object, and where the API has it."""

    kind: str
    plural: str
    version: str = "v1"  #: with its group, except the core group
    is_namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group, "" for the core."""
        return self.version.rpartition("/")[0]


KINDS = (
    Kind(kind="Pod", plural="pods"),
    Kind(kind="Event", plural="events"),
    Kind(kind="Event", plural="events", version="events.k8s.io/v1"),
    Kind(kind="Service", plural="services"),
    Kind(kind="ConfigMap", plural="configmaps"),
    Kind(kind="PersistentVolumeClaim", plural="persistentvolumeclaims"),
    Kind(kind="ResourceQuota", plural="resourcequotas"),
    Kind(kind="LimitRange", plural="limitranges"),
    Kind(kind="Node", plural="nodes", is_namespaced=False),
    Kind(kind="Deployment", plural="deployments", version="apps/v1"),
    Kind(kind="ReplicaSet", plural="replicasets", version="apps/v1"),
    Kind(kind="StatefulSet", plural="statefulsets", version="apps/v1"),
    Kind(kind="DaemonSet", plural="daemonsets", version="apps/v1"),
    Kind(kind="ControllerRevision", plural="controllerrevisions", version="apps/v1"),
    Kind(kind="Job", plural="jobs", version="batch/v1"),
    Kind(kind="CronJob", plural="cronjobs", version="batch/v1"),
    Kind(
        kind="HorizontalPodAutoscaler", plural="horizontalpodautoscalers", version="autoscaling/v2"
    ),
    Kind(kind="EndpointSlice", plural="endpointslices", version="discovery.k8s.io/v1"),
    Kind(kind="Ingress", plural="ingresses", version="networking.k8s.io/v1"),
    Kind(kind="NetworkPolicy", plural="networkpolicies", version="networking.k8s.io/v1"),
    Kind(
        kind="IngressClass",
        plural="ingressclasses",
        version="networking.k8s.io/v1",
        is_namespaced=False,
    ),
    Kind(
        kind="StorageClass",
        plural="storageclasses",
        version="storage.k8s.io/v1",
        is_namespaced=False,
    ),
)
"""What can be read; Secrets are not among them, as for any account that is given little."""


def cluster(document: Mapping[str, Any], now: int) -> dict[tuple[str, str], list[Document]]:
    """Return the objects by kind and version; `now` is in unix seconds."""
    held: dict[str, list[Document]] = {}
    for kind, item in _objects(document, Moment(now)):
        held.setdefault(kind, []).append(item)
    found = {(each.kind, each.version): held.get(each.kind, []) for each in KINDS}
    found["Event", "events.k8s.io/v1"] = [as_grouped(each) for each in held.get("Event", [])]
    return {key: sorted(items, key=_place) for key, items in found.items()}


def _objects(document: Mapping[str, Any], moment: Moment) -> Iterator[tuple[str, Document]]:
    pods = pods_of(document)
    yield from (("Pod", each) for each in pod_documents(pods, document["nodes"], moment))
    yield from (("Event", each) for each in events(document, pods, moment))
    yield from workloads(document, pods, moment)
    yield from services(document, pods, moment)
    yield from claims(document, moment)
    yield from config_maps(document, moment)
    yield from nodes(document, moment)
    for item in document.get("objects", ()):
        created = moment.time(float(item.get("created", -2_592_000)))
        named = metadata(item["kind"], item.get("namespace", ""), item["name"], created)
        rest = {key: item[key] for key in ("spec", "status") if key in item}
        yield item["kind"], {"metadata": named, **rest}


def _place(item: Document) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]
