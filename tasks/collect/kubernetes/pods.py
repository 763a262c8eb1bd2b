"""Pods: what their containers do, how they ended last, and why they do not start."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from tasks.collect.kubernetes.api import Document
from tasks.collect.kubernetes.known import Known
from tasks.collect.kubernetes.sight import (
    MAX_MESSAGE,
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

STARTING = frozenset({"ContainerCreating", "PodInitializing"})
"""Reasons to wait that every pod has for a moment."""

PATIENCE = timedelta(minutes=2)
"""A pod that starts for longer than this waits for something."""

_STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
_PROBES = {"liveness": "livenessProbe", "readiness": "readinessProbe", "startup": "startupProbe"}
_BY = ("httpGet", "tcpSocket", "exec", "grpc")


def pod(item: Document, known: Known) -> Sight:
    """Return a pod's state."""
    statuses = container_statuses(item)
    owner = known.owner(item)
    metadata, spec, status = (mapping(item, key) for key in ("metadata", "spec", "status"))
    main = mappings(status, "containerStatuses")
    facts = told(
        {
            "phase": text(status, "phase"),
            "reason": text(status, "reason"),
            "ready": f"{sum(bool(each.get('ready')) for each in main)}"
            f"/{len(mappings(spec, 'containers'))}",
            "restarts": sum(whole(each, "restartCount") for each in statuses),
            "node": text(spec, "nodeName"),
            "pod_ip": text(status, "podIP"),
            "qos": text(status, "qosClass"),
            "created_at": time_text(moment(metadata, "creationTimestamp")),
            "started_at": time_text(moment(status, "startTime")),
            "deleted_at": time_text(moment(metadata, "deletionTimestamp")),
            "finalizers": metadata.get("finalizers"),
            "owner": None if owner[0] == "Pod" else {"kind": owner[0], "name": owner[2]},
            "service_account": text(spec, "serviceAccountName"),
            "node_selector": spec.get("nodeSelector"),
            "priority_class": text(spec, "priorityClassName"),
            "claims": claims_of(item),
            "config_maps": [name for name, _ in references(item, "configMap")],
            "secrets": [name for name, _ in references(item, "secret")],
            "containers": _containers(item),
        }
    )
    return Sight(facts=facts, problems=tuple(_problems(item, known)))


def container_statuses(item: Document) -> list[Mapping[str, Any]]:
    """Return the statuses of all containers, those for initialisation first."""
    return [each for key in _STATUSES for each in mappings(item, "status", key)]


def claims_of(item: Document) -> list[str]:
    """Return the names of the volume claims a pod mounts."""
    volumes = mappings(item, "spec", "volumes")
    return names(text(each, "persistentVolumeClaim", "claimName") for each in volumes)


def references(item: Document, what: str) -> list[tuple[str, str]]:
    """Return the ConfigMaps (`configMap`) or Secrets (`secret`) a pod cannot start without.

    Each once, with what refers to it first.
    """
    found = dict(reversed([(name, by) for name, by in _references(item, what) if name]))
    return sorted(found.items())


def _references(item: Document, what: str) -> Iterator[tuple[str, str]]:
    for container in _specs(item):
        label = f"container {text(container, 'name')}"
        for each in mappings(container, "envFrom"):
            yield _required(mapping(each, f"{what}Ref"), "name"), f"{label}, envFrom"
        for each in mappings(container, "env"):
            source = mapping(each, "valueFrom", f"{what}KeyRef")
            yield _required(source, "name"), f"{label}, env {text(each, 'name')}"
    for volume in mappings(item, "spec", "volumes"):
        label = f"volume {text(volume, 'name')}"
        sources = [mapping(volume, what)]
        sources += [mapping(each, what) for each in mappings(volume, "projected", "sources")]
        for source in sources:
            yield _required(source, "name") or _required(source, "secretName"), label


def _required(source: Mapping[str, Any], key: str) -> str:
    return "" if source.get("optional") else text(source, key)


def _specs(item: Document) -> list[Mapping[str, Any]]:
    return mappings(item, "spec", "initContainers") + mappings(item, "spec", "containers")


def _containers(item: Document) -> list[dict[str, Any]]:
    by_name = {text(each, "name"): each for each in container_statuses(item)}
    return [_container(spec, by_name.get(text(spec, "name"), {})) for spec in _specs(item)]


