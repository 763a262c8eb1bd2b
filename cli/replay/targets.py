"""What the recorded Prometheus scrapes, for its `up` series."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cli.replay.pods import Pod
from cli.replay.shapes import Numbers, drawn
from cli.replay.things import Thing


def target_things(
    document: Mapping[str, Any], pods: Sequence[Pod], times: Numbers
) -> Iterator[Thing]:
    """Return the scrape targets: one kube-state-metrics, per node, per application and proxy."""
    always = np.ones_like(times)
    yield _target(always, {"job": "kube-state-metrics", "instance": "10.42.0.9:8080"})
    for node, spec in document["nodes"].items():
        for job, port in (("kubelet", 10250), ("node-exporter", 9100)):
            instance = f"{spec['ip']}:{port}"
            yield _target(always, {"job": job, "instance": instance, "node": node})
    applications = {spec["to"] for spec in document.get("requests", ())}
    meshed = {spec[side] for spec in document.get("calls", ()) for side in ("from", "to")}
    yield from _pod_targets(pods, applications, meshed, times)


def _pod_targets(
    pods: Sequence[Pod], applications: Collection[str], meshed: Collection[str], times: Numbers
) -> Iterator[Thing]:
    for pod in pods:
        place = {"namespace": pod.namespace, "pod": pod.name}
        if pod.workload in applications:
            up = drawn(pod.settings.get("ready", 1), times)
            job = f"{pod.namespace}/{pod.workload}"
            fields = {**place, "job": job, "instance": f"{pod.ip}:8080", "service": pod.workload}
            yield _target(up, fields, pod)
        if pod.workload in meshed:
            fields = {**place, "job": "kubernetes-pods", "instance": f"{pod.ip}:15020"}
            yield _target(np.ones_like(times), fields, pod)


def _target(up: Numbers, fields: Mapping[str, str], pod: Pod | None = None) -> Thing:
    return Thing(
        kind="target",
        fields=fields,
        numbers={"up": up},
        since=pod.since if pod else None,
        until=pod.until if pod else None,
    )
