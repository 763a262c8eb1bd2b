"""Collect on a real Prometheus that holds a recorded day of injected faults.

For each fault one alert: that of the service people use, two minutes after the injection. Nothing
tells where the fault is. Measured: how long collect takes, how many range queries it asks, and
whether the series that moved are in the evidence.

    .venv/bin/python benchmarks/collect.py DATA --prometheus FOLDER

DATA is a folder like `rca_data/2022-08-22` of the Nezha data set, FOLDER holds the programs
`prometheus` and `promtool` (2.42 or later).
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from time import monotonic, perf_counter, sleep
from typing import Any
from uuid import UUID

import fault_day
import httpx2
import measured
from fault_day import NAMESPACE, Fault

from cli import ports
from opssage.evidence import Evidence, PrimaryContext, SourceStatus
from opssage.incident import Incident, Status
from opssage.settings import CollectSettings, PrometheusSettings, Settings, SourcesSettings
from opssage.wire import to_json
from tasks.collect import build_sources, collect
from tasks.collect.tape import recording
from webapi.senders.alertmanager import webhook_group

ALERT_AFTER = timedelta(seconds=120)
SETTLE_SECONDS = 120
P95_BAR_SECONDS = 2.0
QUERIES_BAR = 40
READY_SECONDS = 60
MOVES = {
    "cpu": ("container_cpu", "cpu_usage"),
    "network": ("latency", "edge"),
}
"""Part of a fault's kind → parts of the names of the signals that it moves."""


def main() -> None:
    """Measure and print one line of JSON."""
    options = _options()
    load_before = measured.load_average()
    faults = fault_day.faults(options.data)
    with _prometheus(options.prometheus, options.data) as url:
        settings = Settings(
            folder=Path(),
            sources=SourcesSettings(prometheus=PrometheusSettings(url=url)),
            collect=CollectSettings(settle_seconds=SETTLE_SECONDS),
        )
        cases = [_case(fault, settings, options) for _ in range(options.rounds) for fault in faults]
    measured.finish("collect", {"fault day": _summary(cases)}, load_before)


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--prometheus", type=Path, required=True)
    parser.add_argument("--service", default="frontend", help="the service that alerts")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="tell of every case")
    return parser.parse_args()


@contextmanager
def _prometheus(programs: Path, data: Path) -> Iterator[str]:
    """Run a Prometheus on the samples of a day."""
    with tempfile.TemporaryDirectory(prefix="opssage-collect-") as name:
        folder = Path(name)
        samples = folder / "day.om"
        with samples.open("w") as stream:
            stream.writelines(fault_day.open_metrics(data))
        measured.tell(f"{samples.stat().st_size / 2**20:.0f} MiB of samples")
        blocks = ["tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=24h"]
        subprocess.run(
            [programs / "promtool", *blocks, samples, folder / "tsdb"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
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


def _case(fault: Fault, settings: Settings, options: Any) -> dict[str, Any]:
    fired_at = fault.at + ALERT_AFTER
    alerts = webhook_group(_webhook(options.service, fired_at.isoformat())).alerts
    incident = Incident(
        incident_id=UUID(int=1),
        status=Status.PENDING,
        created_at=fired_at,
        updated_at=fired_at,
        alert_name="",
        severity="",
    )
    sources = build_sources(settings)  # anew: nothing is remembered of the case before
    began = perf_counter()
    with recording() as tape:
        context = collect(
            incident,
            alerts,
            sources,
            settings.collect,
            fired_at + timedelta(seconds=SETTLE_SECONDS),
        )
    seconds = perf_counter() - began
    asked = [exchange.request.path for exchange in tape.exchanges]
    moved = _moved(fault, context)
    case = {
        "fault": f"{fault.kind} of {fault.service}",
        "seconds": round(seconds, 3),
        "range_queries": sum(path.endswith("query_range") for path in asked),
        "requests": len(asked),
        "failed": sum(item.status is SourceStatus.FAILED for item in context.sources),
        "evidence": sum(1 for _ in context.evidence_collected),
        "kilobytes": round(len(json.dumps(to_json(context))) / 1000),
        "visible": _parts(fault) is not None,
        "found": bool(moved),
    }
    if options.verbose:
        measured.tell(json.dumps({**case, "moved": [item.summary for item in moved[:3]]}))
    return case


def _webhook(service: str, fired_at: str) -> dict[str, Any]:
    labels = {
        "alertname": "HighLatencyOrErrors",
        "severity": "critical",
        "namespace": NAMESPACE,
        "service": service,
    }
    alert = {"status": "firing", "labels": labels, "annotations": {}, "startsAt": fired_at}
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


def _parts(fault: Fault) -> tuple[str, ...] | None:
    """Return what the signals are called that the fault moves; None when no metric shows it."""
    return next((parts for part, parts in MOVES.items() if part in fault.kind), None)


def _moved(fault: Fault, context: PrimaryContext) -> Sequence[Evidence]:
    """Return the evidence of the faulty service's signals that left their baseline."""
    parts = _parts(fault) or ()
    return [
        item
        for item in context.evidence_collected.metrics
        if item.data.get("onset_at")
        and any(part in item.data["signal"] for part in parts)
        and fault.service in _names(item.subject)
    ]


def _names(subject: Any) -> set[str]:
    pod = subject.get("pod", "").rsplit("-", 2)[0]
    return {pod, *(subject.get(key) for key in ("service", "workload", "peer"))}


def _summary(cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    seconds = [case["seconds"] for case in cases]
    visible = [case for case in cases if case["visible"]]
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
        "bar": f"p95 <= {P95_BAR_SECONDS:g} s, at most {QUERIES_BAR} range queries",
        "passed": p95 <= P95_BAR_SECONDS and most <= QUERIES_BAR,
    }


if __name__ == "__main__":
    main()
