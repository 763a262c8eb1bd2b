"""Alerts as they arrive, and the incident they belong to."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from opssage.places import service_of, subject_of


class AlertStatus(StrEnum):
    """What the sender says of an alert."""

    FIRING = "firing"
    RESOLVED = "resolved"


class AlertClass(StrEnum):
    """What an alert is about: the world, or the eyes it is seen with."""

    CONDITION = "condition"
    """Its rule holds."""
    NO_DATA = "no_data"
    """Its rule found nothing to look at (Grafana's DatasourceNoData)."""
    SOURCE_ERROR = "source_error"
    """Its rule could not be evaluated (Grafana's DatasourceError)."""


_CLASSES = {
    "DatasourceNoData": AlertClass.NO_DATA,
    "DatasourceError": AlertClass.SOURCE_ERROR,
}


class Disposition(StrEnum):
    """Why an alert belongs to no incident."""

    RESOLVED_ONLY = "resolved_only"
    """It was over when it was first heard of."""
    IGNORED = "ignored"
    """A matcher of `ingest.ignore` says so."""
    WATCHDOG = "watchdog"
    """It always fires, to show that alerts arrive."""
    INHIBITOR = "inhibitor"
    """It only keeps other alerts quiet (InfoInhibitor)."""


SERVANTS = {
    "Watchdog": Disposition.WATCHDOG,
    "InfoInhibitor": Disposition.INHIBITOR,
}
"""Alerts by name that serve alerting itself; kube-prometheus has them."""


class Status(StrEnum):
    """How far the investigation of an incident has come.

    Being worked on is a lease, not a status.
    """

    PENDING = "pending"
    """Accepted and stored; nothing collected yet."""
    CONTEXT_COLLECTED = "context_collected"
    """`primary_context` is there."""
    CONTEXT_ENRICHED = "context_enriched"
    """`enhanced_context` is there."""
    COMPLETED = "completed"
    """`diagnostic_report` is there."""
    FAILED = "failed"
    """Given up; `last_error` says why."""

    @property
    def is_terminal(self) -> bool:
        """True when no stage is left to run."""
        return self in {Status.COMPLETED, Status.FAILED}


class Stage(StrEnum):
    """The three steps of an investigation, in order."""

    COLLECT = "collect"
    ENRICH = "enrich"
    DIAGNOSE = "diagnose"

    @property
    def expects(self) -> Status:
        """The status an incident has when this stage may run."""
        return _STEPS[self][0]

    @property
    def reaches(self) -> Status:
        """The status an incident has once this stage is committed."""
        return _STEPS[self][1]

    @property
    def document(self) -> str:
        """The column and JSON key that holds this stage's result."""
        return _STEPS[self][2]

    @classmethod
    def remaining(cls, status: Status) -> tuple["Stage", ...]:
        """Return the stages still to run from `status`, in order; empty when terminal."""
        stages = tuple(cls)
        for index, stage in enumerate(stages):
            if stage.expects == status:
                return stages[index:]
        return ()


_STEPS: Mapping[Stage, tuple[Status, Status, str]] = {
    Stage.COLLECT: (Status.PENDING, Status.CONTEXT_COLLECTED, "primary_context"),
    Stage.ENRICH: (Status.CONTEXT_COLLECTED, Status.CONTEXT_ENRICHED, "enhanced_context"),
    Stage.DIAGNOSE: (Status.CONTEXT_ENRICHED, Status.COMPLETED, "diagnostic_report"),
}

SEVERITIES: tuple[str, ...] = ("critical", "error", "warning", "info", "none")
"""Known severities, worst first. An unknown word ranks with `warning`."""


def severity_rank(severity: str) -> int:
    """Return 0 for the worst severity; smaller is more urgent."""
    known = severity.lower()
    return SEVERITIES.index(known if known in SEVERITIES else "warning")


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """One alert as a sender reported it."""

    labels: Mapping[str, str]
    starts_at: datetime
    has_start: bool = True  #: False: the sender told none, so `starts_at` is when it arrived
    fingerprint: str  #: identifies the label set, 16 hex digits
    status: AlertStatus = AlertStatus.FIRING
    annotations: Mapping[str, str] = field(default_factory=dict)
    ends_at: datetime | None = None
    generator_url: str = ""
    firing_condition: str = ""  #: the PromQL expression, when the sender gave it
    expires_at: datetime | None = None  #: over then unless sent again; None: the sender says not
    extra: Mapping[str, Any] = field(default_factory=dict)  #: what else the sender says of it

    @property
    def alert_class(self) -> AlertClass:
        """Whether it is about the world or about its own rule."""
        return _CLASSES.get(self.name, AlertClass.CONDITION)

    @property
    def name(self) -> str:
        """The `alertname` label."""
        return self.labels.get("alertname", "")

    @property
    def severity(self) -> str:
        """The `severity` label, lower case; `warning` when the alert has none."""
        return self.labels.get("severity", "").lower() or "warning"

    @property
    def namespace(self) -> str | None:
        """The Kubernetes namespace that the alert is about, when a label names it."""
        return subject_of(self.labels).get("namespace")

    @property
    def service(self) -> str | None:
        """The service or workload that the alert is about, never the one that measured it."""
        return service_of(self.labels)

    @property
    def condition(self) -> str:
        """The alert's PromQL expression, as the sender gave it or its generator URL has it."""
        return self.firing_condition or condition_in(self.generator_url)

    @property
    def message(self) -> str:
        """The most telling annotation there is."""
        for key in ("summary", "message", "description"):
            if text := self.annotations.get(key):
                return text
        return ""


def condition_in(generator_url: str) -> str:
    """Return the PromQL in the link of who made the alert; empty when there is none.

    Prometheus, Thanos and Mimir write it as `g0.expr`; who links to Grafana's Explore has it within
    the JSON of `left` or `panes`. The link is only read, never followed.
    """
    try:
        params = parse_qs(urlsplit(generator_url).query)
        if expression := params.get("g0.expr", [""])[0]:
            return expression
        explored = (json.loads(text) for key in ("left", "panes") for text in params.get(key, ()))
        return next(filter(None, map(_expression_in, explored)), "")
    except (ValueError, RecursionError):
        return ""


def _expression_in(document: Any) -> str:
    """Return the first query that a state of Grafana's Explore holds."""
    if isinstance(document, dict):
        expression = document.get("expr")
        if isinstance(expression, str):
            return expression
        document = list(document.values())
    if isinstance(document, list):
        return next(filter(None, map(_expression_in, document)), "")
    return ""


def lead_alert(alerts: Sequence[Alert]) -> Alert:
    """Return the alert an incident is shown by: worst severity, then latest start."""
    return min(
        alerts,
        key=lambda alert: (
            severity_rank(alert.severity),
            -alert.starts_at.timestamp(),
            alert.fingerprint,
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """An alert that could not be taken, kept for a person to look at."""

    index: int  #: position in the request's list of alerts
    reason: str  #: names the field and the fix
    raw: str = ""  #: what was sent, as JSON text


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertGroup:
    """What one request delivered: alerts that belong together, and their envelope."""

    alerts: tuple[Alert, ...]
    sender: str = "default"
    receiver: str = ""
    group_key: str = ""  #: unique only together with sender and receiver
    group_labels: Mapping[str, str] = field(default_factory=dict)
    common_labels: Mapping[str, str] = field(default_factory=dict)
    common_annotations: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""
    truncated_alerts: int = 0  #: alerts the sender left out of this message
    rejects: tuple[Reject, ...] = ()
    more_rejects: int = 0  #: further ones, which are counted only
    extra: Mapping[str, Any] = field(default_factory=dict)  #: what else the envelope says


class Change(StrEnum):
    """What a request's alerts mean to an incident; the first that is true."""

    OPENED = "opened"
    REOPENED = "reopened"
    """It was over, and one of them fires in it."""
    JOINED = "joined"
    """It has alerts that it did not have, or has again."""
    RESOLVED = "resolved"
    """The last of its alerts ended."""
    ENDED = "ended"
    """An alert of it ended, and others fire."""
    REPEATED = "repeated"
    """Nothing new was said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident:
    """One incident as the store answers it. Documents are plain JSON, None until written."""

    incident_id: UUID
    status: Status
    created_at: datetime
    updated_at: datetime
    alert_name: str
    severity: str
    namespace: str | None = None
    service: str | None = None
    sender: str = "default"
    receiver: str = ""
    resolved_at: datetime | None = None
    previous_id: UUID | None = None
    revision: int = 1
    alert_seq: int = 1  #: moves with every change of the incident's alerts
    version: int = 1  #: moves with every change a reader can see
    truncated_alerts: int = 0  #: the most that a message about it left out
    flap_count: int = 0  #: how often it fired again soon after its end
    flapping: bool = False  #: that often that it is not diagnosed again by itself
    acked_at: datetime | None = None
    acked_by: str | None = None
    root_cause: str | None = None
    confidence_score: float | None = None
    last_error: Mapping[str, Any] | None = None
    archived_at: datetime | None = None
    alert_input: Mapping[str, Any] | None = None
    primary_context: Mapping[str, Any] | None = None
    enhanced_context: Mapping[str, Any] | None = None
    diagnostic_report: Mapping[str, Any] | None = None
    previous: Mapping[str, Any] | None = None
    """While a revision runs: revision, root_cause, confidence_score and diagnostic_report of the
    one before."""
