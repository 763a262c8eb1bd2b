"""The whole way on other people's parts: Prometheus fires, Alertmanager sends, we diagnose."""

from datetime import UTC, datetime

import pytest
import yaml
from lab import alertmanager
from lab.prometheus import RealPrometheus, open_metrics
from running_stack import running_up, until

from cli.replay import load

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

HISTORY_SECONDS = 4500


def test_a_rule_that_fires_ends_as_a_diagnosis_of_the_faulty_service(debian, tmp_path):
    """Back-filled fault → rule fires → webhook → a diagnosis that names the service."""
    recording = load("auth-cascade")
    capture = recording.at(datetime.now(UTC))
    prometheus = RealPrometheus(debian, tmp_path)
    prometheus.load(
        open_metrics(
            (
                series
                for series in capture.series
                if not series.labels["__name__"].startswith("ALERTS")
            ),
            (capture.now - HISTORY_SECONDS) * 1000,
            (capture.now + 900) * 1000,
        )
    )
    with running_up(tmp_path / "data", PROMETHEUS_URL=prometheus.url) as stack:
        webhook = f"{stack.api.base_url}/api/v1/webhooks/alertmanager"
        with alertmanager.running(debian, tmp_path, webhook) as receiver:
            prometheus.configure(_rules(recording.document), receiver.url)
            with prometheus:
                (found,) = until(lambda: stack.api.get("/api/v1/incidents").json()["items"], 60)
                incident = stack.completed(found["incident_id"])

    report = incident["diagnostic_report"]
    assert report["verdict"] == "fault"
    assert report["root_cause_component"] == "service/auth-service"


def _rules(document) -> str:
    """Return the recording's rules, firing at once."""
    rules = [
        {"alert": name, **{key: rule[key] for key in ("expr", "labels", "annotations")}}
        for name, rule in document["rules"].items()
    ]
    return yaml.safe_dump({"groups": [{"name": "services", "interval": "2s", "rules": rules}]})
