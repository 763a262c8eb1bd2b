"""What owns a recording's pods, what finds them, and what they store, as the API server has it."""

from collections.abc import Iterator, Mapping
from typing import Any

from cli.replay.kubernetes.moment import (
    Document,
    Moment,
    condition,
    metadata,
    owner,
    since,
    value,
    whole,
)
from cli.replay.kubernetes.pods import PORT, is_ready, is_there, template
from cli.replay.pods import Pod

_REVISION = "deployment.kubernetes.io/revision"
_DEADLINE_SECONDS = 600


def workloads(
    document: Mapping[str, Any], pods: list[Pod], moment: Moment
) -> Iterator[tuple[str, Document]]:
    """Return controllers with their kinds."""
    for name, spec in document["workloads"].items():
        kind = spec.get("owner_kind", "ReplicaSet")
        own = [pod for pod in pods if pod.workload == name and is_there(pod)]
        if kind == "ReplicaSet":
            yield "Deployment", _deployment(name, spec, own, moment)
            for number, key in enumerate(_by_age(spec), 1):
                yield "ReplicaSet", _replica_set(name, spec, key, number, own, moment)
        elif kind == "Job":
            yield "CronJob", _cron_job(name, spec, moment)
            for key in spec["generations"]:
                yield "Job", _job(name, spec, key, own, moment)
        else:
            yield kind, _set(kind, name, spec, own, moment)


def _by_age(spec: Mapping[str, Any]) -> list[str]:
    generations = spec["generations"]
    return sorted(generations, key=lambda key: float(generations[key]["created"]))


def _settings(spec: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {**spec["each"], **spec["generations"][key].get("each", {})}


def _template(name: str, spec: Mapping[str, Any], key: str, labels: Document) -> Document:
    settings = _settings(spec, key)
    image = str(settings.get("image", f"registry.example/{name}:1"))
    return {
        "metadata": {"labels": labels},
        "spec": {
            "containers": [template(settings, name, image)],
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
        },
    }


def _deployment(name: str, spec: Mapping[str, Any], own: list[Pod], moment: Moment) -> Document:
    keys, namespace = _by_age(spec), spec["namespace"]
    created = min(float(spec["generations"][key]["created"]) for key in keys)
    wanted, missing = whole(spec["replicas"]), whole(spec.get("unavailable", 0))
    available = whole(spec["available"]) if "available" in spec else wanted - missing
    newest = f"{name}-{keys[-1]}"
    labels = {"app": name}
    return {
        "metadata": {
            **metadata("Deployment", namespace, name, moment.time(created - 1), labels),
            "generation": len(keys),
            "annotations": {_REVISION: str(len(keys))},
        },
        "spec": {
            "replicas": wanted,
            "selector": {"matchLabels": labels},
            "template": _template(name, spec, keys[-1], labels),
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
            },
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": _DEADLINE_SECONDS,
        },
        "status": {
            "observedGeneration": len(keys),
            "replicas": len(own),
            "updatedReplicas": sum(pod.owner == newest for pod in own),
            "readyReplicas": sum(map(is_ready, own)),
            "availableReplicas": available,
            **({"unavailableReplicas": missing} if missing else {}),
            "conditions": list(_rollout(spec, newest, keys[-1], moment)),
        },
    }


def _rollout(spec: Mapping[str, Any], newest: str, key: str, moment: Moment) -> Iterator[Document]:
    """Return the conditions; a rollout is under way while a recent one lacks replicas."""
    created = float(spec["generations"][key]["created"])
    missing = whole(spec.get("unavailable", 0))
    wanted = whole(spec["replicas"])
    available = whole(spec["available"]) if "available" in spec else wanted - missing
    changed = since(spec.get("unavailable", 0))
    is_available = available >= wanted * 0.75
    yield condition(
        "Available",
        holds=is_available,
        at=moment.time(created if changed is None or is_available else changed),
        reason="MinimumReplicasAvailable" if is_available else "MinimumReplicasUnavailable",
        message=f"Deployment {'has' if is_available else 'does not have'} minimum availability.",
    )
    under_way = missing > 0 and created > -_DEADLINE_SECONDS
    verb = "is progressing" if under_way else "has successfully progressed"
    yield condition(
        "Progressing",
        holds=True,
        at=moment.time(created),
        reason="ReplicaSetUpdated" if under_way else "NewReplicaSetAvailable",
        message=f'ReplicaSet "{newest}" {verb}.',
    )


def _replica_set(
    workload: str, spec: Mapping[str, Any], key: str, number: int, own: list[Pod], moment: Moment
) -> Document:
    name, namespace = f"{workload}-{key}", spec["namespace"]
    pods = [pod for pod in own if pod.owner == name]
    labels = {"app": workload, "pod-template-hash": key}
    created = moment.time(float(spec["generations"][key]["created"]))
    return {
        "metadata": {
            **metadata("ReplicaSet", namespace, name, created, labels),
            "annotations": {_REVISION: str(number)},
            "ownerReferences": owner("Deployment", "apps/v1", namespace, workload),
        },
        "spec": {
            "replicas": len(pods),
            "selector": {"matchLabels": labels},
            "template": _template(workload, spec, key, labels),
        },
        "status": {
            "replicas": len(pods),
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": sum(map(is_ready, pods)),
            "availableReplicas": sum(map(is_ready, pods)),
        },
    }


