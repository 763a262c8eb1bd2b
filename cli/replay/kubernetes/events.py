"""Events of a recording: what the controllers and kubelets told, and what its file adds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cli.replay.kubernetes.moment import Document, Moment, flips, metadata, uid
from cli.replay.kubernetes.pods import is_there, runs, waiting
from cli.replay.pods import Pod

_KEPT_SECONDS = 3600  # the API server's --event-ttl
_BACKOFF_EVERY = 13  # seconds, about: a kubelet looks at a pod as often while it waits


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that was told of an object, once or again and again."""

    kind: str
    namespace: str  #: of the object; "" for nodes
    name: str
    reason: str
    message: str
    by: str
    first: float  #: seconds relative to now
    last: float
    count: int = 1
    host: str = ""
    container: str = ""
    is_warning: bool = False
    by_series: bool = False  #: told by the newer API, which knows one time only


def events(document: Mapping[str, Any], pods: list[Pod], moment: Moment) -> list[Document]:
    """Return the events that the API server still has, in no order of time."""
    told = [
        *_of_workloads(document, pods),
        *(event for pod in pods for event in _of_pod(pod)),
        *_of_nodes(document, pods),
        *_of_the_file(document, pods),
    ]
    kept = [each for each in told if -_KEPT_SECONDS < each.last <= 0]
    return [_document(each, number, moment) for number, each in enumerate(kept)]


def _of_workloads(document: Mapping[str, Any], pods: list[Pod]) -> Iterator[Event]:
    for workload, spec in document["workloads"].items():
        kind = spec.get("owner_kind", "ReplicaSet")
        for key, generation in spec["generations"].items():
            name, at = f"{workload}-{key}", float(generation["created"])
            told = {
                "ReplicaSet": (
                    "Deployment",
                    "ScalingReplicaSet",
                    f"Scaled up replica set {name} to {len(generation['pods'])}",
                ),
                "Job": ("CronJob", "SuccessfulCreate", f"Created job {name}"),
            }
            if kind in told:
                owner, reason, message = told[kind]
                yield Event(
                    kind=owner,
                    namespace=spec["namespace"],
                    name=workload,
                    reason=reason,
                    message=message,
                    by=f"{owner.lower()}-controller",
                    first=at,
                    last=at,
                )
    for pod in pods:
        yield _of_owner(pod, "SuccessfulCreate", f"Created pod: {pod.name}", pod.created)
        if pod.until is not None:
            yield _of_owner(pod, "SuccessfulDelete", f"Deleted pod: {pod.name}", pod.until)


def _of_owner(pod: Pod, reason: str, message: str, at: float) -> Event:
    return Event(
        kind=pod.owner_kind,
        namespace=pod.namespace,
        name=pod.owner,
        reason=reason,
        message=message,
        by=f"{pod.owner_kind.lower()}-controller",
        first=at,
        last=at,
    )


def _of_pod(pod: Pod) -> Iterator[Event]:
    scheduled = Event(
        kind="Pod",
        namespace=pod.namespace,
        name=pod.name,
        reason="Scheduled",
        message=f"Successfully assigned {pod.namespace}/{pod.name} to {pod.node}",
        by="default-scheduler",
        first=pod.created,
        last=pod.created,
        by_series=True,
    )
    yield scheduled
    kubelet = replace(
        scheduled, by="kubelet", host=pod.node, container=pod.container, by_series=False
    )
    yield from _of_container(pod, kubelet)


def _of_container(pod: Pod, told: Event) -> Iterator[Event]:
    """Yield what the kubelet tells of a pod's container; `told` is what its events share."""
    began = runs(pod)
    started = replace(told, first=pod.created + 1, last=began[-1], count=len(began))
    for reason, message in (
        ("Pulled", f'Container image "{pod.fields["image"]}" already present on machine'),
        ("Created", f"Created container {pod.container}"),
        ("Started", f"Started container {pod.container}"),
    ):
        yield replace(started, reason=reason, message=message)
    if pod.until is not None:
        at, message = pod.until - 30, f"Stopping container {pod.container}"
        yield replace(told, reason="Killing", message=message, first=at, last=at)
    if waiting(pod) and len(began) > 1:
        yield replace(
            told,
            reason="BackOff",
            message=f"Back-off restarting failed container {pod.container} in pod "
            f"{pod.name}_{pod.namespace}({pod.fields['uid']})",
            first=pod.created + 2,
            last=-4,
            count=max(int(-pod.created / _BACKOFF_EVERY), 1),
            is_warning=True,
        )


