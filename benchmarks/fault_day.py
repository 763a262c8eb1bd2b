"""A recorded day of injected faults as the series that a cluster's Prometheus would have scraped.

Reads the form of the Nezha data set (github.com/IntelligentDDS/Nezha, MIT): per-minute CSV files of
pods and of the edges between services, and a list of faults. Its figures are kept; what a scrape
would have told otherwise is made from them: counters are integrals of rates, quantiles become
histograms.
"""

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

from open_metrics import END, Labels, Values, counter, gauge
from recorded import Case, Recording, number

NAMESPACE = "recorded"
ALERT_AFTER = timedelta(seconds=120)
BOUNDS_MS = (1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000)
"""A little finer at the lower end than Istio's, whose first bound is 0.5 ms."""

_EDGE_RATE = 0.01  # small beside what the called side counts: its latency is known better
MOVES = {"cpu": ("container_cpu", "cpu_usage"), "network": ("latency", "edge")}
"""Part of a fault's kind → parts of the names of the signals that it moves."""

_QUANTILES = {"90": 0.9, "95": 0.95, "99": 0.99}

Row = Mapping[str, str]


def recording(day: Path) -> Recording:
    """Return the faults of a day, oldest first. The service people use alerts."""
    (file,) = day.glob("*fault_list.json")
    by_hour = json.loads(file.read_text())
    cases = [_case(item) for items in by_hour.values() for item in items]
    return Recording(
        cases=sorted(cases, key=lambda case: case.fired_at),
        samples=partial(_samples, day),
    )


def _case(item: Row) -> Case:
    # its `inject_timestamp` is hours off on some days; the text is right
    injected = datetime.fromisoformat(item["inject_time"]).replace(tzinfo=UTC)
    root, kind = item["inject_pod"].rsplit("-", 2)[0], item["inject_type"]
    is_tickets = root.startswith("ts-")
    return Case(
        name=f"{kind} of {root}",
        began_at=injected,
        fired_at=injected + ALERT_AFTER,
        labels={
            "alertname": "HighLatencyOrErrors",
            "namespace": NAMESPACE,
            "service": "ts-ui-dashboard" if is_tickets else "frontend",
        },
        root=root,
        moves=next((parts for part, parts in MOVES.items() if part in kind), None),
    )


def _samples(day: Path) -> Iterator[str]:
    for file in sorted((day / "metric").glob("*_metric.csv")):
        yield from _pod(file)
    yield from _edges(day / "metric")
    yield END


def _rows(file: Path) -> list[tuple[float, Row]]:
    """Return the rows with the time of their text: the numeric column is days off on some days."""
    with file.open(newline="") as stream:
        found = [(_seconds(row.get("Time") or row["time"]), row) for row in csv.DictReader(stream)]
    return sorted(found, key=lambda item: item[0])


def _seconds(text: str) -> float:
    moment, _, _ = text.partition(" +")
    whole, _, fraction = moment.partition(".")
    seconds = float(f"0.{fraction or 0}")
    return (
        datetime.fromisoformat(whole).replace(tzinfo=UTC) + timedelta(seconds=seconds)
    ).timestamp()


def _pod(file: Path) -> Iterator[str]:
    rows = _rows(file)
    pod = rows[0][1]["PodName"]
    service = pod.rsplit("-", 2)[0]
    where = {"namespace": NAMESPACE, "pod": pod}
    container = {**where, "container": "server"}
    owner = {"created_by_kind": "ReplicaSet", "created_by_name": pod.rpartition("-")[0]}
    yield from gauge("kube_pod_info", {**where, **owner}, [(at, 1.0) for at, _ in rows])
    for metric, labels, column, factor in (
        ("container_cpu_usage_seconds_total", container, "CpuUsage(m)", 1e-3),
        ("container_network_receive_bytes_total", where, "NetworkReceiveBytes", 1.0),
        ("container_network_transmit_bytes_total", where, "NetworkTransmitBytes", 1.0),
    ):
        yield from counter(metric, labels, _values(rows, column, factor))
    memory = _values(rows, "MemoryUsage(Mi)", 2.0**20)
    yield from gauge("container_memory_working_set_bytes", container, memory)
    served = {
        "reporter": "destination",
        "destination_workload": service,
        "destination_workload_namespace": NAMESPACE,
    }
    rates = _values(rows, "PodWorkload(Ops)", 1.0)
    yield from counter("istio_requests_total", {**served, "response_code": "200"}, rates)
    shares = [
        (at, [_below(bound, row) for bound in BOUNDS_MS]) for at, row in rows if _is_served(row)
    ]
    yield from _histogram(served, dict(rates), shares)


def _is_served(row: Row) -> bool:
    return all(number(row[f"PodServerLatencyP{name}(s)"]) for name in _QUANTILES)


def _below(bound_ms: float, row: Row) -> float:
    """Return the share of requests that took at most so long, straight between the quantiles."""
    known = [(0.0, 0.0)]
    for name, share in _QUANTILES.items():
        latency = 1000 * (number(row[f"PodServerLatencyP{name}(s)"]) or 0.0)
        known.append((max(latency, known[-1][0]), share))
    known.append((known[-1][0] * 1.5 + 1e-6, 1.0))
    for (low, share), (high, more) in pairwise(known):
        if bound_ms <= high:
            return share + (more - share) * (bound_ms - low) / max(high - low, 1e-9)
    return 1.0


def _edges(folder: Path) -> Iterator[str]:
    """Yield the calls between services as both sides saw them; only medians were recorded."""
    for reporter in ("source", "destination"):
        file = folder / f"{reporter}_50.csv"
        if not file.exists():
            continue
        rows = _rows(file)
        names = [name for name in rows[0][1] if "_" in name]
        for name in names:
            caller, called = name.split("_", 1)
            edge = {
                "reporter": reporter,
                "source_workload": caller,
                "source_workload_namespace": NAMESPACE,
                "destination_workload": called,
                "destination_workload_namespace": NAMESPACE,
            }
            medians = [(at, value) for at, value in _values(rows, name, 1000.0) if value]
            if reporter == "destination":
                edge["destination_service_name"] = called
            rates = dict.fromkeys((at for at, _ in medians), _EDGE_RATE)
            requests = {**edge, "response_code": "200"}
            if reporter == "source":
                yield from counter("istio_requests_total", requests, list(rates.items()))
            shares = [
                # an exponential distribution of that median
                (at, [1 - math.exp(-math.log(2) * bound / value) for bound in BOUNDS_MS])
                for at, value in medians
            ]
            yield from _histogram(edge, rates, shares)


def _histogram(
    labels: Labels, rates: Mapping[float, float], shares: Sequence[tuple[float, Sequence[float]]]
) -> Iterator[str]:
    name = "istio_request_duration_milliseconds_bucket"
    for index, bound in enumerate(BOUNDS_MS):
        values = [(at, rates.get(at, 0.0) * below[index]) for at, below in shares]
        yield from counter(name, {**labels, "le": f"{bound:g}"}, values)
    whole = [(at, rates.get(at, 0.0)) for at, _ in shares]
    yield from counter(name, {**labels, "le": "+Inf"}, whole)


def _values(rows: Sequence[tuple[float, Row]], column: str, factor: float) -> Values:
    values = ((at, number(row.get(column))) for at, row in rows)
    return [(at, factor * value) for at, value in values if value is not None]
