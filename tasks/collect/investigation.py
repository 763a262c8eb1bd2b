"""What Prometheus is asked for one incident, and how its answers are read together."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime

from opssage.evidence import NO_VALUE, Evidence, SourceReport, SourceStatus
from tasks.collect.alert_signals import Watched, signal_evidence, watched
from tasks.collect.metrics import evidence_of, gridded, observe, planned, telling, times_of
from tasks.collect.places import Places
from tasks.collect.plan import ALERT_SIGNAL, ROWS, SERVING_SIGNALS
from tasks.collect.prometheus_api import SOURCE, Grid, Query, Result
from tasks.collect.promql import Matcher, build, metrics_of_template
from tasks.collect.questions import Question, Row, left_out, questions
from tasks.collect.rollouts import CREATED, OWNER, rollouts
from tasks.collect.series import Times
from tasks.collect.site import Site
from tasks.collect.source import Answer, Scope
from tasks.collect.topics import topics_of

MAX_QUERIES = 40
"""For one incident, whatever its alerts: Prometheus has most to do when things are on fire."""

MAX_LEFT_OUT = 40
"""Lines of the ledger about what was not asked; an alert storm could fill it otherwise."""


def grid_since(start: datetime, scope: Scope, max_points: int) -> Grid:
    """Return the grid from `start` to the window's end."""
    return Grid.over(start.timestamp(), scope.window.end.timestamp(), max_points=max_points)


def skipped(error: str, query: str = "") -> SourceReport:
    """Return the ledger line of something that was not asked."""
    return SourceReport(source=SOURCE, status=SourceStatus.SKIPPED, query=query, error=error)


@dataclass(frozen=True, kw_only=True, slots=True)
class Investigation:
    """Everything that is asked for one incident."""

    scope: Scope
    places: Places
    watched: tuple[Watched, ...]
    questions: tuple[Question, ...]
    changes: tuple[Query, ...]  #: created and owner of ReplicaSets, or nothing
    left_out: tuple[SourceReport, ...]
    not_offered: tuple[Row, ...]  #: for want of metrics

    @classmethod
    def of(cls, scope: Scope, places: Places, site: Site, *, budget: int) -> "Investigation":
        """Choose what to ask with at most `budget` queries."""
        own, unreadable = watched(scope.alerts)
        changes = _change_queries(scope, places, site)
        topics = topics_of(scope.alerts)
        wanted = questions(ROWS, places, site, topics)
        fitting = _fitting(wanted, budget - len(own) - len(changes))
        grid = grid_since(scope.baseline_start, scope, scope.max_points)
        dropped = (_dropped(question, grid) for question in wanted[fitting:])
        return cls(
            scope=scope,
            places=places,
            watched=own,
            questions=wanted[:fitting],
            changes=changes,
            left_out=_bounded([*unreadable, *dropped]),
            not_offered=left_out(ROWS, places, site, topics),
        )

    @property
    def queries(self) -> tuple[Query, ...]:
        """Return every query once, in the order of the ledger."""
        texts = (text for item in self.questions for text in (item.query, item.over) if text)
        return tuple(
            dict.fromkeys(
                (
                    *(self._own(item) for item in self.watched),
                    *(self._recent(text) for text in texts),
                    *self.changes,
                )
            )
        )

    def seen(self, answers: Mapping[Query, Result]) -> frozenset[str]:
        """Return the metrics of the plan that series were found of."""
        return frozenset(
            name
            for question in self.questions
            if answers[self._recent(question.query)].series
            for name in question.row.metrics
        )

    def read(self, answers: Mapping[Query, Result]) -> Answer:
        """Return the evidence in all the answers, each series once, and the ledger."""
        found: list[Evidence] = []
        notes: dict[Query, str] = {}
        recent = (result for query, result in answers.items() if query.grid == self._grid)
        times = times_of(self.scope, recent, self._grid)
        for watch in self.watched:
            query = self._own(watch)
            series = list(gridded(answers[query], self._own_grid))
            found += signal_evidence(watch, series, times, self.scope)
        # companions come last: they follow the pods that the other evidence is about
        for question in sorted(self.questions, key=lambda item: item.row.companion):
            evidence, note = self._row(question, answers, times, _pods(found))
            found += evidence
            notes[self._recent(question.query)] = note
        if self.changes:
            created, owners = (answers[query] for query in self.changes)
            found += rollouts(created, owners, self.scope, _serving(found))
        own = self._valueless(answers)
        ledger = (
            replace(answers[query].report, error=NO_VALUE)
            if query in own
            else _noted(answers[query].report, notes.get(query, ""))
            for query in self.queries
        )
        return Answer(evidence=_each_once(found), reports=(*ledger, *self.left_out))

    def _valueless(self, answers: Mapping[Query, Result]) -> frozenset[Query]:
        """Return the alerts' own queries when none of them found anything."""
        own = frozenset(self._own(item) for item in self.watched)
        empty = all(answers[query].report.status is SourceStatus.EMPTY for query in own)
        return own if empty else frozenset()

    def _row(
        self,
        question: Question,
        answers: Mapping[Query, Result],
        times: Times,
        pods: AbstractSet[tuple[str, str]],
    ) -> tuple[list[Evidence], str]:
        row = question.row
        part = answers[self._recent(question.query)]
        whole = answers[self._recent(question.over)] if question.over else None
        series = planned(part, whole, self._grid)
        observed = observe(row, series, times, self.places, self.scope.targets)
        if row.companion:
            kept = [item for item in observed if _pod(item.subject) in pods]
        else:
            kept = telling(observed, row, self.scope.max_series)
        text = f"{question.query} / {question.over}" if question.over else question.query
        note = f"kept {len(kept)} of {len(observed)} series" if len(kept) < len(observed) else ""
        return [evidence_of(row, item, text, self.scope) for item in kept], note

    @property
    def _grid(self) -> Grid:
        return grid_since(self.scope.baseline_start, self.scope, self.scope.max_points)

    @property
    def _own_grid(self) -> Grid:
        # a rule that looks back over hours needs them before the baseline too
        return grid_since(self.scope.window.start, self.scope, self.scope.max_points)

    def _own(self, item: Watched) -> Query:
        return Query(promql=item.signal.query, grid=self._own_grid)

    def _recent(self, promql: str) -> Query:
        return Query(promql=promql, grid=self._grid)


