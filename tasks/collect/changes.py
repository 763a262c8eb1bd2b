"""Changes that people and pipelines reported, as far as they may have to do with the alerts."""

import shlex
from collections import Counter
from collections.abc import Iterable

from opssage.changes import ReportedChange
from opssage.evidence import Evidence, EvidenceKind, SourceReport, SourceStatus
from opssage.wire import format_time
from tasks.collect.nearness import Relation, Surroundings
from tasks.collect.sentences import time_of_day, whom
from tasks.collect.source import Answer, Scope

MOST_CHANGES = 500
"""The newest ones, which are looked through for one incident."""
MOST_TOLD = 20
"""Those nearest to the incident, which become evidence."""

_Ranked = tuple[Relation, ReportedChange]


class ChangesSource:
    """Answers with the changes in its scope. It asks nobody: they were reported to us."""

    name = "changes"

    def ask(self, scope: Scope, deadline: float) -> Answer:  # noqa: ARG002 - Source's signature
        """Return the changes near the alerts, oldest first."""
        near, notes = self._near(scope)
        told = sorted(_nearest(near, scope), key=lambda each: (each[1].at, each[1].change_id or 0))
        if len(told) < len(near):
            notes.append(f"kept the nearest {len(told)} of {len(near)}")
        if len(scope.changes) >= MOST_CHANGES:
            notes.append(f"only the newest {MOST_CHANGES} were looked through")
        report = SourceReport(
            source=self.name,
            status=SourceStatus.OK if told else SourceStatus.EMPTY,
            query=_query(scope),
            error="; ".join(notes),
            truncated=len(told) < len(near) or len(scope.changes) >= MOST_CHANGES,
        )
        return Answer(
            evidence=tuple(_evidence(*each, scope, report.query) for each in told),
            reports=(report,),
        )

    def _near(self, scope: Scope) -> tuple[list[_Ranked], list[str]]:
        """Return what may have to do with the alerts, and how many others there are, in words."""
        surroundings = Surroundings.of(scope)
        near: list[_Ranked] = []
        left_out: Counter[str] = Counter()
        for change in scope.changes:
            relation = surroundings.relation(_subject(change))
            if change.at > scope.window.end:
                left_out["after the time looked at"] += 1
            elif relation is Relation.ELSEWHERE and not scope.targets.is_nowhere:
                left_out["elsewhere"] += 1
            else:
                near.append((relation, change))
        return near, [f"left out {number} {where}" for where, number in sorted(left_out.items())]


def _nearest(near: Iterable[_Ranked], scope: Scope) -> list[_Ranked]:
    def distance(each: _Ranked) -> tuple[int, float, int]:
        relation, change = each
        ahead = abs((scope.window.onset - change.at).total_seconds())
        return relation.rank, ahead, change.change_id or 0

    return sorted(near, key=distance)[:MOST_TOLD]


def _subject(change: ReportedChange) -> dict[str, str]:
    named = {"namespace": change.namespace, "service": change.service}
    return {key: name for key, name in named.items() if name}


def _query(scope: Scope) -> str:
    """Return the command that lists what was looked through."""
    until = shlex.quote(format_time(scope.window.end))
    return f"opssage change list --until {until} --limit 200"


def _evidence(relation: Relation, change: ReportedChange, scope: Scope, query: str) -> Evidence:
    ahead = (scope.window.onset - change.at).total_seconds()
    return Evidence(
        kind=EvidenceKind.CHANGE,
        source=ChangesSource.name,
        summary=_sentence(change, ahead),
        observed_at=change.at,
        subject=_subject(change),
        query=query,
        window=scope.window,
        data={
            "change": change.kind.value,
            "at": format_time(change.at),
            "seconds_before_onset": round(ahead, 3),
            "from": change.version_before,
            "to": change.version_after,
            "by": change.by,
            "url": change.url,
            "details": dict(change.details),
            "summary": change.summary,
            "relation": relation.value,
        },
    )


def _sentence(change: ReportedChange, ahead: float) -> str:
    versions = (change.version_before, change.version_after)
    moved = (
        f" ({' → '.join(version or 'unknown' for version in versions)})" if any(versions) else ""
    )
    by = f" by {change.by}" if change.by else ""
    order = "before" if ahead >= 0 else "after"
    return (
        f"{change.kind.value} of {whom(_subject(change))}{by} at {time_of_day(change.at)}, "
        f"{abs(ahead):.0f} s {order} onset: {change.summary}{moved}"
    )
