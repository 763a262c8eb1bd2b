import os

import pytest
from click.testing import CliRunner

from cli.main import main

INCIDENT_ID = "019a0000-0000-7000-8000-000000000001"


@pytest.fixture
def opssage(tmp_path, monkeypatch):
    """Run the `opssage` command in a folder without configuration; returns click's result."""
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith(("OPSSAGE_", "DATABASE_", "PROMETHEUS_", "LOKI_")):
            monkeypatch.delenv(name)
    return lambda *words, **more: CliRunner().invoke(main, [str(word) for word in words], **more)


@pytest.fixture
def incident():
    """Return a diagnosed incident as the API answers it; keywords change it."""

    def make(**changes):
        report = {
            "verdict": "fault",
            "root_cause": "The database of checkout refuses its password",
            "root_cause_component": "service/checkout",
            "category": "configuration",
            "confidence_score": 0.86,
            "supporting_evidence": [
                {"evidence_id": "E3", "statement": "12 log lines say access denied"}
            ],
            "recommended_remediation": {
                "short_term_actions": [
                    {
                        "action": "Correct the secret",
                        "risk": "low",
                        "command": "kubectl edit secret checkout",
                        "verify": "the pods become ready",
                    }
                ],
                "long_term_actions": [],
            },
            "next_checks": [],
            "propagation": ["service/checkout", "service/web"],
        }
        return {
            "incident_id": INCIDENT_ID,
            "status": "completed",
            "alert_name": "PodCrashLooping",
            "severity": "critical",
            "namespace": "shop",
            "service": "checkout",
            "created_at": "2026-11-23T03:00:00.000000Z",
            "root_cause": report["root_cause"],
            "confidence_score": 0.86,
            "last_error": None,
            "diagnostic_report": {**report, **changes.pop("report", {})},
            **changes,
        }

    return make
