"""What owns a recording's pods, as the API server has it."""

from collections.abc import Iterator, Mapping
from typing import Any

from cli.replay.kubernetes.moment import (
    Document,
    Moment,
    condition,
    metadata,
    owner,
    since,
    whole,
)
from cli.replay.kubernetes.pods import is_ready, is_there, template
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
