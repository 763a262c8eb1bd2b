"""Deployments, their ReplicaSets, and volumes of a recording, as things with numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cli.replay.pods import Pod
from cli.replay.shapes import GIB, Numbers, drawn
from cli.replay.things import Thing


def workload_things(
    document: Mapping[str, Any], pods: Sequence[Pod], times: Numbers, now: float
) -> Iterator[Thing]:
    """Return deployments and their ReplicaSets; `now` is in unix seconds."""
    for workload, spec in document["workloads"].items():
        if spec.get("owner_kind", "ReplicaSet") == "ReplicaSet":
            yield _deployment(workload, spec, times)
            for key, generation in spec["generations"].items():
                name, created = f"{workload}-{key}", float(generation["created"])
                alive = sum((pod.alive(times) for pod in pods if pod.owner == name), 0 * times)
                yield Thing(
                    kind="replicaset",
                    fields={
                        "namespace": spec["namespace"],
                        "replicaset": name,
                        "owner_name": workload,
                    },
                    numbers={"created": drawn(now + created, times), "replicas": alive},
                    since=created if created > document["from"] else None,
                )


def _deployment(name: str, spec: Mapping[str, Any], times: Numbers) -> Thing:
    unavailable, replicas = drawn(spec.get("unavailable", 0), times), drawn(spec["replicas"], times)
    available = drawn(spec["available"], times) if "available" in spec else replicas - unavailable
    return Thing(
        kind="deployment",
        fields={"namespace": spec["namespace"], "deployment": name},
        numbers={"replicas": replicas, "unavailable": unavailable, "available": available},
    )


def volume_things(document: Mapping[str, Any], times: Numbers) -> Iterator[Thing]:
    """Return the volumes that pods have claimed."""
    for claim, spec in document.get("volumes", {}).items():
        size, node = float(spec["gib"]) * GIB, spec["node"]
        yield Thing(
            kind="volume",
            fields={
                "namespace": spec["namespace"],
                "persistentvolumeclaim": claim,
                "node": node,
                "host_ip": document["nodes"][node]["ip"],
            },
            numbers={
                "capacity": drawn(size, times),
                "available": size * (1 - drawn(spec["used"], times)),
            },
        )