def _container(spec: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    state = next(iter(mapping(status, "state")), "")
    last = mapping(status, "lastState", "terminated") or mapping(status, "state", "terminated")
    return told(
        {
            "name": text(spec, "name"),
            "image": text(spec, "image"),
            "state": state,
            "reason": text(status, "state", state, "reason") if state else "",
            "ready": status.get("ready"),
            "restarts": status.get("restartCount"),
            "last_termination": _termination(last),
            "limits": mapping(spec, "resources", "limits"),
            "requests": mapping(spec, "resources", "requests"),
            "probes": {
                name: _probe(spec[key]) for name, key in _PROBES.items() if mapping(spec, key)
            },
            "ports": [_port(port) for port in mappings(spec, "ports")],
            "env": names(text(each, "name") for each in mappings(spec, "env")),
        }
    )


def _termination(last: Mapping[str, Any]) -> dict[str, Any]:
    return told(
        {
            "reason": text(last, "reason"),
            "exit_code": last.get("exitCode"),
            "signal": last.get("signal"),
            "message": text(last, "message")[-MAX_MESSAGE:],
            "started_at": time_text(moment(last, "startedAt")),
            "at": time_text(moment(last, "finishedAt")),
        }
    )


def _probe(probe: Mapping[str, Any]) -> dict[str, Any]:
    by = next((key for key in _BY if key in probe), "")
    how = mapping(probe, by)
    return told(
        {
            "by": by,
            "port": text(how, "port"),
            "path": text(how, "path"),
            "delay_seconds": probe.get("initialDelaySeconds"),
            "period_seconds": probe.get("periodSeconds"),
            "timeout_seconds": probe.get("timeoutSeconds"),
            "failures": probe.get("failureThreshold"),
        }
    )


def _port(port: Mapping[str, Any]) -> str:
    name = text(port, "name")
    return f"{name}:{text(port, 'containerPort')}" if name else text(port, "containerPort")


def _problems(item: Document, known: Known) -> Iterator[Problem]:
    phase = text(item, "status", "phase")
    if phase == "Succeeded":
        return
    if phase == "Failed":
        yield Problem(
            reason=text(item, "status", "reason") or "Failed",
            message=text(item, "status", "message"),
        )
    yield from from_conditions(
        item, {"PodScheduled": ("False", ""), "DisruptionTarget": ("True", "")}
    )
    statuses = container_statuses(item)
    for status in statuses:
        yield from _of_container(item, status, known)
    if _is_left_over(item, known):
        deleted = moment(item, "metadata", "deletionTimestamp")
        yield Problem(reason="Terminating", message="it should be gone by then", at=deleted)
    is_placed = phase in {"Running", "Pending"} and text(item, "spec", "nodeName")
    if is_placed and not any(map(_is_halted, statuses)):
        yield from _unready(item, known)


def _is_halted(status: Mapping[str, Any]) -> bool:
    """Tell whether the state of a container explains that its pod is not ready."""
    ended = mapping(status, "state", "terminated")
    return bool(mapping(status, "state", "waiting") or whole(ended, "exitCode"))


def _of_container(item: Document, status: Mapping[str, Any], known: Known) -> Iterator[Problem]:
    name = text(status, "name")
    waiting = mapping(status, "state", "waiting")
    reason = text(waiting, "reason")
    if reason and (reason not in STARTING or _is_slow(item, known)):
        yield Problem(reason=reason, message=text(waiting, "message"), container=name)
    ended = mapping(status, "state", "terminated")
    if ended and whole(ended, "exitCode"):
        yield _ended(ended, name)
    last = mapping(status, "lastState", "terminated")
    at = moment(last, "finishedAt")
    is_recent = at is not None and at >= known.since
    if last and (is_recent or (reason and reason not in STARTING)):
        yield _ended(last, name)


def _ended(state: Mapping[str, Any], container: str) -> Problem:
    signal = whole(state, "signal")
    how = f"signal {signal}" if signal else f"exit code {whole(state, 'exitCode')}"
    message = text(state, "message")
    return Problem(
        reason=text(state, "reason") or "Error",
        message=f"ended with {how}" + (f": {message}" if message else ""),
        container=container,
        at=moment(state, "finishedAt"),
    )


def _is_slow(item: Document, known: Known) -> bool:
    began = moment(item, "metadata", "creationTimestamp")
    return began is not None and known.now - began > PATIENCE


def _is_left_over(item: Document, known: Known) -> bool:
    """Tell whether a pod is still there though its time to end is over."""
    deleted = moment(item, "metadata", "deletionTimestamp")
    return deleted is not None and known.now - deleted > PATIENCE


def _unready(item: Document, known: Known) -> Iterator[Problem]:
    by_type = conditions(item)
    initialized = by_type.get("Initialized", {})
    if text(initialized, "status") == "False":
        if _is_slow(item, known):
            yield from from_conditions(item, {"Initialized": ("False", "")})
        return
    ready = by_type.get("Ready", {})
    if text(ready, "status") in {"False", "Unknown"}:
        yield Problem(
            reason="NotReady",
            message=text(ready, "message") or text(ready, "reason"),
            at=moment(ready, "lastTransitionTime"),
        )
