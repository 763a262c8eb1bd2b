"""What else fires near the alerts, and what is silenced."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any

from opssage.errors import SourceError
from opssage.evidence import Evidence, EvidenceKind, SourceReport, SourceStatus
from opssage.incident import SERVANTS, severity_rank
from opssage.places import subject_of
from opssage.wire import format_time
from tasks.collect.alertmanager_api import (
    ActiveAlert,
    Silence,
    list_in,
    read_alert,
    read_all,
    read_silence,
)
from tasks.collect.alerts import alert_evidence
from tasks.collect.concurrency import run_all
from tasks.collect.nearness import Relation, Surroundings
from tasks.collect.sentences import time_of_day
from tasks.collect.source import Answer, Scope
from tasks.collect.upstream import Upstream

SOURCE = "alertmanager"
MOST_ALERTS = 20
MOST_SILENCES = 10
KEEP_SECONDS = 5.0
"""An answer is good for so long: of a storm each incident asks the same."""

_ALERTS = "/api/v2/alerts"
_SILENCES = "/api/v2/silences"
_PARAMS: Mapping[str, Mapping[str, str]] = {
    _ALERTS: {"active": "true", "silenced": "true", "inhibited": "true"},
    _SILENCES: {},
}
_AMTOOL = 'amtool --alertmanager.url="$ALERTMANAGER_URL"'
ALERTS_BY_HAND = f"{_AMTOOL} alert query --active --silenced --inhibited"
_BY_HAND: Mapping[str, str] = {
    _ALERTS: ALERTS_BY_HAND,
    _SILENCES: f"{_AMTOOL} silence query",
}
_CRITICAL = severity_rank("critical")

_Near = tuple[Relation, ActiveAlert]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reply:
    """A list that Alertmanager answered with, or nothing, and the line of the ledger."""

    items: Sequence[Any] = ()
    report: SourceReport


class AlertmanagerSource:
    """Asks which alerts are active and which silences there are: two requests."""

    name = SOURCE

    def __init__(self, upstream: Upstream) -> None:
        """Ask there."""
        self._upstream = upstream

    def ask(self, scope: Scope, deadline: float) -> Answer:
        """Return other alerts near the incident's, nearest first, and silences that concern it."""
        calls = [partial(self._fetch, path, deadline) for path in _PARAMS]
        answers = run_all(calls, workers=len(calls), deadline=deadline)
        late = (_late(path) for path in _PARAMS)
        alerts, silences = (
            answer or missing for answer, missing in zip(answers, late, strict=True)
        )
        told, silenced_by, of_alerts = self._alerts(alerts, scope)
        covering, of_silences = _silences(silences, scope, silenced_by)
        return Answer(evidence=(*told, *covering), reports=(of_alerts, of_silences))

    def _fetch(self, path: str, deadline: float) -> _Reply:
        began = monotonic()
        try:
            reply = self._upstream.get(path, _PARAMS[path], deadline, keep_seconds=KEEP_SECONDS)
            items = list_in(reply.body)
        except SourceError as error:
            return _Reply(report=_report(path, SourceStatus.FAILED, str(error), began=began))
        status = SourceStatus.OK if items else SourceStatus.EMPTY
        report = _report(path, status, size=reply.size, began=began)
        return _Reply(items=items, report=report)

    def _alerts(
        self, reply: _Reply, scope: Scope
    ) -> tuple[list[Evidence], frozenset[str], SourceReport]:
        """Return the evidence, the silences of what it and the incident's alerts are under."""
        active, unread = read_all(reply.items, read_alert)
        near, own, left_out = self._near(active, scope)
        told = sorted(near, key=partial(_distance, scope))[:MOST_ALERTS]
        quiet = [*own, *(each for _, each in told)]
        silenced_by = frozenset(name for each in quiet for name in each.silenced_by)
        notes = _notes(unread, left_out, kept=len(told), of=len(near))
        report = replace(
            reply.report,
            error=reply.report.error or notes,
            truncated=len(told) < len(near),
        )
        return [_evidence(*each, report.query) for each in told], silenced_by, report

    def _near(
        self, active: Iterable[ActiveAlert], scope: Scope
    ) -> tuple[list[_Near], list[ActiveAlert], Counter[str]]:
        """Tell apart what is near, the incident's own, and what else there is, counted."""
        surroundings = Surroundings.of(scope)
        fingerprints = {alert.fingerprint for alert in scope.alerts}
        clusters = {alert.labels.get("cluster", "") for alert in scope.alerts} - {""}
        near: list[_Near] = []
        own: list[ActiveAlert] = []
        left_out: Counter[str] = Counter()
        for each in active:
            relation = surroundings.relation(each.alert.labels)
            cluster = each.alert.labels.get("cluster", "")
            is_distant = relation in {Relation.ELSEWHERE, Relation.EVERYWHERE}
            if each.alert.fingerprint in fingerprints:
                own.append(each)
            elif each.alert.name in SERVANTS:
                left_out["that serve alerting itself"] += 1
            elif each.alert.starts_at > scope.window.end:
                left_out["that began after the time looked at"] += 1
            elif clusters and cluster and cluster not in clusters:
                left_out["of other clusters"] += 1
            elif is_distant and severity_rank(each.alert.severity) > _CRITICAL:
                left_out["elsewhere that are not critical"] += 1
            else:
                near.append((relation, each))
        return near, own, left_out


