"""Nodes of a recording as the API server has them."""

from collections.abc import Iterator, Mapping
from typing import Any

from cli.replay.kubernetes.moment import Document, Moment, condition, metadata, since, value


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