def _change_queries(scope: Scope, places: Places, site: Site) -> tuple[Query, ...]:
    metrics = metrics_of_template(CREATED) | metrics_of_template(OWNER)
    if not places.namespaces or not site.may_have(metrics):
        return ()
    where = [Matcher(label=site.spelled("namespace", metrics), values=places.namespaces)]
    at = scope.window.end.timestamp()
    return tuple(Query(promql=build(text, where), at=at) for text in (CREATED, OWNER))


def _bounded(reports: list[SourceReport]) -> tuple[SourceReport, ...]:
    """Return the first of these ledger lines, and one that says how many more there would be."""
    told, more = reports[:MAX_LEFT_OUT], len(reports) - MAX_LEFT_OUT
    if more > 0:
        told.append(skipped(f"{more} further queries were left out like the ones before"))
    return tuple(told)


def _dropped(question: Question, grid: Grid) -> SourceReport:
    told = skipped(f"more than {MAX_QUERIES} queries for one incident", question.query)
    return replace(told, by_hand=Query(promql=question.query, grid=grid).by_hand)


def _fitting(wanted: tuple[Question, ...], budget: int) -> int:
    """Return how many of the questions need no more than `budget` different queries."""
    asked: set[str] = set()
    for index, question in enumerate(wanted):
        asked |= {question.query, question.over} - {""}
        if len(asked) > budget:
            return index
    return len(wanted)


def _pod(subject: Mapping[str, str]) -> tuple[str, str]:
    return subject.get("namespace", ""), subject.get("pod", "")


def _pods(evidence: Iterable[Evidence]) -> frozenset[tuple[str, str]]:
    return frozenset(_pod(item.subject) for item in evidence if "pod" in item.subject)


def _serving(evidence: Iterable[Evidence]) -> frozenset[str]:
    """Return the names of everything that was seen to answer requests."""
    return frozenset(
        item.subject[key]
        for item in evidence
        if item.data["signal"] in SERVING_SIGNALS
        for key in ("service", "peer")
        if key in item.subject
    )


def _each_once(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Drop a series that two queries found; the first one stays."""
    kept: dict[object, Evidence] = {}
    for item in evidence:
        signal, reason = item.data.get("signal"), item.data.get("reason")
        query = item.query if signal == ALERT_SIGNAL.signal else ""
        moment = item.data.get("at")
        kept.setdefault((signal, reason, query, moment, tuple(sorted(item.subject.items()))), item)
    return tuple(kept.values())


def _noted(report: SourceReport, note: str) -> SourceReport:
    """Return a ledger line that tells of series that were not kept."""
    if not note:
        return report
    return replace(report, error="; ".join(filter(None, (report.error, note))), truncated=True)
