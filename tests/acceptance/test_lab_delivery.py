"""Nothing that a real Prometheus or Alertmanager tells is lost: tokens, outages and deaths."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from faults.processes import Process
from lab import alertmanager, memory
from lab.prometheus import RealPrometheus
from running_stack import Stack, running_up, until

from cli import ports
from cli.embedded import postgres
from opssage.access import Scope

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

WEBHOOK = "/api/v1/webhooks/alertmanager"
OPERATOR = "lab-operator-token"


@contextmanager
def stack_with(folder: Path, settings: str = "{}", **env: str) -> Iterator[Stack]:
    """Run the service with settings of the test's own; its client may do everything."""
    config = folder / "config.yaml"
    config.write_text(settings)
    with running_up(folder / "data", OPSSAGE_CONFIG=str(config), **env) as stack:
        stack.api.headers["Authorization"] = f"Bearer {OPERATOR}"
        yield stack


def database_of(folder: Path) -> str:
    """Return the URL of the database that `opssage up` makes."""
    return f"sqlite:///{folder / 'data' / 'opssage.db'}"


def incidents(stack: Stack) -> list[dict[str, Any]]:
    """Return the incidents as the API lists them, newest first."""
    answer = stack.api.get("/api/v1/incidents")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def rules(firing: Sequence[str], over: Sequence[str] = ()) -> str:
    """Return rules that fire at once, and some that do not."""
    written = [
        {
            "alert": name,
            "expr": "vector(1) > 0" if name in firing else "vector(1) > 1",
            "labels": {"severity": "warning", "namespace": "shop"},
        }
        for name in (*firing, *over)
    ]
    return yaml.safe_dump({"groups": [{"name": "lab", "interval": "2s", "rules": written}]})


def test_alertmanager_proves_itself_by_bearer_and_by_basic_authentication(debian, tmp_path):
    """Both receivers deliver, and their alerts have the token's name as their sender."""
    with stack_with(tmp_path, OPSSAGE_AUTH_MODE="token", OPSSAGE_TOKEN=OPERATOR) as stack:
        secret = tmp_path / "token"
        secret.write_text(memory.token(database_of(tmp_path), "lab-alertmanager", Scope.INGEST))
        receivers = {
            "Bearer": {"authorization": {"credentials_file": str(secret)}},
            "Basic": {"basic_auth": {"username": "any", "password_file": str(secret)}},
        }
        for name, http_config in receivers.items():
            with alertmanager.running(
                debian, tmp_path / name, f"{stack.api.base_url}{WEBHOOK}", http_config
            ) as sender:
                sender.add(alertname=name, namespace=name)
                until(lambda name=name: name in {each["alert_name"] for each in incidents(stack)})
        found = {each["alert_name"]: each["sender"] for each in incidents(stack)}

    assert found == {"Bearer": "lab-alertmanager", "Basic": "lab-alertmanager"}
    assert secret.read_text() not in (tmp_path / "data.log").read_text()


@pytest.mark.parametrize(("scope", "status"), [(None, 401), (Scope.READ, 403)])
def test_alertmanager_logs_how_to_correct_a_token_that_is_refused(debian, tmp_path, scope, status):
    """Its log tells the status and the way out, and neither log tells the token."""
    with stack_with(tmp_path, OPSSAGE_AUTH_MODE="token", OPSSAGE_TOKEN=OPERATOR) as stack:
        made = memory.token(database_of(tmp_path), "reader", scope) if scope else "wrong-token"
        secret = tmp_path / "token"
        secret.write_text(made)
        with alertmanager.running(
            debian,
            tmp_path / "alertmanager",
            f"{stack.api.base_url}{WEBHOOK}",
            {"authorization": {"credentials_file": str(secret)}},
        ) as sender:
            sender.add(alertname="Refused")
            said = until(lambda: _line(sender.process, f"unexpected status code {status}"))
        found = incidents(stack)

    assert found == []
    assert "credentials_file" in said
    assert "opssage token create" in said
    assert made not in said
    assert made not in (tmp_path / "data.log").read_text()


def _line(process: Process, text: str) -> str | None:
    return next((line for line in process.said().splitlines() if text in line), None)


