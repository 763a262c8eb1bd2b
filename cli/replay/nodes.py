"""Nodes of a recording, as things with numbers."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cli.replay.shapes import GIB, Numbers, drawn, seed_of, uniform, wobble
from cli.replay.things import Thing

_MODES: Mapping[str, float] = {
    "user": 0.70,
    "system": 0.22,
    "softirq": 0.04,
    "iowait": 0.02,
    "steal": 0.02,
    "irq": 0.0,
    "nice": 0.0,
}
_CONDITIONS = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
_STATUSES = ("true", "false", "unknown")


def node_things(document: Mapping[str, Any], times: Numbers) -> Iterator[Thing]:
    """Return nodes, their cores, file systems and conditions."""
    for name, spec in document["nodes"].items():
        fields = {
            "node": name,
            "internal_ip": spec["ip"],
            "host_ip": spec["ip"],
            "kernel_version": "6.1.0-28-amd64",
            "os_image": "Debian GNU/Linux 12 (bookworm)",
            "kubelet_version": "v1.31.4",
        }
        seed = seed_of(name)
        busy = drawn(spec["cpu"], times) * wobble(seed, len(times), 0.06)
        memory = float(spec["memory_gib"]) * GIB
        yield Thing(
            kind="node",
            fields=fields,
            numbers={
                "cores": drawn(spec["cores"], times),
                "load": drawn(spec.get("load", 1), times) * busy * spec["cores"],
                "memory_total": drawn(memory, times),
                "memory_available": memory * (1 - drawn(spec["memory_used"], times)),
            },
        )
        yield from _core_things(fields, spec, busy)
        yield from _filesystem_things(fields, spec, times)
        yield from _condition_things(fields, drawn(spec.get("ready", 1), times))


def _core_things(
    fields: Mapping[str, str], spec: Mapping[str, Any], busy: Numbers
) -> Iterator[Thing]:
    uneven = uniform(seed_of(f"{fields['node']} cores"), spec["cores"])
    for core in range(spec["cores"]):
        used = np.minimum(busy * (0.95 + 0.1 * uneven[core]), 0.998)
        modes = {mode: used * share for mode, share in _MODES.items()} | {"idle": 1 - used}
        for mode, rate in modes.items():
            yield Thing(
                kind="core_mode",
                fields={**fields, "cpu": str(core), "mode": mode},
                numbers={"busy": rate},
            )


def _filesystem_things(
    fields: Mapping[str, str], spec: Mapping[str, Any], times: Numbers
) -> Iterator[Thing]:
    disks = (
        ("/dev/nvme0n1p1", "ext4", "/", float(spec["disk_gib"]) * GIB, spec["disk_used"]),
        ("tmpfs", "tmpfs", "/run", 2 * GIB, 0.01),
    )
    for device, fstype, mountpoint, size, used in disks:
        yield Thing(
            kind="filesystem",
            fields={**fields, "device": device, "fstype": fstype, "mountpoint": mountpoint},
            numbers={
                "size": drawn(size, times),
                "available": size * (1 - drawn(used, times)),
            },
        )


def _condition_things(fields: Mapping[str, str], ready: Numbers) -> Iterator[Thing]:
    """Return the conditions; a node that stops reporting is `Ready` unknown."""
    never, always = np.zeros_like(ready), np.ones_like(ready)
    conditions = {"Ready": (ready, never, 1 - ready)} | dict.fromkeys(
        _CONDITIONS, (never, always, never)
    )
    for condition, holds in conditions.items():
        for status, values in zip(_STATUSES, holds, strict=True):
            yield Thing(
                kind="node_condition",
                fields={**fields, "condition": condition, "status": status},
                numbers={"holds": values},
            )
