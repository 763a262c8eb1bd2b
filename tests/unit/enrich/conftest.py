"""Contexts, runbooks and past incidents with defaults, so that a test shows only what matters."""

from datetime import UTC, datetime, timedelta

import pytest

from opssage.diagnosis import Impression, Suspicion
from opssage.evidence import (
    AffectedComponents,
    AlertMetadata,
    Evidence,
    EvidenceCollected,
    EvidenceKind,
    PreliminaryAnalysis,
    PrimaryContext,
    Window,
)
from opssage.knowledge import PastIncident
from tasks.enrich.runbooks import parse_runbook

ONSET = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def evidence():
    """Return a maker of one observation."""

    def make(kind, summary="seen", subject=None, **data):
        return Evidence(
            kind=EvidenceKind(kind),
            source="test",
            summary=summary,
            observed_at=ONSET,
            subject=subject or {},
            data=data,
        )

    return make


@pytest.fixture
def context():
    """Return a maker of what collect found for one alert."""

    def make(alert_name="KubePodCrashLooping", *evidence, observations=(), **where):
        return PrimaryContext(
            alert_metadata=AlertMetadata(
                alert_name=alert_name, severity="warning", firing_condition="", trigger_time=ONSET
            ),
            affected_components=AffectedComponents(**where),
            evidence_collected=EvidenceCollected.by_kind(evidence),
            preliminary_analysis=PreliminaryAnalysis(observations=tuple(observations)),
            window=Window(start=ONSET, end=ONSET + timedelta(minutes=5), onset=ONSET),
            alert_seq=1,
        )

    return make


@pytest.fixture
def runbook():
    """Return a maker of a runbook with one section, or with the Markdown given."""

    def make(name, body="Look at the logs.", **front):
        lines = [f"{key}: {value}" for key, value in front.items()]
        return parse_runbook(name, "\n".join(["---", *lines, "---", body]))

    return make


@pytest.fixture
def past_incident():
    """Return a maker of a finished incident."""

    def make(incident_id, alert_name="KubePodCrashLooping", days_ago=1, **facts):
        return PastIncident(
            **{
                "incident_id": incident_id,
                "alert_name": alert_name,
                "service": None,
                "namespace": None,
                "created_at": ONSET - timedelta(days=days_ago),
                "root_cause": "",
                "category": "",
                **facts,
            }
        )

    return make


@pytest.fixture
def impression():
    """Return a maker of what the evidence suggests: signals, and causes with their kind."""

    def make(*signals, **causes):
        return Impression(
            suspicions=tuple(
                Suspicion(cause=cause, category=category, component_kind=kind, probability=share)
                for cause, (category, kind, share) in causes.items()
            ),
            signals=tuple(sorted(signals)),
        )

    return make