def _distance(scope: Scope, each: _Near) -> tuple[int, int, float, str]:
    relation, active = each
    ahead = abs((active.alert.starts_at - scope.window.onset).total_seconds())
    return relation.rank, severity_rank(active.alert.severity), ahead, active.alert.fingerprint


def _notes(unread: int, left_out: Mapping[str, int], *, kept: int, of: int) -> str:
    counted = [f"left out {number} {which}" for which, number in sorted(left_out.items()) if number]
    cut = [f"kept the nearest {kept} of {of}"] if kept < of else []
    strange = [f"could not read {unread}"] if unread else []
    return "; ".join((*strange, *counted, *cut))


def _evidence(relation: Relation, each: ActiveAlert, query: str) -> Evidence:
    hidden = [
        word
        for word, by in (("silenced", each.silenced_by), ("inhibited", each.inhibited_by))
        if by
    ]
    item = alert_evidence(each.alert, SOURCE, ", ".join((relation.told, *hidden)))
    more = {
        "relation": relation.value,
        "silenced_by": list(each.silenced_by),
        "inhibited_by": list(each.inhibited_by),
    }
    return replace(item, query=query, data={**item.data, **more})


def _silences(
    reply: _Reply, scope: Scope, silenced_by: frozenset[str]
) -> tuple[list[Evidence], SourceReport]:
    """Return the silences over the window that cover the alerts, or others that were told of."""
    known, unread = read_all(reply.items, read_silence)
    now = [
        each
        for each in known
        if each.starts_at <= scope.window.end and each.ends_at >= scope.window.onset
    ]
    found = sorted(
        (each for each in now if each.silence_id in silenced_by or _covers_any(each, scope)),
        key=lambda each: (not _covers_any(each, scope), each.starts_at, each.silence_id),
    )
    told = found[:MOST_SILENCES]
    notes = _notes(
        unread, {"that do not concern it": len(known) - len(found)}, kept=len(told), of=len(found)
    )
    report = replace(
        reply.report, error=reply.report.error or notes, truncated=len(told) < len(found)
    )
    return [_silence_evidence(each, scope, report.query) for each in told], report


def _covers_any(silence: Silence, scope: Scope) -> bool:
    return any(silence.covers(alert.labels) for alert in scope.alerts)


def _silence_evidence(silence: Silence, scope: Scope, query: str) -> Evidence:
    covers = _covers_any(silence, scope)
    matchers = [str(each) for each in silence.matchers]
    named = {m.name: m.value for m in silence.matchers if m.is_equal and not m.is_regex}
    return Evidence(
        kind=EvidenceKind.OBJECT,
        source=SOURCE,
        summary=f"silence of {silence.created_by or 'nobody named'} over "
        f"{'the alerts' if covers else 'other alerts'} ({', '.join(matchers)}) from "
        f"{time_of_day(silence.starts_at)} to {time_of_day(silence.ends_at)}: {silence.comment}",
        observed_at=silence.starts_at,
        subject=subject_of(named),
        query=query,
        data={
            "object": {"kind": "Silence", "namespace": "", "name": silence.silence_id},
            "as_of": format_time(scope.now),
            "exists": True,
            "facts": {
                "matchers": matchers,
                "covers_incident": covers,
                "created_by": silence.created_by,
                "comment": silence.comment,
                "starts_at": format_time(silence.starts_at),
                "ends_at": format_time(silence.ends_at),
            },
            "problems": [],
        },
    )


def _report(
    path: str, status: SourceStatus, error: str = "", *, size: int = 0, began: float | None = None
) -> SourceReport:
    asked = "&".join(f"{name}={value}" for name, value in _PARAMS[path].items())
    return SourceReport(
        source=SOURCE,
        status=status,
        query=f"{path}?{asked}" if asked else path,
        duration_seconds=0.0 if began is None else round(monotonic() - began, 3),
        error=error,
        size=size,
        by_hand=_BY_HAND[path] if status is SourceStatus.FAILED else "",
    )


def _late(path: str) -> _Reply:
    return _Reply(report=_report(path, SourceStatus.FAILED, "no answer before the deadline"))
