"""The Prometheus source: finds out what there is to ask and where, then how things fare."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from opssage.graph import ServiceGraph
from opssage.incident import Alert
from tasks.collect.concurrency import run_all
from tasks.collect.discovery import discovered, with_left_out
from tasks.collect.investigation import MAX_QUERIES, Investigation, grid_since, skipped
from tasks.collect.locating import first_queries, located
from tasks.collect.metadata import Metadata, Told, rules_of
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
from tasks.collect.upstream import Upstream

_ACTIVE = "ALERTS_FOR_STATE{$M}"
_WHERE_POINTS = 10  #: enough to see pods that lived for a part of the window only


class PrometheusSource:
    """Asks a Prometheus about the alerts' own signals and about their places."""

    name = SOURCE

    def __init__(self, upstream: Upstream) -> None:
        """Ask there."""
        self._api = PrometheusApi(upstream)
        self._metadata = Metadata(upstream)

    def rule_facts(self, alerts: tuple[Alert, ...], deadline: float) -> RuleFacts:
        """Return since when the alerts' conditions have held, and what the conditions are.

        While an alert is active its rule writes that time to ALERTS_FOR_STATE. The rules are read
        where that is not known, and where an alert came without its expression.
        """
        known = self._active_since(alerts, deadline)
        lacking = [
            alert
            for alert in alerts
            if alert.name and (alert.fingerprint not in known or not alert.condition)
        ]
        if not lacking:
            return RuleFacts(active_since=known)
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
            reports=(told.report,),
        )

    def _active_since(self, alerts: tuple[Alert, ...], deadline: float) -> dict[str, datetime]:
        names = tuple(dict.fromkeys(alert.name for alert in alerts if alert.name))
        if not names:
            return {}
        newest = max(alert.starts_at for alert in alerts) + timedelta(seconds=1)
        query = build(_ACTIVE, [Matcher(label="alertname", values=names)])
        (result,) = self._api.run([Query(promql=query, at=newest.timestamp())], deadline)
        return {alert.fingerprint: since for alert, since in _activity(alerts, result)}

    def ask(self, scope: Scope, deadline: float) -> Answer:
        """Ask what there is and where things run, then how they fare."""
        grid = grid_since(scope.baseline_start, scope, _WHERE_POINTS)
        names, first = self._first_look(scope, first_queries(scope.targets, grid, Site()), deadline)
        if not (names.is_there or any(result.answered for result in first)):
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
        answer = investigation.read(dict(zip(queries, results, strict=True)))
        named, *others = found.reports
        reports = (
            with_left_out(named, found.site, investigation.not_offered),
            *others,
            *(result.report for result in (*where.results, *charted)),
            *answer.reports,
        )
        calls = graph_evidence(graph, SOURCE, scope) if seen else ()
        return Answer(evidence=(*answer.evidence, *calls), reports=reports)

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


def _activity(alerts: Iterable[Alert], result: Result) -> Iterator[tuple[Alert, datetime]]:
    for alert in alerts:
        times = [
            series.samples[-1][1]
            for series in result.series
            if series.samples
            and series.labels.items() - {("__name__", "ALERTS_FOR_STATE")} <= alert.labels.items()
        ]
        if times and 0 < min(times) <= alert.starts_at.timestamp():
            yield alert, datetime.fromtimestamp(min(times), UTC)
