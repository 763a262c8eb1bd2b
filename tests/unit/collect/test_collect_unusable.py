"""A source whose settings cannot be used costs its own evidence only."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from unit.collect.stand_ins import ONSET, make_alert

from opssage.evidence import SourceReport, SourceStatus
from opssage.incident import Incident, Status
from opssage.settings import KubernetesSettings, PrometheusSettings, Settings, SourcesSettings
from tasks.collect import build_sources, collect, source_faults
from tasks.collect.playback import Playback, connect
from tasks.collect.tape import recording, replaying

ALERT = make_alert(
    {"alertname": "HighErrorRate", "namespace": "shop", "service": "web"},
    firing_condition="errors > 1",
)
UNUSABLE = SourcesSettings(
    prometheus=PrometheusSettings(url="https://prometheus", ca_file="rotated-away.pem"),
    kubernetes=KubernetesSettings(config="none", context="production"),
    topology_file="gone.yaml",
)


def settings(sources: SourcesSettings = UNUSABLE) -> Settings:
    return Settings(folder=Path("/nonexistent"), sources=sources)


def collected(sources):
    incident = Incident(
        incident_id=UUID(int=1),
        status=Status.PENDING,
        created_at=ONSET,
        updated_at=ONSET,
        alert_name="HighErrorRate",
        severity="critical",
    )
    now = ONSET + timedelta(minutes=30)
    return collect(incident, [ALERT], sources, settings().collect, now)


def line(context, source: str) -> SourceReport:
    (found,) = (report for report in context.sources if report.source == source)
    return found


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("prometheus", "sources.prometheus.ca_file: rotated-away.pem cannot be used: "),
        ("kubernetes", "sources.kubernetes.config: none cannot be used: "),
        ("topology_file", "sources.topology_file: /nonexistent/gone.yaml is not a file"),
    ],
)
def test_an_unusable_source_is_a_line_of_the_ledger(source, fault):
    """It says which setting to mend, and the other sources are there as ever."""
    context = collected(build_sources(settings()))

    told = line(context, source)
    assert told.status is SourceStatus.FAILED
    assert told.error.startswith(fault)
    assert line(context, "loki").status is SourceStatus.NOT_CONFIGURED


def test_what_an_unusable_source_would_be_asked_is_told_as_a_command():
    """It begins with the alert's own expression."""
    context = collected(build_sources(settings()))

    assert "'query=errors > 1'" in line(context, "prometheus").by_hand
    assert "-n shop" in line(context, "kubernetes").by_hand


def test_an_unusable_source_is_an_error_in_the_log():
    """Of the process that would have asked it, when it starts."""
    with capture_logs() as said:
        build_sources(settings())

    assert [(each["log_level"], each["source"]) for each in said] == [
        ("error", "topology_file"),
        ("error", "prometheus"),
        ("error", "kubernetes"),
    ]


def test_an_unusable_source_is_replayed_as_it_was():
    """Although every source of a recording can be made."""
    with recording() as tape:
        then = collected(build_sources(settings()))
    sources = build_sources(settings(), connect(Playback(()), settings()))

    with replaying(tape.matters):
        again = collected(sources)

    assert told(again) == told(then)


def told(context):
    return [(each.source, each.status, each.error) for each in context.sources]


def test_faults_of_sources_are_known_before_anything_is_asked():
    """Only those that are configured have any."""
    assert [fault.partition(":")[0] for fault in source_faults(settings())] == [
        "sources.prometheus.ca_file",
        "sources.kubernetes.config",
    ]
    assert source_faults(settings(SourcesSettings())) == []
