"""Pods of a recording: where they are, how long they live and what their containers do."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cli.replay.shapes import MIB, Numbers, drawn
from cli.replay.things import Thing

_CFS_PERIODS_PER_SECOND = 10.0  # the kernel's cfs_period_us is 100 ms by default


@dataclass(frozen=True, kw_only=True, slots=True)
class Pod:
    """One pod: its place, its life and what its container does."""

    name: str
    namespace: str
    workload: str
    owner_kind: str
    owner: str
    node: str
    host_ip: str
    ip: str
    since: float | None
    until: float | None
    created: float
    settings: Mapping[str, Any] = field(default_factory=dict)  #: as in the outage's file

    @property
    def container(self) -> str:
        """Name of its one container."""
        return str(self.settings.get("container", self.workload))

    @property
    def restarts_at(self) -> tuple[float, ...]:
        """When the container was started again, seconds relative to now."""
        return tuple(self.settings.get("restarts_at", ()))

    @property
    def fields(self) -> dict[str, str]:
        """What may become a label."""
        uid = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.name}.{self.namespace}"))
        return {
            "namespace": self.namespace,
            "pod": self.name,
            "uid": uid,
            "node": self.node,
            "host_ip": self.host_ip,
            "pod_ip": self.ip,
            "created_by_kind": self.owner_kind,
            "created_by_name": self.owner,
            "container": self.container,
            "image": str(self.settings.get("image", f"registry.example/{self.workload}:1")),
            "service": self.workload,
        }

    def alive(self, times: Numbers) -> Numbers:
        """Return 1 where the pod exists and 0 elsewhere."""
        born = -np.inf if self.since is None else self.since
        gone = np.inf if self.until is None else self.until
        return ((times >= born) & (times < gone)).astype(np.float64)

    def serving(self, times: Numbers) -> Numbers:
        """Return 1 where the pod exists and takes traffic."""
        return self.alive(times) * drawn(self.settings.get("ready", 1), times)


def pods_of(document: Mapping[str, Any]) -> list[Pod]:
    """Return all pods of an outage, in the order of its file."""
    return [
        _placed(document, workload, key, suffix, number)
        for number, (workload, key, suffix) in enumerate(
            (workload, key, suffix)
            for workload, spec in document["workloads"].items()
            for key, generation in spec["generations"].items()
            for suffix in generation["pods"]
        )
    ]


def _placed(document: Mapping[str, Any], workload: str, key: str, suffix: str, number: int) -> Pod:
    """Return one pod; what is set for it alone wins over its generation and its workload."""
    spec, nodes = document["workloads"][workload], document["nodes"]
    generation = spec["generations"][key]
    place = generation["pods"][suffix]
    own = place if isinstance(place, Mapping) else {"node": place}
    owner, node = f"{workload}-{key}" if key else workload, own["node"]
    created = float(own.get("since", generation["created"]))
    return Pod(
        name=f"{owner}-{suffix}",
        namespace=spec["namespace"],
        workload=workload,
        owner_kind=spec.get("owner_kind", "ReplicaSet"),
        owner=owner,
        node=node,
        host_ip=nodes[node]["ip"],
        ip=f"10.42.{list(nodes).index(node)}.{20 + number}",
        since=created if created > document["from"] else None,
        until=own.get("until"),
        created=created,
        settings={**spec["each"], **generation.get("each", {}), **own},
    )


def pod_things(pod: Pod, times: Numbers, now: float) -> Iterator[Thing]:
    """Return a pod, its container, and the states that container is and was in."""
    settings, fields = pod.settings, pod.fields
    slice_id = f"/kubepods.slice/kubepods-pod{fields['uid']}.slice"
    starts = np.array(pod.restarts_at)
    numbers = {
        "created": drawn(now + pod.created, times),
        "ready": drawn(settings.get("ready", 1), times),
        "restarts": np.searchsorted(starts, times, side="right").astype(np.float64),
        "cpu": drawn(settings["cpu"], times),
        "memory": drawn(settings["memory_mib"], times) * MIB,
    }
    life = {"since": pod.since, "until": pod.until}
    yield Thing(
        kind="pod",
        fields={**fields, "id": slice_id},
        numbers=numbers,
        resets=pod.restarts_at,
        chance=pod.name,
        **life,
    )
    yield Thing(
        kind="container",
        fields={**fields, "id": f"{slice_id}/{pod.container}.scope"},
        numbers=numbers | _resource_numbers(settings, times),
        resets=pod.restarts_at,
        chance=pod.name,
        **life,
    )
    yield from _states(pod)


def _states(pod: Pod) -> Iterator[Thing]:
    """Return why the container waits and was terminated, each while kube-state-metrics says so."""
    for kind in ("waiting", "terminated"):
        for state in pod.settings.get(kind, ()):
            yield Thing(
                kind=kind,
                fields={**pod.fields, "reason": state["reason"]},
                since=state.get("since"),
                until=state.get("until", pod.until),
            )


def _resource_numbers(settings: Mapping[str, Any], times: Numbers) -> dict[str, Numbers]:
    """Return limits, requests and throttling; what a container does not set is left out."""
    cores = [name for name in ("cpu_limit", "cpu_request") if name in settings]
    numbers = {name: drawn(settings[name], times) for name in cores}
    for name in ("memory_limit", "memory_request"):
        if f"{name}_mib" in settings:
            numbers[name] = drawn(settings[f"{name}_mib"], times) * MIB
    if "cpu_limit" in settings:
        numbers["cfs_periods"] = drawn(_CFS_PERIODS_PER_SECOND, times)
        numbers["cfs_throttled"] = _CFS_PERIODS_PER_SECOND * drawn(
            settings.get("throttled", 0), times
        )
    return numbers
