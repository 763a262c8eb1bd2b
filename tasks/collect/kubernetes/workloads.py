"""Workloads: how many replicas they want and have, and what keeps the others away."""

from collections.abc import Iterator, Mapping
from typing import Any

from tasks.collect.kubernetes.api import Document
from tasks.collect.kubernetes.known import Known
from tasks.collect.kubernetes.sight import (
    Problem,
    Sight,
    conditions,
    from_conditions,
    mapping,
    mappings,
    moment,
    names,
    text,
    time_text,
    told,
    whole,
)

REVISION = "deployment.kubernetes.io/revision"


def deployment(item: Document, _: Known) -> Sight:
    """Return a Deployment's state."""
    replicas = _replicas(item, ready="readyReplicas", updated="updatedReplicas")
    facts = {
        **_of_template(item),
        "replicas": replicas,
        "revision": text(item, "metadata", "annotations", REVISION),
        "strategy": text(item, "spec", "strategy", "type"),
        "paused": mapping(item, "spec").get("paused"),
    }
    bad = {"Available": ("False", ""), "Progressing": ("False", ""), "ReplicaFailure": ("True", "")}
    problems = tuple(from_conditions(item, bad))
    if not problems and not _is_rolling(item):
        problems = tuple(_missing(replicas))
    return Sight(facts=told(facts), problems=problems)


def _is_rolling(item: Document) -> bool:
    """Tell whether the controller says that a rollout goes on."""
    return text(conditions(item).get("Progressing", {}), "reason") == "ReplicaSetUpdated"


def replica_set(item: Document, _: Known) -> Sight:
    """Return a ReplicaSet's state."""
    facts = {**_of_template(item), "replicas": _replicas(item, ready="readyReplicas")}
    problems = tuple(from_conditions(item, {"ReplicaFailure": ("True", "")}))
    return Sight(facts=told(facts), problems=problems)


def stateful_set(item: Document, _: Known) -> Sight:
    """Return a StatefulSet's state."""
    replicas = _replicas(item, ready="readyReplicas", updated="updatedReplicas")
    facts = {
        **_of_template(item),
        "replicas": replicas,
        "revision": text(item, "status", "currentRevision"),
        "next_revision": text(item, "status", "updateRevision"),
    }
    return Sight(facts=told(facts), problems=tuple(_missing(replicas)))


def daemon_set(item: Document, _: Known) -> Sight:
    """Return a DaemonSet's state."""
    replicas = {
        "desired": whole(item, "status", "desiredNumberScheduled"),
        "ready": whole(item, "status", "numberReady"),
        "updated": whole(item, "status", "updatedNumberScheduled"),
        "unavailable": whole(item, "status", "numberUnavailable"),
        "misscheduled": whole(item, "status", "numberMisscheduled"),
    }
    facts = {**_of_template(item), "replicas": replicas}
    return Sight(facts=told(facts), problems=tuple(_missing(replicas)))


def job(item: Document, _: Known) -> Sight:
    """Return a Job's state."""
    facts = {
        **_of_template(item),
        "completions": mapping(item, "spec").get("completions"),
        "active": whole(item, "status", "active"),
        "succeeded": whole(item, "status", "succeeded"),
        "failed": whole(item, "status", "failed"),
        "backoff_limit": mapping(item, "spec").get("backoffLimit"),
        "suspended": mapping(item, "spec").get("suspend"),
        "started_at": time_text(moment(item, "status", "startTime")),
        "completed_at": time_text(moment(item, "status", "completionTime")),
    }
    problems = tuple(from_conditions(item, {"Failed": ("True", "")}))
    return Sight(facts=told(facts), problems=problems)


def cron_job(item: Document, _: Known) -> Sight:
    """Return a CronJob's state."""
    facts = {
        "schedule": text(item, "spec", "schedule"),
        "time_zone": text(item, "spec", "timeZone"),
        "concurrency": text(item, "spec", "concurrencyPolicy"),
        "suspended": mapping(item, "spec").get("suspend"),
        "active": names(text(each, "name") for each in mappings(item, "status", "active")),
        "last_run_at": time_text(moment(item, "status", "lastScheduleTime")),
        "last_success_at": time_text(moment(item, "status", "lastSuccessfulTime")),
    }
    return Sight(facts=told(facts))


def autoscaler(item: Document, _: Known) -> Sight:
    """Return a HorizontalPodAutoscaler's state."""
    target = mapping(item, "spec", "scaleTargetRef")
    limited = text(conditions(item).get("ScalingLimited", {}), "reason")
    facts = {
        "target": told({"kind": text(target, "kind"), "name": text(target, "name")}),
        "min": mapping(item, "spec").get("minReplicas"),
        "max": mapping(item, "spec").get("maxReplicas"),
        "current": whole(item, "status", "currentReplicas"),
        "desired": whole(item, "status", "desiredReplicas"),
        "last_scaled_at": time_text(moment(item, "status", "lastScaleTime")),
        "wanted": [_metric(each, "target") for each in mappings(item, "spec", "metrics")],
        "measured": [
            _metric(each, "current") for each in mappings(item, "status", "currentMetrics")
        ],
    }
    at_most = {"ScalingLimited": ("True", "")} if limited == "TooManyReplicas" else {}
    bad = {"ScalingActive": ("False", ""), "AbleToScale": ("False", ""), **at_most}
    problems = tuple(
        problem
        for problem in from_conditions(item, bad)
        if problem.reason != "ScalingDisabled"  # scaled to zero on purpose
    )
    return Sight(facts=told(facts), problems=problems)


def _metric(metric: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a metric of an autoscaler in one line: `cpu: {averageUtilization: 80}`."""
    kind = text(metric, "type")
    own = mapping(metric, kind[:1].lower() + kind[1:])
    name = text(own, "name") or text(own, "metric", "name") or kind
    values = {name: value for name, value in mapping(own, key).items() if name != "type"}
    return {"metric": name, **values}


def _of_template(item: Document) -> dict[str, Any]:
    """Return what the pods are made from."""
    containers = mappings(item, "spec", "template", "spec", "containers")
    return {
        "images": {text(each, "name"): text(each, "image") for each in containers},
        "created_at": time_text(moment(item, "metadata", "creationTimestamp")),
    }


def _replicas(item: Document, **keys: str) -> dict[str, int]:
    wanted = mapping(item, "spec").get("replicas")
    counted = {name: whole(item, "status", key) for name, key in keys.items()}
    return {"desired": wanted if isinstance(wanted, int) else 1, **counted}


def _missing(replicas: Mapping[str, int]) -> Iterator[Problem]:
    desired, ready = replicas["desired"], replicas["ready"]
    if ready < desired:
        yield Problem(reason="ReplicasUnavailable", message=f"{ready} of {desired} are ready")
