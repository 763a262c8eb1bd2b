"""Releases of several services at once, one of them faulty, in a cluster with a mesh.

Reads the form of github.com/IntelligentDDS/ChangeRCA: per case a CSV file for each pod and each
of its calls, and the plan of releases, as recorded. The rate of requests was not recorded and is
taken as constant; latency is a gauge with a quantile. Releases are reported as changes.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from open_metrics import END, Values, counter, gauge
from recorded import Case, Recording, moment, number

from opssage.changes import ChangeKind, ReportedChange

NAMESPACE = "hipster"
FRONT = "frontend"
RATE = 10.0
POD_MEMORY_BYTES = 256 * 2.0**20


def recording(folder: Path) -> Recording:
    """Return the cases below a folder like `changerca/data`."""
    files = [file for file in sorted(folder.glob("*/*/*.json")) if file.stem == file.parent.name]
    return Recording(
        cases=[_case(file) for file in files],
        samples=partial(_samples, [file.parent for file in files]),
    )


def _case(file: Path) -> Case:
    told = json.loads(file.read_text())
    root = told["fault_release_service"]
    return Case(
        name=f"release of {root} {file.stem}",
        began_at=moment(told["plan"][root]["release_time"]),
        fired_at=moment(told["detect_timestamp"]),
        labels={"alertname": "SLOBurn", "namespace": NAMESPACE, "service": FRONT},
        root=root,
        changes=_changes(told),
    )


def _changes(told: Any) -> tuple[ReportedChange, ...]:
    """Return what had been released when the alert fired."""
    releases = sorted((plan["release_time"], service) for service, plan in told["plan"].items())
    return tuple(
        ReportedChange(
            kind=ChangeKind.DEPLOY,
            summary=f"{service} v2 is being released",
            at=moment(at),
            service=service,
            namespace=NAMESPACE,
            version_before="v1",
            version_after="v2",
            change_id=index,
        )
        for index, (at, service) in enumerate(releases, start=1)
        if at <= told["detect_timestamp"]
    )


def _samples(folders: Sequence[Path]) -> Iterator[str]:
    for folder in folders:
        known = set()
        for file in sorted(folder.glob("*-*_*_*.csv")):
            pod, caller, called = file.stem.split("_")
            with file.open(newline="") as stream:
                rows = list(csv.DictReader(stream))
            if pod not in known:
                yield from _pod(pod, rows)
                known.add(pod)
            yield from _call(pod, caller, called, rows)
    yield END


def _pod(pod: str, rows: Sequence[dict[str, str]]) -> Iterator[str]:
    where = {"namespace": NAMESPACE, "pod": pod}
    owner = {"created_by_kind": "ReplicaSet", "created_by_name": pod.rpartition("-")[0]}
    container = {**where, "container": "server"}
    cores = _values(rows, "CPUUsageRate(%)", 0.01)
    memory = _values(rows, "MemoryUsageRate(%)", POD_MEMORY_BYTES / 100)
    yield from gauge("kube_pod_info", {**where, **owner}, [(at, 1.0) for at, _ in cores])
    yield from counter("container_cpu_usage_seconds_total", container, cores)
    yield from gauge("container_memory_working_set_bytes", container, memory)


def _call(pod: str, caller: str, called: str, rows: Sequence[dict[str, str]]) -> Iterator[str]:
    labels = {
        "pod": pod,
        "version": pod.split("-")[1],
        "reporter": "source" if pod.startswith(caller) else "destination",
        "source_workload": caller,
        "source_workload_namespace": NAMESPACE,
        "destination_workload": called,
        "destination_workload_namespace": NAMESPACE,
    }
    succeeded = _values(rows, "SuccessRate", RATE / 100)
    failed = [(at, max(0.0, RATE - rate)) for at, rate in succeeded]
    requests = "istio_requests_total"
    yield from counter(requests, {**labels, "response_code": "200"}, succeeded)
    yield from counter(requests, {**labels, "response_code": "503"}, failed)
    latency = _values(rows, "Latency", 1e-3)
    yield from gauge("istio_request_duration_seconds", {**labels, "quantile": "0.9"}, latency)


def _values(rows: Sequence[dict[str, str]], column: str, factor: float) -> Values:
    return [
        (float(row["Timestamp"]), factor * value)
        for row in rows
        if (value := number(row[column])) is not None
    ]
