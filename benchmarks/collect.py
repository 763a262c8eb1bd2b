"""Collect on a real Prometheus that holds recorded faults, of several kinds of system.

For each fault one alert: that of the service people use, minutes after the injection. Nothing
tells where the fault is. Measured: how long collect takes, how many range queries it asks, how
much it writes down, whether the series that moved are in the evidence, and how much of what moved
is about other services. Where the service at fault stands in the diagnosis is told beside it.

    .venv/bin/python benchmarks/collect.py DATA --prometheus FOLDER --set fault_day

DATA is a folder as the module of the set (`fault_day`, `sock_shop`, `pet_shop`, `releases`) reads
it, FOLDER holds the programs `prometheus` and `promtool` (2.42 or later).
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from statistics import mean, median, quantiles
from time import monotonic, perf_counter, sleep
from typing import Any
from uuid import UUID

import httpx2
import measured
import yaml
from recorded import Case, Recording

from cli import ports
from opssage.diagnosis import Diagnosis
from opssage.evidence import Evidence, PrimaryContext, SourceStatus
from opssage.incident import Incident, Status
from opssage.knowledge import EnhancedContext
from opssage.places import deployment_of
from opssage.settings import (
    CollectSettings,
    DiagnoseSettings,
    PrometheusSettings,
    Settings,
    SourcesSettings,
)
from opssage.wire import parse_time, to_json
from tasks.collect import build_sources, collect
from tasks.collect.tape import recording
from tasks.diagnose import diagnose
from tasks.enrich.topology import topology
from webapi.senders.alertmanager import webhook_group

SETS = ("fault_day", "sock_shop", "pet_shop", "releases")
P95_BAR_SECONDS = 2.0
QUERIES_BAR = 40
READY_SECONDS = 60
EARLY = timedelta(seconds=60)
"""A point of a series is that of some time around it."""
RANKS = (1, 3)


def main() -> None:
    """Measure and print one line of JSON."""
    options = _options()
    load_before = measured.load_average()
    recorded: Recording = import_module(options.set).recording(options.data)
    with tempfile.TemporaryDirectory(prefix="opssage-collect-") as name:
        folder = Path(name)
        with _prometheus(options.prometheus, recorded, folder) as url:
            settings = _settings(url, recorded, folder)
            cases = [
                _measured(case, settings, verbose=options.verbose)
                for _ in range(options.rounds)
                for case in recorded.cases
            ]
    measured.finish("collect", {options.set: _summary(cases)}, load_before)


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--prometheus", type=Path, required=True)
    parser.add_argument("--set", choices=SETS, default=SETS[0], help="the form of the data")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="tell of every case")
    return parser.parse_args()


def _settings(url: str, recorded: Recording, folder: Path) -> Settings:
    file = "topology.yaml" if recorded.calls else None
    if file:
        services = {caller: {"calls": list(called)} for caller, called in recorded.calls.items()}
        (folder / file).write_text(yaml.safe_dump({"services": services}))
    return Settings(
        folder=folder,
        sources=SourcesSettings(prometheus=PrometheusSettings(url=url), topology_file=file),
        collect=CollectSettings(settle_seconds=recorded.settle_seconds),
    )


@contextmanager
def _prometheus(programs: Path, recorded: Recording, folder: Path) -> Iterator[str]:
    """Run a Prometheus on the samples of a set."""
    samples = folder / "samples.om"
    with samples.open("w") as stream:
        stream.writelines(recorded.samples())
    measured.tell(f"{samples.stat().st_size / 2**20:.0f} MiB of samples")
    blocks = ["tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=24h"]
    subprocess.run(
        [programs / "promtool", *blocks, samples, folder / "tsdb"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    samples.unlink()
    (folder / "prometheus.yml").write_text("{}\n")
    port = ports.free()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                programs / "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                "--storage.tsdb.retention.time=100y",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(url: str) -> None:
    until = monotonic() + READY_SECONDS
    while True:
        try:
            if httpx2.get(f"{url}/-/ready", trust_env=False).is_success:
                return
        except httpx2.TransportError:
            pass
        if monotonic() > until:
            raise SystemExit("Prometheus did not become ready")
        sleep(0.1)


def _measured(case: Case, settings: Settings, *, verbose: bool) -> dict[str, Any]:
    alerts = webhook_group(_webhook(case)).alerts
    incident = Incident(
        incident_id=UUID(int=1),
        status=Status.PENDING,
        created_at=case.fired_at,
        updated_at=case.fired_at,
        alert_name="",
        severity="",
    )
    now = case.fired_at + timedelta(seconds=settings.collect.settle_seconds)
    sources = build_sources(settings)  # anew: nothing is remembered of the case before
    began = perf_counter()
    with recording() as tape:
        context = collect(incident, alerts, sources, settings.collect, now, case.changes)
    seconds = perf_counter() - began
    asked = [exchange.request.path for exchange in tape.exchanges]
    moved = [item for item in context.evidence_collected.metrics if item.data.get("onset_at")]
    found = [item for item in moved if _shows(item, case)]
    others = sum(case.root not in _names(item.subject) for item in moved)
    enriched = EnhancedContext(topology=topology(context))  # no runbooks, nothing past
    rank = _rank(case, diagnose(context, enriched, DiagnoseSettings()))
    figures = {
        "fault": case.name,
        "seconds": round(seconds, 3),
        "range_queries": sum(path.endswith("query_range") for path in asked),
        "requests": len(asked),
        "failed": sum(item.status is SourceStatus.FAILED for item in context.sources),
        "evidence": sum(1 for _ in context.evidence_collected),
        "kilobytes": round(len(json.dumps(to_json(context))) / 1000),
        "visible": case.moves is not None,
        "found": bool(found),
        "noise": round(others / len(moved), 3) if moved else None,
        "rank": rank,
    }
    if verbose:
        _tell(figures, context, found)
    return figures


def _webhook(case: Case) -> dict[str, Any]:
    labels = {"severity": "critical", **case.labels}
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {},
        "startsAt": case.fired_at.isoformat(),
    }
    return {
        "version": "4",
        "groupKey": "{}:{}",
        "receiver": "opssage",
        "status": "firing",
        "alerts": [alert],
        "groupLabels": {},
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "truncatedAlerts": 0,
    }


def _shows(item: Evidence, case: Case) -> bool:
    """Say whether this is a signal of the service at fault that left its baseline by the fault."""
    signal, onset = item.data["signal"], parse_time(item.data["onset_at"])
    return (
        case.root in _names(item.subject)
        and any(part in signal for part in case.moves or ())
        and onset >= case.began_at - EARLY
    )


def _names(subject: Mapping[str, str]) -> set[str | None]:
    pod = deployment_of(subject.get("pod", ""))
    keys = ("service", "workload", "peer", "container", "node", "pod")
    return {pod, *(subject.get(key) for key in keys)}


def _rank(case: Case, diagnosis: Diagnosis) -> int | None:
    """Return the place of the service at fault among those blamed, from 1; None: not blamed."""
    blamed = dict.fromkeys(each.component.partition("/")[2] for each in diagnosis.hypotheses)
    services = list(dict.fromkeys(deployment_of(name) or name for name in blamed))
    return services.index(case.root) + 1 if case.root in services else None


def _tell(figures: Mapping[str, Any], context: PrimaryContext, found: Sequence[Evidence]) -> None:
    measured.tell(json.dumps({**figures, "moved": [item.summary for item in found[:3]]}))
    for report in context.sources:
        if report.status is SourceStatus.FAILED:
            measured.tell(f"  {report.error}: {report.query[:200]}")


def _summary(cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    seconds = [case["seconds"] for case in cases]
    visible = [case for case in cases if case["visible"]]
    noise = [case["noise"] for case in cases if case["noise"] is not None]
    p95 = quantiles(seconds, n=20)[-1]
    most = max(case["range_queries"] for case in cases)
    return {
        "cases": len(cases),
        "seconds": {"p50": round(median(seconds), 3), "p95": round(p95, 3), "max": max(seconds)},
        "range_queries": {"median": median(c["range_queries"] for c in cases), "max": most},
        "failed_questions": sum(case["failed"] for case in cases),
        "evidence": median(case["evidence"] for case in cases),
        "kilobytes": median(case["kilobytes"] for case in cases),
        "moved_series_in_evidence": f"{sum(c['found'] for c in visible)} of {len(visible)}",
        "moved_elsewhere": round(mean(noise), 3) if noise else None,
        "diagnosed": {
            f"AC@{most}": round(mean((case["rank"] or most + 1) <= most for case in cases), 3)
            for most in RANKS
        },
        "bar": f"p95 <= {P95_BAR_SECONDS:g} s, at most {QUERIES_BAR} range queries",
        "passed": p95 <= P95_BAR_SECONDS and most <= QUERIES_BAR,
    }


if __name__ == "__main__":
    main()
