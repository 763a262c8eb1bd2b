"""What is found in a recorded outage: every question is answered, and the diagnosis is right."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from cli.replay import Capture, Recording
from cli.replay.server import answering
from opssage.diagnosis import Diagnosis, Verdict
from opssage.evidence import PrimaryContext, SourceStatus
from opssage.incident import Incident, Status
from opssage.knowledge import EnhancedContext
from opssage.settings import CollectSettings, DiagnoseSettings, Settings
from tasks.collect import collect
from tasks.collect.registry import Connection, build_sources
from tasks.diagnose import diagnose
from webapi.senders.alertmanager import webhook_group

SEEN = {
    "crashloop": {"restarts", "waiting_reason", "terminated_reason", "replicas_unavailable"},
    "node-cpu": {"node_cpu", "node_condition", "cpu_throttling", "cpu_usage", "latency_p99"},
    "auth-cascade": {"error_ratio", "edge_error_ratio", "request_rate", "latency_p99"},
}


CAUSES = {
    "crashloop": ("config_value_invalid", "service/payment-service"),
    "node-cpu": ("node_cpu_exhausted", "node/worker-2"),
    "auth-cascade": ("auth_key_regression", "service/auth-service"),
}
ALL = ("prometheus", "alertmanager", "kubernetes", "loki")


def refuse(_: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("connection refused")


def collected(recording: Recording, capture: Capture, *reachable: str) -> PrimaryContext:
    """Return what collect brings home from an outage when only these sources can be reached."""
    there = httpx2.Client(transport=httpx2.WSGITransport(app=answering(recording, capture)))
    away = httpx2.Client(transport=httpx2.MockTransport(refuse))

    def connect(name: str) -> Connection:
        return Connection(url="http://replay", client=there if name in reachable else away)

    now = datetime.fromtimestamp(capture.now, UTC)
    incident = Incident(
        incident_id=UUID(int=1),
        status=Status.PENDING,
        created_at=now,
        updated_at=now,
        alert_name="",
        severity="",
    )
    alerts = webhook_group(recording.webhook(now, "http://alertmanager:9093")).alerts
    settings = Settings(folder=Path(), collect=CollectSettings(deadline_seconds=60))
    sources = build_sources(settings, connect)
    return collect(incident, alerts, sources, settings.collect, now + timedelta(seconds=5))


def diagnosed(context: PrimaryContext) -> Diagnosis:
    return diagnose(context, EnhancedContext(), DiagnoseSettings())


@pytest.fixture(scope="session")
def context(recording, capture):
    """What all sources know of an outage."""
    return collected(recording, capture, *ALL)


def calls_in(context):
    """Who calls whom, by name alone."""
    graphs = [
        item.data["facts"]["edges"]
        for item in context.evidence_collected.objects
        if item.data["object"]["kind"] == "ServiceGraph"
    ]
    return {
        tuple(service.rpartition("/")[2] for service in edge[:2])
        for graph in graphs
        for edge in graph
    }


def test_collect_is_answered_and_sees_the_outage(recording, context):
    """No question fails; the signals, lines, calls and changes an outage shows are there."""
    failed = [report for report in context.sources if report.status is SourceStatus.FAILED]
    metrics = context.evidence_collected.metrics

    assert failed == []
    assert SEEN[recording.name] <= {evidence.data["signal"] for evidence in metrics}
    assert context.evidence_collected.logs
    assert bool(context.evidence_collected.changes) == (recording.name != "node-cpu")
    assert calls_in(context) == {
        (call["from"], call["to"]) for call in recording.document.get("calls", ())
    }


def test_outage_is_diagnosed_by_all_sources(recording, context):
    """Cause and component are those the outage was made of, with little doubt."""
    report = diagnosed(context)

    assert report.verdict is Verdict.FAULT
    assert (report.hypotheses[0].cause, report.root_cause_component) == CAUSES[recording.name]
    assert report.confidence_score > 0.8


def test_kubernetes_alone_names_the_cause_or_none(recording, capture):
    """What its objects and logs state is enough; where they do not, nothing is claimed."""
    report = diagnosed(collected(recording, capture, "kubernetes"))

    if recording.name == "crashloop":
        assert (report.hypotheses[0].cause, report.root_cause_component) == CAUSES["crashloop"]
        assert "DATABASE_URL" in report.root_cause
    expected = Verdict.FAULT if recording.name == "crashloop" else Verdict.INSUFFICIENT_EVIDENCE
    assert report.verdict is expected


@pytest.mark.parametrize("missing", ALL)
def test_nobody_else_is_blamed_without_a_source(recording, capture, missing):
    """One source away: the right component is named, or none."""
    report = diagnosed(collected(recording, capture, *(name for name in ALL if name != missing)))

    assert report.root_cause_component in {CAUSES[recording.name][1], None}
