"""Ask all sources at once and put together what they saw."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from time import monotonic

import structlog

from opssage import metrics
from opssage.changes import ReportedChange
from opssage.evidence import (
    AffectedComponents,
    AlertMetadata,
    Evidence,
    EvidenceCollected,
    PreliminaryAnalysis,
    PrimaryContext,
    SourceReport,
    SourceStatus,
)
from opssage.graph import ServiceGraph
from opssage.incident import Alert, Incident, lead_alert, severity_rank
from opssage.places import subject_of
from opssage.redaction import redact, redact_text
from opssage.settings import CollectSettings
from tasks.collect import shell
from tasks.collect.alert_signals import lookback_seconds
from tasks.collect.analysis import first_sight
from tasks.collect.concurrency import run_all
from tasks.collect.first_look import first_look
from tasks.collect.rollouts import told_once
from tasks.collect.source import Answer, KnowsRules, RuleFacts, Scope, Source
from tasks.collect.tape import time_for
from tasks.collect.targets import targets_of
from tasks.collect.topology_file import declared_calls
from tasks.collect.windows import calm_until, window_of

log = structlog.get_logger(__name__)

RULES_SHARE = 0.25  #: of the deadline, for asking about the rules behind the alerts
RETURN_SHARE = 0.95  #: of the deadline: when sources must be back, to be heard before it ends


def collect(
    incident: Incident,
    alerts: Sequence[Alert],
    sources: Sequence[Source],
    settings: CollectSettings,
    now: datetime,
    changes: Sequence[ReportedChange] = (),
) -> PrimaryContext:
    """Return what the sources know about an incident's alerts.

    `changes` are those that were reported for the time before `now`, oldest first.

    Takes at most `settings.deadline_seconds`: a source that has not answered by then is a line of
    the ledger. Raises ValueError when there are no alerts. The result holds no secrets.
    """
    if not alerts:
        raise ValueError("an incident without alerts cannot be looked into")
    began = monotonic()
    lead = lead_alert(alerts)
    ordered = _looked_at(lead, alerts, settings.max_alerts)
    seconds = time_for(settings.deadline_seconds)
    facts = _rule_facts(sources, ordered, began, RULES_SHARE * seconds)
    ordered = tuple(_with_condition(alert, facts) for alert in ordered)
    lead = ordered[0]
    declared = declared_calls(sources)
    scope = _scope(ordered, facts.active_since, settings, now, tuple(changes), declared)
    late = f"no answer before the deadline of {settings.deadline_seconds:g} s"
    answers = _ask_all(sources, scope, began, seconds, late)
    evidence = _numbered(told_once([item for answer in answers for item in answer.evidence]))
    told = (facts.reports, *(answer.reports for answer in answers))
    reports = tuple(_clean_report(report, scope) for reports in told for report in reports)
    _count(reports)
    return PrimaryContext(
        alert_metadata=AlertMetadata(
            alert_name=lead.name or incident.alert_name,
            severity=lead.severity,
            firing_condition=redact_text(lead.condition),
            trigger_time=lead.starts_at,
        ),
        affected_components=_affected(ordered),
        evidence_collected=EvidenceCollected.by_kind(evidence),
        preliminary_analysis=_clean_analysis(
            _admitting(first_sight(evidence, reports, scope.targets), len(alerts) - len(ordered))
        ),
        window=scope.window,
        alert_seq=incident.alert_seq,
        sources=reports,
    )


def _looked_at(lead: Alert, alerts: Sequence[Alert], most: int) -> tuple[Alert, ...]:
    """Return the lead alert and then the others by time, of too many only the worst."""
    others = sorted(
        (alert for alert in alerts if alert is not lead),
        key=lambda alert: (severity_rank(alert.severity), alert.starts_at, alert.fingerprint),
    )[: most - 1]
    return (lead, *sorted(others, key=lambda alert: (alert.starts_at, alert.fingerprint)))


def _admitting(analysis: PreliminaryAnalysis, left_out: int) -> PreliminaryAnalysis:
    """Say how many alerts were not looked at."""
    if not left_out:
        return analysis
    told = f"{left_out} further alerts of this incident were not looked at (collect.max_alerts)"
    return replace(analysis, missing_information=(*analysis.missing_information, told))


def _rule_facts(
    sources: Sequence[Source], alerts: tuple[Alert, ...], began: float, seconds: float
) -> RuleFacts:
    asked = [source for source in sources if isinstance(source, KnowsRules)]
    calls = [partial(_facts_of, source, alerts, began + RETURN_SHARE * seconds) for source in asked]
    answers = run_all(calls, workers=len(calls), deadline=began + seconds)
    late = "no answer about the rules before their share of the deadline"
    found = [
        facts or RuleFacts(reports=_failed(source, late).reports)
        for source, facts in zip(asked, answers, strict=True)
    ]
    first = found[::-1]  # what an earlier source says replaces what a later one says
    return RuleFacts(
        active_since={key: at for facts in first for key, at in facts.active_since.items()},
        conditions={key: text for facts in first for key, text in facts.conditions.items()},
        reports=tuple(report for facts in found for report in facts.reports),
    )


def _facts_of(source: KnowsRules, alerts: tuple[Alert, ...], deadline: float) -> RuleFacts:
    try:
        return source.rule_facts(alerts, deadline)
    except Exception as error:  # a broken source is missing evidence, no more
        log.exception("collect.source_broke", source=source.name)
        return RuleFacts(reports=_broken(source, error).reports)


def _with_condition(alert: Alert, facts: RuleFacts) -> Alert:
    """Give an alert that came without its expression that of its rule."""
    if alert.condition or alert.fingerprint not in facts.conditions:
        return alert
    return replace(alert, firing_condition=facts.conditions[alert.fingerprint])


def _scope(
    alerts: tuple[Alert, ...],
    active_since: Mapping[str, datetime],
    settings: CollectSettings,
    now: datetime,
    changes: tuple[ReportedChange, ...],
    declared: ServiceGraph,
) -> Scope:
    window = window_of(
        alerts,
        active_since=active_since,
        widest_range_seconds=lookback_seconds(alerts),
        baseline_seconds=settings.baseline_seconds,
        settle_seconds=settings.settle_seconds,
        now=now,
    )
    return Scope(
        alerts=alerts,
        targets=targets_of(alerts),
        window=window,
        baseline_start=window.onset - timedelta(seconds=settings.baseline_seconds),
        calm_until=calm_until(
            window,
            baseline_seconds=settings.baseline_seconds,
            onset_is_known=bool(active_since),
        ),
        now=now,
        changes=changes,
        declared=declared,
        max_points=settings.max_points,
        max_series=settings.max_series,
    )


def _ask_all(
    sources: Sequence[Source], scope: Scope, began: float, seconds: float, late: str
) -> tuple[Answer, ...]:
    """Return an answer per source, in the order of the sources, whoever was first."""
    calls = [partial(_ask, source, scope, began + RETURN_SHARE * seconds) for source in sources]
    answers = run_all(calls, workers=len(calls), deadline=began + seconds)
    return tuple(
        answer or _failed(source, late) for source, answer in zip(sources, answers, strict=True)
    )


def _ask(source: Source, scope: Scope, deadline: float) -> Answer:
    try:
        return source.ask(scope, deadline)
    except Exception as error:  # a broken source is missing evidence, no more
        log.exception("collect.source_broke", source=source.name)
        return _broken(source, error)


def _broken(source: Source | KnowsRules, error: Exception) -> Answer:
    return _failed(source, f"the source broke: {type(error).__name__}: {error}")


def _failed(source: Source | KnowsRules, error: str) -> Answer:
    report = SourceReport(source=source.name, status=SourceStatus.FAILED, error=error)
    return Answer(reports=(report,))


def _numbered(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Give out ids in this order, secrets removed."""
    return tuple(
        replace(
            item,
            evidence_id=f"E{number}",
            summary=redact_text(item.summary),
            subject=redact(item.subject),
            query=redact_text(item.query),
            data=redact(item.data),
        )
        for number, item in enumerate(evidence, start=1)
    )


