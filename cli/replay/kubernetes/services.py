"""What finds a recording's pods, and what they store and read, as the API server has it."""

from collections.abc import Iterator, Mapping
from typing import Any

from cli.replay.kubernetes.moment import Document, Moment, metadata, owner, whole
from cli.replay.kubernetes.pods import PORT, is_ready, is_there
from cli.replay.pods import Pod


def services(
    document: Mapping[str, Any], pods: list[Pod], moment: Moment
) -> Iterator[tuple[str, Document]]:
    """Return a Service for every workload that is called, with its EndpointSlice."""
    called = [spec["to"] for part in ("calls", "requests") for spec in document.get(part, ())]
    stored = [name for name, spec in document["workloads"].items() if _is_stateful(spec)]
    for name in dict.fromkeys((*called, *stored)):
        spec = document["workloads"][name]
        namespace = spec["namespace"]
        created = moment.time(min(float(each["created"]) for each in spec["generations"].values()))
        labels = {"app": name}
        port = {"name": "http", "protocol": "TCP", "port": 80, "targetPort": "http"}
        yield (
            "Service",
            {
                "metadata": metadata("Service", namespace, name, created, labels),
                "spec": {
                    "type": "ClusterIP",
                    "clusterIP": "None" if _is_stateful(spec) else f"10.43.7.{20 + len(name)}",
                    "selector": labels,
                    "ports": [port],
                    "internalTrafficPolicy": "Cluster",
                },
                "status": {"loadBalancer": {}},
            },
        )
        own = [pod for pod in pods if pod.workload == name and is_there(pod)]
        yield "EndpointSlice", _slice(name, namespace, created, own)


def _is_stateful(spec: Mapping[str, Any]) -> bool:
    return spec.get("owner_kind") == "StatefulSet"


def _slice(name: str, namespace: str, created: str, own: list[Pod]) -> Document:
    labels = {"kubernetes.io/service-name": name}
    return {
        "metadata": {
            **metadata("EndpointSlice", namespace, f"{name}-x7d4k", created, labels),
            "ownerReferences": owner("Service", "v1", namespace, name),
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": PORT, "protocol": "TCP"}],
        "endpoints": [
            {
                "addresses": [pod.ip],
                "conditions": {
                    "ready": is_ready(pod),
                    "serving": is_ready(pod),
                    "terminating": False,
                },
                "nodeName": pod.node,
                "targetRef": {"kind": "Pod", "name": pod.name, "namespace": namespace},
            }
            for pod in own
        ],
    }


def claims(document: Mapping[str, Any], moment: Moment) -> Iterator[tuple[str, Document]]:
    """Return the volume claims, and the class they were made by."""
    for name, spec in document.get("volumes", {}).items():
        size = f"{whole(spec['gib'])}Gi"
        created = moment.time(-5_184_000)
        yield (
            "PersistentVolumeClaim",
            {
                "metadata": metadata("PersistentVolumeClaim", spec["namespace"], name, created),
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": size}},
                    "storageClassName": "standard",
                    "volumeName": f"pvc-{name}",
                },
                "status": {
                    "phase": "Bound",
                    "accessModes": ["ReadWriteOnce"],
                    "capacity": {"storage": size},
                },
            },
        )
    yield (
        "StorageClass",
        {
            "metadata": metadata("StorageClass", "", "standard", moment.time(-7_776_000)),
            "provisioner": "csi.example",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    )


def config_maps(document: Mapping[str, Any], moment: Moment) -> Iterator[tuple[str, Document]]:
    """Return the ConfigMaps that workloads refer to; what they hold nobody asks for."""
    for spec in document["workloads"].values():
        if name := spec["each"].get("configmap"):
            created = moment.time(-2_592_000)
            yield "ConfigMap", {"metadata": metadata("ConfigMap", spec["namespace"], name, created)}