def test_an_alert_waits_in_alertmanager_while_the_database_is_away(debian, tmp_path):
    """Alertmanager is answered 503, comes again, and the alert is there once the database is."""
    with _postgresql(tmp_path) as (url, database), stack_with(tmp_path, DATABASE_URL=url) as stack:
        webhook = f"{stack.api.base_url}{WEBHOOK}"
        with alertmanager.running(debian, tmp_path / "alertmanager", webhook) as sender:
            database.kill()
            sender.add(alertname="WhileAway")
            until(lambda: "unexpected status code 503" in sender.process.said())
            database.start()
            (found,) = until(lambda: _if_answered(stack))
            stack.completed(found["incident_id"])

    assert found["alert_name"] == "WhileAway"


@contextmanager
def _postgresql(folder: Path) -> Iterator[tuple[str, Process]]:
    """Run a PostgreSQL that can be taken down; yields its URL and its process."""
    with postgres.temporary_folder() as data:
        postgres.prepare(data)
        port = ports.free()
        url = postgres.url(data, port)
        process = Process(
            name="postgresql",
            command=postgres.command(data, port),
            ready=lambda _: postgres.answers(url),
            log=folder / "postgresql.log",
        )
        try:
            process.start()
            yield url, process
        finally:
            process.end()


def _if_answered(stack: Stack) -> list[dict[str, Any]]:
    answer = stack.api.get("/api/v1/incidents")
    return list(answer.json()["items"]) if answer.status_code == 200 else []


def test_no_alert_is_lost_over_the_deaths_of_alertmanager_and_prometheus(debian, tmp_path):
    """Whatever fired has its row, and all of it is one incident, reopened after a false end."""
    names = [f"Lab{number}" for number in range(6)]
    database = database_of(tmp_path)
    with stack_with(tmp_path, "ingest: {late_seconds: 0}\n") as stack:
        webhook = f"{stack.api.base_url}{WEBHOOK}"
        prometheus = RealPrometheus(debian, tmp_path)
        with alertmanager.running(debian, tmp_path / "alertmanager", webhook) as sender:
            prometheus.configure(rules(names[:2]), sender.url)
            with prometheus:
                (first,) = until(lambda: incidents(stack))
                until(lambda: memory.names(memory.alerts(database)) == set(names[:2]))

                sender.process.kill()
                prometheus.configure(rules(names[:4]), sender.url)
                sender.process.start()
                until(lambda: memory.names(memory.alerts(database)) == set(names[:4]))

                prometheus.process.kill()
                until(lambda: stack.incident(first["incident_id"])["resolved_at"])
                prometheus.configure(rules(names), sender.url)
                prometheus.process.start()
                until(lambda: stack.incident(first["incident_id"])["resolved_at"] is None)
                until(lambda: memory.names(memory.alerts(database)) == set(names))

                told = sum(row.deliveries for row in memory.alerts(database))
                sender.process.restart()
                until(lambda: sum(row.deliveries for row in memory.alerts(database)) > told)
        (last,) = incidents(stack)

    assert last["incident_id"] == first["incident_id"]
    assert last["flap_count"] == 1
    assert {row.incident_id.hex for row in memory.alerts(database)} == {
        first["incident_id"].replace("-", "")
    }


def test_prometheus_needs_no_alertmanager(debian, tmp_path):
    """Its alerts open an incident, end it when they end, and when Prometheus falls silent."""
    with stack_with(tmp_path, OPSSAGE_AUTH_MODE="token", OPSSAGE_TOKEN=OPERATOR) as stack:
        secret = tmp_path / "token"
        secret.write_text(memory.token(database_of(tmp_path), "lab-prometheus", Scope.INGEST))
        login = {"authorization": {"credentials_file": str(secret)}}
        prometheus = RealPrometheus(debian, tmp_path)
        prometheus.configure(rules(["Ending", "Silent"]), str(stack.api.base_url), **login)
        with prometheus:
            found = until(lambda: len(found := incidents(stack)) == 2 and found)
            ids = {each["alert_name"]: each["incident_id"] for each in found}
            prometheus.configure(rules(["Silent"], ["Ending"]), str(stack.api.base_url), **login)
            until(lambda: stack.incident(ids["Ending"])["resolved_at"])
            assert stack.incident(ids["Silent"])["resolved_at"] is None
            assert "Error sending alert" not in prometheus.process.said()

            prometheus.process.kill()
            until(lambda: stack.incident(ids["Silent"])["resolved_at"])

        assert {each["sender"] for each in incidents(stack)} == {"lab-prometheus"}
        assert {each["incident_id"] for each in incidents(stack)} == set(ids.values())
