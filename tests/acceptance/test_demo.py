"""`opssage demo`: three recorded outages, three diagnoses, and nothing left behind."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from running_stack import OPSSAGE


def demo(*options: str, tmp: Path) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end."""
    return subprocess.run(
        [OPSSAGE, "demo", *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp)},
        timeout=110,
    )


@pytest.fixture(scope="module")
def diagnosed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """The incidents of one demo, by the name of their lead alert."""
    tmp = tmp_path_factory.mktemp("demo")
    done = demo("--json", tmp=tmp)
    assert done.returncode == 0, done.stderr
    assert "--keep leaves it running" in done.stderr
    assert list(tmp.iterdir()) == []
    return {incident["alert_name"]: incident for incident in json.loads(done.stdout)}


def alert_names(incident: dict) -> list[str]:
    """Return the names of an incident's alerts."""
    alerts = incident["primary_context"]["evidence_collected"]["alerts"]
    return sorted(alert["data"]["labels"]["alertname"] for alert in alerts)


def test_every_outage_is_a_fault_found_with_confidence(diagnosed):
    """The collectors saw enough in each of them."""
    reports = [incident["diagnostic_report"] for incident in diagnosed.values()]

    assert [report["verdict"] for report in reports] == ["fault"] * 3
    assert all(report["confidence_score"] >= 0.5 for report in reports)


def test_every_statement_cites_evidence_that_exists(diagnosed):
    """No report claims what its context does not hold."""
    for incident in diagnosed.values():
        collected = incident["primary_context"]["evidence_collected"]
        known = {item["evidence_id"] for kind in collected.values() for item in kind}
        cited = {c["evidence_id"] for c in incident["diagnostic_report"]["supporting_evidence"]}
        assert cited
        assert cited <= known


def test_the_crash_loop_is_a_wrong_configuration_value(diagnosed):
    """The log names the variable, and so does the diagnosis, with the service that reads it."""
    incident = diagnosed["KubePodCrashLooping"]

    assert alert_names(incident) == ["KubePodCrashLooping"]
    assert incident["service"] == "payment-service"
    assert incident["diagnostic_report"]["category"] == "configuration"
    assert "DATABASE_URL in service/payment-service" in incident["root_cause"]


def test_the_cpu_exhaustion_is_a_pod_without_limits(diagnosed):
    """The node is named, and the pod that took it."""
    incident = diagnosed["NodeNotReady"]

    assert alert_names(incident) == ["ContainerThrottled", "NodeCPUSaturated", "NodeNotReady"]
    assert incident["diagnostic_report"]["root_cause_component"] == "node/worker-2"
    assert "CPU of node/worker-2 is exhausted" in incident["root_cause"]
    assert re.search(
        r"pod sales-report-\S+, which runs without a CPU limit", incident["root_cause"]
    )


def test_the_cascade_starts_at_the_service_that_was_deployed(diagnosed):
    """Four alerts of three services are one incident with one root."""
    incident = diagnosed["ServiceErrorRatioHigh"]

    report = incident["diagnostic_report"]
    assert alert_names(incident) == [
        "DependencyErrorRatioHigh",
        "ServiceErrorRatioHigh",
        "ServiceErrorRatioHigh",
        "TokenVerificationFailing",
    ]
    assert report["root_cause_component"] == "service/auth-service"
    assert report["propagation"][0] == "service/auth-service"
    assert "rollout" in incident["root_cause"]
    assert "auth-service:3.8.0" in incident["root_cause"]


def test_people_read_verdict_evidence_and_address(tmp_path):
    """Without --json the demo prints what a person needs."""
    done = demo("--outage", "crashloop", tmp=tmp_path)

    assert done.returncode == 0, done.stderr
    for words in ("DATABASE_URL", "[E", "/api/v1/incidents/"):
        assert words in done.stdout
