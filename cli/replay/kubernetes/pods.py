"""Pods of a recording as the API server has them."""

from collections.abc import Iterator, Mapping
from typing import Any

from cli.replay.kubernetes.moment import (
    Document,
    Moment,
    condition,
    metadata,
    owner,
    since,
    uid,
    value,
)
from cli.replay.pods import Pod

PORT = 8080
_VERSIONS: Mapping[str, str] = {
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
}
_EXIT_CODES = {"Completed": 0, "Error": 1, "OOMKilled": 137}
_FIRST_BACKOFF, _LONGEST_BACKOFF = 10, 300  # seconds, of the kubelet
_TAKES_NO_TRAFFIC = "containers with unready status: [{container}]"


def is_there(pod: Pod) -> bool:
    """Tell whether the pod exists now."""
    return pod.created <= 0 and (pod.until is None or pod.until > 0)


def labels_of(pod: Pod) -> dict[str, str]:
    """Return the labels, by which services and controllers find the pod."""
    found = {"app": pod.workload}
    if pod.owner_kind == "ReplicaSet":
        found["pod-template-hash"] = pod.owner.removeprefix(f"{pod.workload}-")
    if pod.owner_kind == "Job":
        found["batch.kubernetes.io/job-name"] = pod.owner
    return found


def runs(pod: Pod) -> list[float]:
    """Return when each run of the container began, the latest last."""
    return [pod.created, *(at for at in pod.restarts_at if at <= 0)]


def waiting(pod: Pod) -> Mapping[str, Any] | None:
    """Return why the container waits now."""
    return next((each for each in pod.settings.get("waiting", ()) if _holds(each)), None)


def is_ready(pod: Pod) -> bool:
    """Tell whether the pod takes traffic now."""
    return value(pod.settings.get("ready", 1)) > 0


def template(settings: Mapping[str, Any], workload: str, image: str) -> Document:
    """Return what pods of a workload are made of."""
    container: Document = {
        "name": str(settings.get("container", workload)),
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "resources": _resources(settings),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    if name := settings.get("configmap"):
        container["envFrom"] = [{"configMapRef": {"name": name}}]
    if settings.get("probed", True):
        container["readinessProbe"] = _probe("/ready", 5)
        container["livenessProbe"] = _probe("/live", 20)
    return container


def pods(found: list[Pod], nodes: Mapping[str, Any], moment: Moment) -> Iterator[Document]:
    """Return the pods that exist now."""
    for pod in found:
        if is_there(pod):
            node_is_up = value(nodes[pod.node].get("ready", 1)) > 0
            yield _pod(pod, moment, node_is_up=node_is_up)


def _pod(pod: Pod, moment: Moment, *, node_is_up: bool) -> Document:
    spec = template(pod.settings, pod.workload, pod.fields["image"])
    created = moment.time(pod.created)
    return {
        "metadata": {
            **metadata("Pod", pod.namespace, pod.name, created, labels_of(pod)),
            "ownerReferences": owner(
                pod.owner_kind, _VERSIONS[pod.owner_kind], pod.namespace, pod.owner
            ),
        },
        "spec": {
            "containers": [spec],
            "nodeName": pod.node,
            "restartPolicy": "Never" if pod.owner_kind == "Job" else "Always",
            "serviceAccountName": "default",
            "schedulerName": "default-scheduler",
            "dnsPolicy": "ClusterFirst",
            **_claims(pod),
        },
        "status": {
            "phase": "Running",
            "conditions": list(_conditions(pod, moment, node_is_up=node_is_up)),
            "hostIP": pod.host_ip,
            "podIP": pod.ip,
            "podIPs": [{"ip": pod.ip}],
            "startTime": created,
            "containerStatuses": [_status(pod, moment, node_is_up=node_is_up)],
            "qosClass": "Burstable" if spec["resources"] else "BestEffort",
        },
    }


def _claims(pod: Pod) -> Document:
    claim = f"data-{pod.name}"
    if pod.owner_kind != "StatefulSet":
        return {}
    return {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]}


