"""Requests of a recording: calls through the mesh, and what applications count themselves."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cli.replay.pods import Pod
from cli.replay.shapes import Numbers, drawn, share_below
from cli.replay.things import Thing

# Bounds of Istio's request duration histogram (milliseconds) and of client libraries' default
# histogram (seconds).
_MESH_BOUNDS = (0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1e3, 2.5e3, 5e3, 1e4, 3e4, 6e4, math.inf)
_LIBRARY_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, math.inf)
_OUTSIDE = "unknown"  # what Istio calls a caller without a proxy


def _by_code(spec: Mapping[str, Any], times: Numbers) -> Iterator[tuple[str, Numbers]]:
    """Return the rate per second of each response code."""
    rate = drawn(spec["rate"], times)
    errors = {str(code): drawn(share, times) for code, share in spec["errors"].items()}
    yield "200", rate * (1 - np.sum(list(errors.values()), axis=0))
    for code, share in errors.items():
        yield code, rate * share


def _shares(pods: Sequence[Pod], times: Numbers) -> Iterator[tuple[Pod, Numbers]]:
    """Return which share of its service's traffic each pod has."""
    serving = np.array([pod.serving(times) for pod in pods])
    total = np.maximum(serving.sum(axis=0), 1)
    for pod, part in zip(pods, serving, strict=True):
        if part.any():
            yield pod, part / total


def _latency(spec: Mapping[str, Any], times: Numbers) -> tuple[Numbers, Numbers]:
    return drawn(spec["p50_ms"], times), drawn(spec["p99_ms"], times)


def call_things(
    calls: Sequence[Mapping[str, Any]], pods: Sequence[Pod], times: Numbers
) -> Iterator[Thing]:
    """Return calls as the proxies of both sides report them, and the latency seen by the called."""
    spaces = {pod.workload: pod.namespace for pod in pods}
    for spec in calls:
        caller, called = spec["from"], spec["to"]
        names = _call_fields(caller, spaces.get(caller, _OUTSIDE), called, spaces[called])
        for side, workload in (("source", caller), ("destination", called)):
            policy = "mutual_tls" if side == "destination" and caller in spaces else "unknown"
            for pod, share in _shares([pod for pod in pods if pod.workload == workload], times):
                for code, rate in _by_code(spec, times):
                    fields = {
                        **names,
                        "reporter": side,
                        "response_code": code,
                        "response_flags": "-",
                        "connection_security_policy": policy,
                        "reporting_namespace": pod.namespace,
                        "reporting_pod": pod.name,
                        "reporting_ip": pod.ip,
                    }
                    call = _counted("call", pod, fields, rate * share)
                    yield call
                    if side == "destination":
                        yield from _buckets(call, _MESH_BOUNDS, 1.0, _latency(spec, times))


def _call_fields(
    caller: str, caller_namespace: str, called: str, called_namespace: str
) -> dict[str, str]:
    return {
        "source_workload": caller,
        "source_workload_namespace": caller_namespace,
        "source_canonical_service": caller,
        "destination_workload": called,
        "destination_workload_namespace": called_namespace,
        "destination_canonical_service": called,
        "destination_service": f"{called}.{called_namespace}.svc.cluster.local",
        "destination_service_name": called,
        "destination_service_namespace": called_namespace,
    }


def request_things(
    requests: Sequence[Mapping[str, Any]], pods: Sequence[Pod], times: Numbers
) -> Iterator[Thing]:
    """Return requests as the serving applications count them."""
    for spec in requests:
        serving = [pod for pod in pods if pod.workload == spec["to"]]
        for pod, share in _shares(serving, times):
            for code, rate in _by_code(spec, times):
                fields = {**pod.fields, "method": spec.get("method", "GET"), "code": code}
                request = _counted("request", pod, fields, rate * share)
                yield request
                yield from _buckets(request, _LIBRARY_BOUNDS, 1000.0, _latency(spec, times))


def _counted(kind: str, pod: Pod, fields: Mapping[str, str], rate: Numbers) -> Thing:
    return Thing(
        kind=kind,
        fields=fields,
        numbers={"rate": rate},
        since=pod.since,
        until=pod.until,
        chance=" ".join(fields.values()),
    )


def _buckets(
    counted: Thing, bounds: Sequence[float], unit_ms: float, latency: tuple[Numbers, Numbers]
) -> Iterator[Thing]:
    """Return the cumulative buckets of a count; `unit_ms` is the bounds' unit."""
    p50, p99 = latency
    for bound in bounds:
        below = share_below(bound * unit_ms, p50, p99)
        yield Thing(
            kind=f"{counted.kind}_bucket",
            fields={**counted.fields, "le": "+Inf" if math.isinf(bound) else f"{bound:g}"},
            numbers={"rate": counted.numbers["rate"] * below},
            since=counted.since,
            until=counted.until,
            chance=counted.chance,
        )
