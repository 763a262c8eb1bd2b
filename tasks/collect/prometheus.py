"""The Prometheus source: finds out what there is to ask and where, then how things fare."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any

from opssage.graph import ServiceGraph
from opssage.incident import Alert
from tasks.collect.concurrency import run_all
from tasks.collect.discovery import discovered, with_left_out
from tasks.collect.investigation import MAX_QUERIES, Investigation, grid_since, skipped
from tasks.collect.locating import first_queries, located
from tasks.collect.metadata import Metadata, Told, rules_of
from tasks.collect.own_metrics import own_metrics
from tasks.collect.own_series import own_evidence
from tasks.collect.prometheus_api import SOURCE, PrometheusApi, Query, Result, unanswered
from tasks.collect.promql import Matcher, build
from tasks.collect.service_graph import (
    graph_evidence,
    graph_queries,
    measured,
    neighbours_of,
)
from tasks.collect.site import Site
from tasks.collect.source import Answer, RuleFacts, Scope
from tasks.collect.tape import settled
from tasks.collect.upstream import Upstream

_ACTIVE = "ALERTS_FOR_STATE{$M}"
_WHOLE = 0.9  #: of its timeout: whoever has not answered by then is silent
_WHERE_POINTS = 10  #: enough to see pods that lived for a part of the window only


class PrometheusSource:
    """Asks a Prometheus about the alerts' own signals and about their places."""

    name = SOURCE

    def __init__(self, upstream: Upstream) -> None:
        """Ask there."""
        self._timeout_seconds = upstream.timeout_seconds
        self._api = PrometheusApi(upstream)
        self._metadata = Metadata(upstream)

    def rule_facts(self, alerts: tuple[Alert, ...], deadline: float) -> RuleFacts:
        """Return since when the alerts' conditions have held, and what the conditions are.

        While an alert is active its rule writes that time to ALERTS_FOR_STATE. The rules are read
        where that is not known, and where an alert came without its expression.
        """
        began = monotonic()
        activity = self._activity(alerts, deadline)
        asked = tuple(result.report for result in activity)
        spent = monotonic() - began >= _WHOLE * self._timeout_seconds
        is_silent = spent and bool(activity) and not any(item.answered for item in activity)
        if settled("silent", is_silent, usual=False):
            return RuleFacts(reports=asked, is_silent=True)
        known = {
            alert.fingerprint: since
            for result in activity
            for alert, since in _active_since(alerts, result)
        }
        lacking = [
            alert
            for alert in alerts
            if alert.name and (alert.fingerprint not in known or not alert.condition)
        ]
        if not lacking:
            return RuleFacts(active_since=known, reports=asked)
        told = self._metadata.rules(deadline)
        rules = rules_of(lacking, told.value or ())
        counted = {
            alert.fingerprint: alert.starts_at - timedelta(seconds=rule.for_seconds)
            for alert in lacking
            if alert.has_start and (rule := rules.get(alert.fingerprint))
        }
        return RuleFacts(
            active_since={**counted, **known},
            conditions={key: rule.expression for key, rule in rules.items()},
            reports=(*asked, told.report),
        )

    def _activity(self, alerts: tuple[Alert, ...], deadline: float) -> tuple[Result, ...]:
        """Ask for the series of the alerts' names; of alerts without a name there are none."""
        names = tuple(dict.fromkeys(alert.name for alert in alerts if alert.name))
        if not names:
            return ()
        newest = max(alert.starts_at for alert in alerts) + timedelta(seconds=1)
        query = build(_ACTIVE, [Matcher(label="alertname", values=names)])
        return self._api.run([Query(promql=query, at=newest.timestamp())], deadline)

    def ask(self, scope: Scope, deadline: float) -> Answer:
        """Ask what there is and where things run, then how they fare."""
        grid = grid_since(scope.baseline_start, scope, _WHERE_POINTS)
        names, first = self._first_look(scope, first_queries(scope.targets, grid, Site()), deadline)
        # a proxy may bar what is asked about a Prometheus, and let queries through
        is_shut = not names.is_there or (names.is_barred and first)
        if is_shut and not any(result.answered for result in first):
            reports = (names.report, *(result.report for result in first))
            return Answer(reports=(*reports, skipped("all other queries: none of these answered")))
        found = discovered(self._metadata, names, scope, deadline)
        where = located(self._api, scope.targets, grid, found.site, first, deadline)
        seen, charted = self._calls(scope, found.site, deadline)
        graph = seen.joined(scope.declared)
        near = neighbours_of(scope.targets, graph, where.places.namespaces)
        places = where.places.with_neighbours(near)
        budget = MAX_QUERIES - len(where.results) - len(charted)
        investigation = Investigation.of(scope, places, found.site, budget=budget)
        queries = investigation.queries
        results = self._api.run(queries, deadline)
        answers = dict(zip(queries, results, strict=True))
        answer = investigation.read(answers)
        own = own_metrics(self._api, scope, places, graph)
        left = budget - len(queries)
        others, more = own.ask(found.site, investigation.seen(answers), left, deadline)
        named, *further = found.reports
        reports = (
            with_left_out(named, found.site, investigation.not_offered),
            *further,
            *(result.report for result in (*where.results, *charted)),
            *answer.reports,
            *(result.report for result in more),
        )
        calls = graph_evidence(graph, SOURCE, scope) if seen else ()
        evidence = (*answer.evidence, *own_evidence(others, scope, places), *calls)
        return Answer(evidence=evidence, reports=reports)

    def _calls(
        self, scope: Scope, site: Site, deadline: float
    ) -> tuple[ServiceGraph, tuple[Result, ...]]:
        """Ask who calls whom."""
        asked = graph_queries(scope, site)
        results = self._api.run(tuple(asked), deadline)
        return measured(asked, dict(zip(asked, results, strict=True))), results

    def _first_look(
        self, scope: Scope, queries: Sequence[Query], deadline: float
    ) -> tuple[Told[frozenset[str]], tuple[Result, ...]]:
        """Ask at once for the metrics there are and for where things run."""
        start, end = scope.window.start, scope.window.end
        calls: list[Any] = [
            partial(self._metadata.metrics, start, end, deadline),
            partial(self._api.run, queries, deadline),
        ]
        names, results = run_all(calls, workers=len(calls), deadline=deadline)
        late = "no answer before the deadline"
        return (
            names or self._metadata.unanswered(late),
            tuple(unanswered(query, late) for query in queries) if results is None else results,
        )


def _active_since(alerts: Iterable[Alert], result: Result) -> Iterator[tuple[Alert, datetime]]:
    for alert in alerts:
        times = [
            series.samples[-1][1]
            for series in result.series
            if series.samples
            and series.labels.items() - {("__name__", "ALERTS_FOR_STATE")} <= alert.labels.items()
        ]
        if times and 0 < min(times) <= alert.starts_at.timestamp():
            yield alert, datetime.fromtimestamp(min(times), UTC)