def _of_nodes(document: Mapping[str, Any], pods: Sequence[Pod]) -> Iterator[Event]:
    for name, spec in document["nodes"].items():
        changes = flips(spec.get("ready", 1))
        for is_ready, word, by in (
            (False, "NodeNotReady", "node-controller"),
            (True, "NodeReady", "kubelet"),
        ):
            times = [at for at, holds in changes if holds is is_ready]
            if not times:
                continue
            told = Event(
                kind="Node",
                namespace="",
                name=name,
                reason=word,
                message=f"Node {name} status is now: {word}",
                by=by,
                first=times[0],
                last=times[-1],
                count=len(times),
            )
            yield told
            for pod in pods:
                if not is_ready and pod.node == name and is_there(pod):
                    yield replace(
                        told,
                        kind="Pod",
                        namespace=pod.namespace,
                        name=pod.name,
                        message="Node is not ready",
                        is_warning=True,
                    )


def _of_the_file(document: Mapping[str, Any], pods: Sequence[Pod]) -> Iterator[Event]:
    by_name = {pod.name: pod for pod in pods}
    for spec in document.get("events", ()):
        kind, name = next((key, spec[key]) for key in ("Pod", "Deployment", "Node") if key in spec)
        pod = by_name.get(name)
        workload = document["workloads"].get(name, {})
        yield Event(
            kind=kind,
            namespace=pod.namespace if pod else workload.get("namespace", ""),
            name=name,
            reason=spec["reason"],
            message=spec["message"].format(ip=pod.ip if pod else "", node=pod.node if pod else ""),
            by=spec.get("by", "kubelet"),
            host=pod.node if pod else "",
            container=pod.container if pod else "",
            first=float(spec.get("first", spec["last"])),
            last=float(spec["last"]),
            count=int(spec.get("count", 1)),
            is_warning=spec.get("type", "Warning") == "Warning",
        )


def _document(event: Event, number: int, moment: Moment) -> Document:
    """Return an event as core/v1 has it."""
    namespace = event.namespace or "default"
    name = f"{event.name}.{uid('Event', event.name, str(number)).replace('-', '')[:16]}"
    involved: Document = {
        "kind": event.kind,
        **({"namespace": event.namespace} if event.namespace else {}),
        "name": event.name,
        "uid": uid(event.kind, event.namespace, event.name),
        **({"fieldPath": f"spec.containers{{{event.container}}}"} if event.container else {}),
    }
    return {
        "metadata": metadata("Event", namespace, name, moment.time(event.first)),
        "involvedObject": involved,
        "reason": event.reason,
        "message": event.message,
        "type": "Warning" if event.is_warning else "Normal",
        **_times(event, moment),
    }


def _times(event: Event, moment: Moment) -> Document:
    """Return when and by whom it was told; of the newer sort all times but one are null."""
    if event.by_series:
        return {
            "eventTime": moment.micro_time(event.first),
            "firstTimestamp": None,
            "lastTimestamp": None,
            "source": {},
            "action": "Binding",
            "reportingComponent": event.by,
            "reportingInstance": f"{event.by}-0",
        }
    return {
        "eventTime": None,
        "firstTimestamp": moment.time(event.first),
        "lastTimestamp": moment.time(event.last),
        "count": event.count,
        "source": {"component": event.by, **({"host": event.host} if event.host else {})},
        "reportingComponent": "",
        "reportingInstance": "",
    }


def as_grouped(event: Document) -> Document:
    """Return an event as events.k8s.io/v1 has it."""
    is_counted = event["eventTime"] is None
    reporter = {} if is_counted else {"reportingController": event["reportingComponent"]}
    return {
        "metadata": event["metadata"],
        "eventTime": event["eventTime"],
        "reason": event["reason"],
        "regarding": event["involvedObject"],
        "note": event["message"],
        "type": event["type"],
        **reporter,
        **({} if is_counted else {"reportingInstance": event["reportingInstance"]}),
        "deprecatedSource": event["source"],
        "deprecatedFirstTimestamp": event["firstTimestamp"],
        "deprecatedLastTimestamp": event["lastTimestamp"],
        **({"deprecatedCount": event["count"]} if is_counted else {}),
    }