def _count(reports: Iterable[SourceReport]) -> None:
    for report in reports:
        metrics.SOURCE_REQUESTS.labels(report.source, report.status.value).inc()
        if report.status not in {SourceStatus.SKIPPED, SourceStatus.NOT_CONFIGURED}:
            metrics.SOURCE_REQUEST_SECONDS.labels(report.source).observe(report.duration_seconds)


def _clean_report(report: SourceReport, scope: Scope) -> SourceReport:
    return replace(
        report,
        query=redact_text(report.query),
        error=redact_text(report.error),
        by_hand=shell.whole(report.by_hand or first_look(report, scope)),
    )


def _clean_analysis(analysis: PreliminaryAnalysis) -> PreliminaryAnalysis:
    return PreliminaryAnalysis(
        observations=tuple(map(redact_text, analysis.observations)),
        hypotheses=tuple(map(redact_text, analysis.hypotheses)),
        missing_information=tuple(map(redact_text, analysis.missing_information)),
    )


def _affected(alerts: Sequence[Alert]) -> AffectedComponents:
    """Return where the lead alert points; what it leaves open, the others may agree on."""
    lead, *others = (
        {**subject_of(alert.labels), **({"service": alert.service} if alert.service else {})}
        for alert in alerts
    )

    def place(key: str) -> str | None:
        agreed = {subject[key] for subject in others if key in subject}
        name = lead.get(key) or (agreed.pop() if len(agreed) == 1 else None)
        return None if name is None else redact_text(name)

    return AffectedComponents(
        service=place("service"),
        namespace=place("namespace"),
        pod=place("pod"),
        node=place("node"),
    )
