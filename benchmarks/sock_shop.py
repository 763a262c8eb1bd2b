"""Injected faults of a shop, one stretch of minutes each, as a cluster's Prometheus has them.

Reads the form of the Sock Shop data of github.com/azamikram/rcd: per case a CSV file of normal life
and one of the fault, a row each second. The normal file was recorded days before; here it ends
where the fault begins. The cases are put one after the other, twenty minutes each.
"""

import csv
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random

from open_metrics import END, Values, counter, gauge
from recorded import Case, Recording, moment, number

NAMESPACE = "sock-shop"
ALERT_AFTER = timedelta(seconds=60)
SLOT_SECONDS = 1200
BEGIN = 1_652_800_000 // SLOT_SECONDS * SLOT_SECONDS
FRONT = "front-end"
QUANTILES = {"lat_50": "0.5", "lat_90": "0.9", "lat_99": "0.99"}
MOVES = {"cpu": ("cpu",), "mem": ("memory",)}


def recording(folder: Path) -> Recording:
    """Return all cases below a folder like `sock-shop-data`."""
    slots = sorted(file.parent for file in folder.glob("*-*/*/anomalous.csv"))
    Random(0).shuffle(slots)  # an order that does not tell the faults apart
    injected = {
        case: BEGIN + SLOT_SECONDS * number + SLOT_SECONDS / 4 for number, case in enumerate(slots)
    }
    return Recording(
        cases=[_case(case, at) for case, at in injected.items()],
        samples=partial(_samples, injected),
    )


def _case(folder: Path, injected: float) -> Case:
    root, kind = folder.parent.name.rsplit("-", 1)
    return Case(
        name=f"{kind} of {root}",
        began_at=moment(injected),
        fired_at=moment(injected) + ALERT_AFTER,
        labels={"alertname": "HighLatency", "namespace": NAMESPACE, "service": FRONT},
        root=root,
        moves=MOVES[kind],
    )


def _samples(injected: dict[Path, float]) -> Iterator[str]:
    for folder, at in injected.items():
        normal, fault = _columns(folder / "normal.csv"), _columns(folder / "anomalous.csv")
        for name, after in fault.items():
            before = normal.get(name, [])
            begin, end = after[0][0], before[-1][0] + 1 if before else 0.0
            values = [(moved - end + at, value) for moved, value in before]
            values += [(moved - begin + at, value) for moved, value in after]
            yield from _series(*name.split("_", 1), values)
    yield END


def _columns(file: Path) -> dict[str, list[tuple[float, float]]]:
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = [name for name in rows[0] if name != "time"]
    return {
        name: [(float(r["time"]), v) for r in rows if (v := number(r[name])) is not None]
        for name in names
    }


def _series(service: str, kind: str, values: Values) -> Iterator[str]:
    served = {"namespace": NAMESPACE, "service": service}
    container = {
        "namespace": NAMESPACE,
        "pod": f"{service}-7bb89585b4-g474q",
        "container": service,
    }
    if kind == "cpu":
        cores = [(at, value / 100) for at, value in values]
        yield from counter("container_cpu_usage_seconds_total", container, cores)
    elif kind == "mem":
        yield from gauge("container_memory_working_set_bytes", container, values)
    elif kind == "lod":
        yield from counter("http_requests_total", {**served, "code": "200"}, values)
    else:
        labels = {**served, "quantile": QUANTILES[kind]}
        yield from gauge("http_request_duration_seconds", labels, values)
