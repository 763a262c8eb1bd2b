"""Small builders of what collect and enrich hand to diagnose; only what matters is spelled out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from opssage.diagnosis import Diagnosis
from opssage.evidence import (
    AffectedComponents,
    AlertMetadata,
    Evidence,
    EvidenceCollected,
    EvidenceKind,
    PreliminaryAnalysis,
    PrimaryContext,
    SourceReport,
    SourceStatus,
    Window,
)
from opssage.knowledge import EnhancedContext
from opssage.settings import DiagnoseSettings
from opssage.wire import format_time
from tasks.diagnose import diagnose

ONSET = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
WINDOW = Window(start=ONSET - timedelta(minutes=30), end=ONSET + timedelta(minutes=5), onset=ONSET)
_STEP = 15
_UNITS = {
    "cpu_usage": "cores",
    "cpu_limit": "cores",
    "memory_usage": "bytes",
    "memory_limit": "bytes",
    "latency_p99": "seconds",
    "request_rate": "per_second",
    "restarts": "count",
    "waiting_reason": "count",
    "terminated_reason": "count",
    "replicas_unavailable": "count",
    "node_condition": "count",
    "alert_signal": "",
    "up": "",
}


def at(seconds: float) -> datetime:
    """Return a moment so many seconds after onset."""
    return ONSET + timedelta(seconds=seconds)


def metric(
    signal: str,
    subject: Mapping[str, str],
    before: float | None,
    after: float,
    *,
    onset: float | None = 0,
    **data: Any,
) -> Evidence:
    """Return a series that steps from `before` to `after`, `onset` seconds after the onset."""
    step_at = 0 if onset is None else onset
    times = range(-600, 301, _STEP)
    values = [before if seconds < step_at else after for seconds in times]
    moved = onset is not None and before != after
    return Evidence(
        kind=EvidenceKind.METRIC,
        source="prometheus",
        summary=f"{signal} {before} then {after}",
        observed_at=ONSET,
        subject=dict(subject),
        query=f"query of {signal}",
        data={
            "signal": signal,
            "unit": _UNITS.get(signal, "ratio"),
            "points": [
                [at(seconds).timestamp(), value]
                for seconds, value in zip(times, values, strict=True)
            ],
            "before": None if before is None else _numbers([before] * 40),
            "after": _numbers([after] * 20),
            "last": after,
            "onset_at": format_time(at(step_at)) if moved else None,
            **data,
        },
    )


def _numbers(values: Sequence[float]) -> dict[str, float]:
    return {"median": median(values), "max": max(values), "min": min(values), "count": len(values)}


def log(
    service: str,
    text: str,
    *,
    before: int = 0,
    after: int = 12,
    first: float = 0,
    level: str = "error",
    **subject: str,
) -> Evidence:
    """Return a log template of a service, by default one that is new since onset."""
    return Evidence(
        kind=EvidenceKind.LOG,
        source="loki",
        summary=f"log line of {service}",
        observed_at=at(first),
        subject={"namespace": "shop", "service": service, **subject},
        query=f'{{service="{service}"}}',
        data={
            "template": text,
            "level": level,
            "count_before": before,
            "count_after": after,
            "rate_before": before / 30,
            "rate_after": after / 5,
            "first_at": format_time(at(first)),
            "examples": [text],
        },
    )


def alert(name: str, *, starts: float = 60, **labels: str) -> Evidence:
    """Return a firing alert with these labels."""
    return Evidence(
        kind=EvidenceKind.ALERT,
        source="alert",
        summary=f"{name} firing",
        observed_at=at(starts),
        subject={
            key: labels[key] for key in ("namespace", "service", "pod", "node") if key in labels
        },
        data={
            "status": "firing",
            "labels": {"alertname": name, **labels},
            "annotations": {},
            "starts_at": format_time(at(starts)),
            "ends_at": None,
            "firing_condition": "",
        },
    )


def nearby(
    name: str, *, starts: float = 60, relation: str = "neighbour", **labels: str
) -> Evidence:
    """Return an alert that fires beside those of the incident."""
    own = alert(name, starts=starts, **labels)
    return replace(own, source="alertmanager", data={**own.data, "relation": relation})


def reported(kind: str, name: str, *, before_onset: float = 120, **told: str) -> Evidence:
    """Return a change of a service that somebody reported."""
    return Evidence(
        kind=EvidenceKind.CHANGE,
        source="changes",
        summary=f"{kind} of {name}",
        observed_at=at(-before_onset),
        subject=service(name),
        data={
            "change": kind,
            "at": format_time(at(-before_onset)),
            "seconds_before_onset": before_onset,
            **dict.fromkeys(("from", "to", "by", "url", "summary"), ""),
            **told,
        },
    )


def rollout(workload: str, *, before_onset: float = 120) -> Evidence:
    """Return a rollout so many seconds before onset; a negative number is after it."""
    return Evidence(
        kind=EvidenceKind.CHANGE,
        source="prometheus",
        summary=f"deployment {workload} was rolled out",
        observed_at=at(-before_onset),
        subject={"namespace": "shop", "workload": workload, "service": workload},
        query="kube_replicaset_created",
        data={
            "change": "rollout",
            "at": format_time(at(-before_onset)),
            "seconds_before_onset": before_onset,
            "from": f"{workload}-6c5d7f8b9d",
            "to": f"{workload}-7f9c8d6b5f",
        },
    )


def thing(
    kind: str, name: str, *problems: tuple[str, str], exists: bool = True, **facts: Any
) -> Evidence:
    """Return what Kubernetes says of an object; a problem is a reason and a message."""
    place = {} if kind == "Node" else {"namespace": "shop"}
    return Evidence(
        kind=EvidenceKind.OBJECT,
        source="kubernetes",
        summary=f"{kind} {name}: {problems}",
        observed_at=at(300),
        subject={**place, **_whom(kind, name)},
        query=f"GET {kind}",
        data={
            "object": {"kind": kind, "name": name, **place},
            "as_of": format_time(at(300)),
            "exists": exists,
            "facts": facts,
            "problems": [{"reason": reason, "message": message} for reason, message in problems],
        },
    )


def happening(
    kind: str,
    name: str,
    reason: str,
    message: str = "",
    *,
    count: int = 5,
    first: float = 0,
    last: float = 240,
) -> Evidence:
    """Return an event of Kubernetes; times are seconds after onset."""
    place = {} if kind == "Node" else {"namespace": "shop"}
    return Evidence(
        kind=EvidenceKind.EVENT,
        source="kubernetes",
        summary=f"{reason} at {kind} {name}: {message}",
        observed_at=at(last),
        subject={**place, **_whom(kind, name)},
        query="GET events",
        data={
            "type": "Warning",
            "reason": reason,
            "message": message,
            "count": count,
            "first_at": format_time(at(first)),
            "last_at": format_time(at(last)),
            "object": {"kind": kind, "name": name, **place},
            "reported_by": "kubelet",
        },
    )


def _whom(kind: str, name: str) -> dict[str, str]:
    """Return the places of an object; a pod is named by its workload."""
    if kind == "Pod":
        return {**pod(name, "node-7"), "pod": f"{name}-7f9c8d6b5f-xk4nm"}
    key = {"Node": "node", "Service": "service", "Ingress": "service"}.get(kind, "workload")
    return {key: name}


def service(name: str) -> dict[str, str]:
    """Return the subject of a service in the namespace shop."""
    return {"namespace": "shop", "service": name}


def pod(workload: str, node: str = "") -> dict[str, str]:
    """Return the subject of a pod of a Deployment, on a node if one is named."""
    name = f"{workload}-7f9c8d6b5f-xk4nm"
    return {"namespace": "shop", "pod": name, "workload": workload} | (
        {"node": node} if node else {}
    )


def edge(caller: str, called: str) -> dict[str, str]:
    """Return the subject of calls from one service to another."""
    return {**service(caller), "peer": called}


def errors(name: str, *, onset: float = 0) -> Evidence:
    """Return an error ratio that rises to 30%."""
    return metric("error_ratio", service(name), 0.0, 0.3, onset=onset)


def crash_loop(workload: str, **subject: str) -> tuple[Evidence, ...]:
    """Return what Kubernetes' metrics show of a pod that cannot stay up."""
    where = {**pod(workload), "container": "app", **subject}
    return (
        metric("waiting_reason", where, 0, 1, reason="CrashLoopBackOff"),
        metric("restarts", where, 0, 3),
        metric("replicas_unavailable", {"namespace": "shop", "workload": workload}, 0, 1),
    )


