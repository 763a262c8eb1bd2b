"""What collect finds when it asks a recorded outage: the questions are all answered."""

from datetime import timedelta
from functools import partial
from uuid import UUID

import httpx2
import pytest

from cli.replay import create_app
from opssage.evidence import SourceStatus
from opssage.incident import Incident, Status
from opssage.settings import CollectSettings
from tasks.collect import collect
from tasks.collect.loki import LokiSource
from tasks.collect.prometheus import PrometheusSource
from tasks.collect.prometheus_api import clean_series
from tasks.collect.upstream import Upstream
from webapi.senders.alertmanager import webhook_group

SEEN = {
    "crashloop": {"restarts", "waiting_reason", "terminated_reason", "replicas_unavailable"},
    "node-cpu": {"node_cpu", "node_condition", "cpu_throttling", "cpu_usage", "latency_p99"},
    "auth-cascade": {"error_ratio", "edge_error_ratio", "request_rate", "latency_p99"},
}


@pytest.fixture
def context(recording, now):
    """What collect brings home from an outage."""
    transport = httpx2.WSGITransport(app=create_app(recording, now))
    there = partial(
        Upstream,
        url="http://replay",
        timeout_seconds=30,
        client=httpx2.Client(transport=transport),
    )
    incident = Incident(
        incident_id=UUID(int=1),
        status=Status.PENDING,
        created_at=now,
        updated_at=now,
        alert_name="",
        severity="",
    )
    alerts = webhook_group(recording.webhook(now, "http://alertmanager:9093")).alerts
    sources = [
        PrometheusSource(there(source="prometheus", clean=clean_series)),
        LokiSource(there(source="loki"), max_lines=2000),
    ]
    settings = CollectSettings(deadline_seconds=60)
    return collect(incident, alerts, sources, settings, now + timedelta(seconds=5))


def test_collect_is_answered_and_sees_the_outage(recording, context):
    """No question fails; the signals, lines and changes an outage shows are there."""
    failed = [report for report in context.sources if report.status is SourceStatus.FAILED]
    metrics = context.evidence_collected.metrics

    assert failed == []
    assert SEEN[recording.name] <= {evidence.data["signal"] for evidence in metrics}
    assert context.evidence_collected.logs
    assert bool(context.evidence_collected.changes) == (recording.name != "node-cpu")