def _conditions(pod: Pod, moment: Moment, *, node_is_up: bool) -> Iterator[Document]:
    born = moment.time(pod.created)
    yield condition("PodScheduled", holds=True, at=born)
    yield condition("Initialized", holds=True, at=born)
    changed = since(pod.settings.get("ready", 1))
    at = born if changed is None else moment.time(changed)
    # Of a lost node the control plane says that its pods are not ready, and nothing of why.
    why = {
        "reason": "ContainersNotReady",
        "message": _TAKES_NO_TRAFFIC.format(container=pod.container),
    }
    told = {} if is_ready(pod) or not node_is_up else why
    yield condition("ContainersReady", holds=is_ready(pod) or not node_is_up, at=at, **told)
    yield condition("Ready", holds=is_ready(pod), at=at, **told)


def _status(pod: Pod, moment: Moment, *, node_is_up: bool) -> Document:
    began, ended = runs(pod), _ended(pod)
    waits = waiting(pod)
    image = pod.fields["image"]
    state = (
        {"waiting": {"reason": waits["reason"], "message": _why_waiting(pod, waits)}}
        if waits
        else {"running": {"startedAt": moment.time(began[-1])}}
    )
    last = {}
    if ended:
        # A container that waits ran last; one that runs has the run before as its last.
        start = began[-1] if waits or len(began) == 1 else began[-2]
        end = start + pod.settings.get("run_seconds", 1) if waits else began[-1]
        last = {"terminated": _terminated(pod, ended, moment, start, end)}
    return {
        "name": pod.container,
        "ready": (is_ready(pod) or not node_is_up) and not waits,
        "started": not waits,
        "restartCount": len(began) - 1,
        "image": image,
        "imageID": f"{image.partition(':')[0]}@sha256:{_digest('Image', image)}",
        "containerID": f"containerd://{_digest('Container', pod.name)}",
        "state": state,
        "lastState": last,
    }


def _terminated(
    pod: Pod, ended: Mapping[str, Any], moment: Moment, start: float, end: float
) -> Document:
    reason = ended["reason"]
    return {
        "exitCode": int(ended.get("exit_code", _EXIT_CODES.get(reason, 1))),
        "reason": reason,
        "startedAt": moment.time(start),
        "finishedAt": moment.time(end),
        "containerID": f"containerd://{_digest('Last', pod.name)}",
    }


def _digest(kind: str, name: str) -> str:
    return uid(kind, "", name).replace("-", "") * 2


def _ended(pod: Pod) -> Mapping[str, Any] | None:
    return next((each for each in pod.settings.get("terminated", ()) if _holds(each)), None)


def _why_waiting(pod: Pod, waits: Mapping[str, Any]) -> str:
    if "message" in waits:
        return str(waits["message"])
    if waits["reason"] != "CrashLoopBackOff":
        return ""
    seconds = min(_FIRST_BACKOFF * 2 ** (len(runs(pod)) - 1), _LONGEST_BACKOFF)
    told = f"{seconds // 60}m{seconds % 60}s" if seconds >= 60 else f"{seconds}s"  # noqa: PLR2004 - Go writes 5m0s
    where = f"{pod.name}_{pod.namespace}({pod.fields['uid']})"
    return f"back-off {told} restarting failed container={pod.container} pod={where}"


def _holds(state: Mapping[str, Any]) -> bool:
    until = state.get("until")
    return state.get("since", 0) <= 0 and (until is None or until > 0)


def _resources(settings: Mapping[str, Any]) -> Document:
    """Return requests and limits as they would stand in a manifest."""
    found: Document = {}
    for key, part in (("limit", "limits"), ("request", "requests")):
        told = {}
        if f"cpu_{key}" in settings:
            told["cpu"] = f"{round(value(settings[f'cpu_{key}']) * 1000)}m"
        if f"memory_{key}_mib" in settings:
            told["memory"] = f"{round(value(settings[f'memory_{key}_mib']))}Mi"
        if told:
            found[part] = told
    return found


def _probe(path: str, period: int) -> Document:
    return {
        "httpGet": {"path": path, "port": "http", "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
