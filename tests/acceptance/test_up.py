"""The whole service: a webhook in, a diagnosis out, whatever dies on the way."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from pytest_httpserver import HTTPServer
from running_stack import OPSSAGE, QUICK, descendants, is_running, running_up, until
from werkzeug import Request, Response


def test_a_recorded_webhook_becomes_a_diagnosis(stack):
    """What a real Alertmanager sent ends as a completed incident with all documents."""
    (incident_id,) = stack.post_recorded("03_firing_group_of_3_unicode_and_quotes")

    incident = stack.completed(incident_id)

    report = incident["diagnostic_report"]
    assert report["verdict"] == "insufficient_evidence"  # no source is configured
    assert incident["confidence_score"] <= 0.3
    assert len(incident["primary_context"]["evidence_collected"]["alerts"]) == 3
    assert {line["status"] for line in incident["primary_context"]["sources"]} >= {"not_configured"}
    assert incident["enhanced_context"]["knowledge_summary"]


def test_an_exported_incident_is_replayed_to_the_same_bytes(stack, tmp_path):
    """From its file alone: nothing answers where the environment says to ask."""
    (incident_id,) = stack.post_recorded("03_firing_group_of_3_unicode_and_quotes")
    stack.completed(incident_id)
    file = tmp_path / "incident.json.gz"
    address = ("--url", str(stack.api.base_url))
    nowhere = {"PROMETHEUS_URL": "http://127.0.0.1:9", "DATABASE_URL": "sqlite:////nowhere/x.db"}

    subprocess.run([OPSSAGE, "export", incident_id, "--output", file, *address], check=True)
    done = subprocess.run(
        [OPSSAGE, "replay", file],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, **nowhere},
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "byte for byte, on the same evidence" in done.stdout


def test_flower_shows_the_three_tasks(stack):
    """Each stage is a task that succeeded, under its own name."""
    (incident_id,) = stack.post_recorded("17_node_alert_instance_label")
    stack.completed(incident_id)

    def succeeded() -> set[str]:
        tasks = stack.flower.get("/api/tasks", params={"limit": 100}).json().values()
        ours = [task for task in tasks if incident_id in (task["args"] or "")]
        names = {task["name"] for task in ours if task["state"] == "SUCCESS"}
        return names if len(names) == 3 else set()

    assert until(succeeded, 20) == {"opssage.collect", "opssage.enrich", "opssage.diagnose"}


def test_readiness_names_every_part(stack):
    """All are there."""
    assert stack.api.get("/readyz").json() == {
        "status": "ready",
        "checks": {"database": "ok", "migrations": "ok", "broker": "ok"},
    }


def test_metrics_tell_what_web_and_worker_did(stack):
    """One page has the counts of all processes: alerts taken, questions asked, stages committed."""
    names = (
        'opssage_alerts_received_total{outcome="accepted"}',
        'opssage_source_requests_total{outcome="not_configured",source="prometheus"}',
        'opssage_stage_results_total{outcome="committed",stage="diagnose"}',
        'opssage_diagnoses_total{verdict="insufficient_evidence"}',
    )

    def counts() -> list[float]:
        lines = stack.api.get("/metrics").text.splitlines()
        told = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return [float(told.get(name, 0)) for name in names]

    before = counts()
    (incident_id,) = stack.post_recorded("08_firing_group_of_6")
    stack.completed(incident_id)

    grown = [count + more for count, more in zip(before, (6, 1, 1, 1), strict=True)]
    until(lambda: counts() == grown, 20)


def test_a_body_of_20_mb_is_refused_with_a_reason(stack):
    """The client gets to read why."""
    answer = stack.api.post("/api/v1/webhooks/alertmanager", content=b" " * 20_000_000)

    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_send_wait_prints_the_diagnosis(stack, tmp_path):
    """`opssage send FILE --wait` in another terminal shows what came of it."""
    alert = tmp_path / "alert.json"
    alert.write_text('{"alert_name": "HighErrorRate", "labels": {"service": "cart"}}')

    done = subprocess.run(
        [
            *(OPSSAGE, "send", str(alert), "--wait"),
            *("--url", str(stack.api.base_url)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 10, done.stderr  # inconclusive: there was nothing to ask
    assert "not enough evidence" in done.stdout


def test_a_second_run_works_on_the_data_of_the_first(tmp_path):
    """What was diagnosed is still there, and new alerts go on; only the first tells tokens."""
    said = tmp_path / "data.log"
    with running_up(tmp_path / "data") as first:
        (incident_id,) = first.post_recorded("01_firing_single")
        first.completed(incident_id)
    assert re.findall(r"^  (\w+) +ops_\w{73}$", said.read_text(), re.MULTILINE) == [
        *("admin", "alertmanager")
    ]

    with running_up(tmp_path / "data") as second:
        assert second.incident(incident_id)["status"] == "completed"
        (other,) = second.post_recorded("17_node_alert_instance_label")
        second.completed(other)
    assert "ops_" not in said.read_text()


def test_a_killed_supervisor_leaves_no_process(tmp_path):
    """Children die with their parent, even when it had no time to stop them."""
    with running_up(tmp_path / "data") as stack:
        started = descendants(stack.process.pid)
        assert len(started) >= 6

        stack.process.kill()

        until(lambda: not any(is_running(pid) for pid in started), 30)


def slow(_request: Request) -> Response:
    """Answer as a Prometheus that is too slow to be of use."""
    time.sleep(0.6)
    return Response('{"status": "success", "data": {"resultType": "matrix", "result": []}}')


@pytest.fixture
def slow_prometheus() -> Iterator[HTTPServer]:
    """A Prometheus that takes its time for each question, but takes several at once."""
    with HTTPServer(threaded=True) as server:
        server.expect_request("/api/v1/query").respond_with_handler(slow)
        server.expect_request("/api/v1/query_range").respond_with_handler(slow)
        yield server


def test_nothing_accepted_is_lost_when_worker_and_broker_die(tmp_path, slow_prometheus):
    """A worker killed in mid-stage and a broker emptied and killed cost time, no incident."""
    config = tmp_path / "config.yaml"
    config.write_text(QUICK)
    env = {"OPSSAGE_CONFIG": str(config), "PROMETHEUS_URL": slow_prometheus.url_for("/")}
    with running_up(tmp_path / "data", **env) as stack:
        names = ("01_firing_single", "17_node_alert_instance_label", "19_am028_amtool_firing")
        ids = [stack.post_recorded(name)[0] for name in names]
        until(lambda: slow_prometheus.log, 20)  # somebody is in the middle of a stage
        worker = stack.child("celery", "worker", "--without-gossip")
        _empty_broker(worker)

        os.killpg(worker, signal.SIGKILL)
        os.kill(stack.child("valkey-server"), signal.SIGKILL)

        late = stack.post_recorded("08_firing_group_of_6")  # ingest needs no broker
        for incident_id in (*ids, *late):
            assert stack.completed(incident_id, 90)["diagnostic_report"]


def _empty_broker(worker: int) -> None:
    """Drop every message, as a broker without persistence does when it restarts."""
    lines = Path(f"/proc/{worker}/environ").read_bytes().decode().split("\0")
    url = next(line.partition("=")[2] for line in lines if line.startswith("OPSSAGE_BROKER_URL="))
    with redis.Redis.from_url(url) as client:
        client.flushall()
        client.config_set("appendonly", "no")
    time.sleep(0.2)