def _set(kind: str, name: str, spec: Mapping[str, Any], own: list[Pod], moment: Moment) -> Document:
    """Return a StatefulSet or DaemonSet."""
    (key,) = spec["generations"]
    labels = {"app": name}
    created = moment.time(float(spec["generations"][key]["created"]))
    ready = sum(map(is_ready, own))
    return {
        "metadata": {
            **metadata(kind, spec["namespace"], name, created, labels),
            "generation": 1,
        },
        "spec": {
            "replicas": len(own),
            "serviceName": name,
            "selector": {"matchLabels": labels},
            "template": _template(name, spec, key, labels),
        },
        "status": {
            "observedGeneration": 1,
            "replicas": len(own),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "currentReplicas": len(own),
            "updatedReplicas": len(own),
            "desiredNumberScheduled": len(own),
            "numberReady": ready,
        },
    }


def _cron_job(name: str, spec: Mapping[str, Any], moment: Moment) -> Document:
    latest = max(float(each["created"]) for each in spec["generations"].values())
    created = moment.time(latest - 30 * 86_400)
    return {
        "metadata": metadata("CronJob", spec["namespace"], name, created, {"app": name}),
        "spec": {"schedule": "0 3 * * *", "suspend": False, "concurrencyPolicy": "Forbid"},
        "status": {"lastScheduleTime": moment.time(latest)},
    }


def _job(
    workload: str, spec: Mapping[str, Any], key: str, own: list[Pod], moment: Moment
) -> Document:
    name, namespace = f"{workload}-{key}", spec["namespace"]
    pods = [pod for pod in own if pod.owner == name]
    created = moment.time(float(spec["generations"][key]["created"]))
    labels = {"app": workload, "batch.kubernetes.io/job-name": name}
    return {
        "metadata": {
            **metadata("Job", namespace, name, created, labels),
            "ownerReferences": owner("CronJob", "batch/v1", namespace, workload),
        },
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 6,
            "selector": {"matchLabels": {"batch.kubernetes.io/job-name": name}},
            "template": _template(workload, spec, key, labels),
        },
        "status": {"active": len(pods), "ready": sum(map(is_ready, pods)), "startTime": created},
    }


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


def nodes(document: Mapping[str, Any], moment: Moment) -> Iterator[tuple[str, Document]]:
    """Return the nodes."""
    for name, spec in document["nodes"].items():
        is_up = value(spec.get("ready", 1)) > 0
        changed = since(spec.get("ready", 1))
        at = moment.time(-7_776_000)
        yield (
            "Node",
            {
                "metadata": metadata("Node", "", name, at, {"kubernetes.io/hostname": name}),
                "spec": {"taints": [] if is_up else _lost_taints(moment, changed or 0)},
                "status": {
                    "capacity": _capacity(spec),
                    "allocatable": _capacity(spec),
                    "conditions": [
                        *(_pressure(kind, at) for kind in ("Memory", "Disk", "PID")),
                        _ready(moment, changed, is_up=is_up),
                    ],
                    "addresses": [
                        {"type": "InternalIP", "address": spec["ip"]},
                        {"type": "Hostname", "address": name},
                    ],
                    "nodeInfo": {
                        "kernelVersion": "6.1.0-28-amd64",
                        "osImage": "Debian GNU/Linux 12 (bookworm)",
                        "containerRuntimeVersion": "containerd://1.7.24",
                        "kubeletVersion": "v1.31.4",
                        "operatingSystem": "linux",
                        "architecture": "amd64",
                    },
                },
            },
        )


def _capacity(spec: Mapping[str, Any]) -> Document:
    return {
        "cpu": str(spec["cores"]),
        "memory": f"{int(spec['memory_gib']) * 1024 * 1024}Ki",
        "ephemeral-storage": f"{int(spec['disk_gib']) * 1024 * 1024}Ki",
        "pods": "110",
    }


def _pressure(kind: str, at: str) -> Document:
    what = {
        "Memory": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        "Disk": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        "PID": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    }[kind]
    return condition(f"{kind}Pressure", holds=False, at=at, reason=what[0], message=what[1])


def _ready(moment: Moment, changed: float | None, *, is_up: bool) -> Document:
    at = moment.time(-7_776_000 if changed is None else changed)
    if is_up:
        told = {"reason": "KubeletReady", "message": "kubelet is posting ready status"}
        return condition("Ready", holds=True, at=at, **told)
    told = {"reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
    return condition("Ready", holds="Unknown", at=at, **told)


def _lost_taints(moment: Moment, changed: float) -> list[Document]:
    return [
        {
            "key": "node.kubernetes.io/unreachable",
            "effect": effect,
            "timeAdded": moment.time(changed),
        }
        for effect in ("NoSchedule", "NoExecute")
    ]
