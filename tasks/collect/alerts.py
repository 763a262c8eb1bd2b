"""Alerts as evidence; the incident's own need no asking."""

from opssage.evidence import Evidence, EvidenceKind
from opssage.incident import Alert
from opssage.places import subject_of
from opssage.wire import format_time
from tasks.collect.sentences import time_of_day, whom
from tasks.collect.source import Answer, Scope


class AlertSource:
    """Answers with what the sender said. It asks nobody, so its ledger is empty."""

    name = "alert"

    def ask(self, scope: Scope, deadline: float) -> Answer:  # noqa: ARG002 - Source's signature
        """Return one evidence per alert, in the order of their starts."""
        ordered = sorted(scope.alerts, key=lambda alert: (alert.starts_at, alert.fingerprint))
        return Answer(evidence=tuple(alert_evidence(alert, self.name) for alert in ordered))


def alert_evidence(alert: Alert, source: str, remark: str = "") -> Evidence:
    """Return an alert as evidence; `remark` goes into its sentence."""
    subject = subject_of(alert.labels)
    message = f": {alert.message}" if alert.message else ""
    aside = f" ({remark})" if remark else ""
    return Evidence(
        kind=EvidenceKind.ALERT,
        source=source,
        summary=f"{alert.name} ({alert.severity}) {alert.status.value} since "
        f"{time_of_day(alert.starts_at)} for {whom(subject)}{aside}{message}",
        observed_at=alert.starts_at,
        subject=subject,
        query=alert.condition,
        data={
            "status": alert.status.value,
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "starts_at": format_time(alert.starts_at),
            "ends_at": None if alert.ends_at is None else format_time(alert.ends_at),
            "firing_condition": alert.condition,
        },
    )