ALL_ANSWERED = (
    SourceReport(source="loki", status=SourceStatus.OK, query="{}"),
    SourceReport(
        source="prometheus", status=SourceStatus.OK, query="kube_pod_container_resource_limits"
    ),
)


def context(
    *evidence: Evidence | Iterable[Evidence],
    sources: Sequence[SourceReport] = ALL_ANSWERED,
) -> PrimaryContext:
    """Return the context of this evidence, numbered in the order given."""
    flat = [one for each in evidence for one in ([each] if isinstance(each, Evidence) else each)]
    numbered = [
        replace(item, evidence_id=f"E{number}") for number, item in enumerate(flat, start=1)
    ]
    return PrimaryContext(
        alert_metadata=AlertMetadata(
            alert_name="Alert", severity="critical", firing_condition="", trigger_time=at(60)
        ),
        affected_components=AffectedComponents(namespace="shop"),
        evidence_collected=EvidenceCollected.by_kind(numbered),
        preliminary_analysis=PreliminaryAnalysis(),
        window=WINDOW,
        alert_seq=1,
        sources=tuple(sources),
    )


def diagnosed(
    *evidence: Evidence | Iterable[Evidence],
    sources: Sequence[SourceReport] = ALL_ANSWERED,
    calls: Mapping[str, tuple[str, ...]] | None = None,
    **known: Any,
) -> Diagnosis:
    """Return the diagnosis of this evidence; `calls` is caller → called, `known` from enrich."""
    return diagnose(
        context(*evidence, sources=sources),
        EnhancedContext(topology=calls or {}, **known),
        DiagnoseSettings(),
    )
