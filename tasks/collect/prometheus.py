"""The Prometheus source: finds the places the alerts are about, then asks about them."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from opssage.incident import Alert
from tasks.collect.investigation import MAX_QUERIES, Investigation, grid_since, skipped
from tasks.collect.places import Places, PodInfo, named_nodes, places_of
from tasks.collect.prometheus_api import SOURCE, PrometheusApi, Query, Result
from tasks.collect.promql import OF_NAME, Matcher, build
from tasks.collect.source import Answer, Scope
from tasks.collect.targets import Targets
from tasks.collect.upstream import Upstream

_POD_INFO = "kube_pod_info{$M}"
_NODE_INFO = "kube_node_info"
_ACTIVE = "ALERTS_FOR_STATE{$M}"
_WHERE_POINTS = 10  #: enough to see pods that lived for a part of the window only


class PrometheusSource:
    """Asks a Prometheus about the alerts' own signals and about their places."""

    name = SOURCE

    def __init__(self, upstream: Upstream) -> None:
        """Ask there."""
        self._api = PrometheusApi(upstream)

    def active_since(self, alerts: tuple[Alert, ...], deadline: float) -> dict[str, datetime]:
        """Return since when the alerts' conditions have held, as far as Prometheus remembers.

        While an alert is active its rule writes that time to ALERTS_FOR_STATE.
        """
        names = tuple(dict.fromkeys(alert.name for alert in alerts if alert.name))
        if not names:
            return {}
        newest = max(alert.starts_at for alert in alerts) + timedelta(seconds=1)
        query = build(_ACTIVE, [Matcher(label="alertname", values=names)])
        (result,) = self._api.run([Query(promql=query, at=newest.timestamp())], deadline)
        return {alert.fingerprint: since for alert, since in _activity(alerts, result)}

    def ask(self, scope: Scope, deadline: float) -> Answer:
        """Ask in two rounds: where things run, then how they fare."""
        places, located = self._locate(scope, deadline)
        reports = tuple(result.report for result in located)
        if located and not any(result.answered for result in located):
            return Answer(reports=(*reports, skipped("all other queries: none of these answered")))
        investigation = Investigation.of(scope, places, budget=MAX_QUERIES - len(located))
        queries = investigation.queries
        results = self._api.run(queries, deadline)
        answer = investigation.read(dict(zip(queries, results, strict=True)))
        return Answer(evidence=answer.evidence, reports=(*reports, *answer.reports))

    def _locate(self, scope: Scope, deadline: float) -> tuple[Places, list[Result]]:
        targets = scope.targets
        if not (targets.namespaces or targets.services or targets.pods or targets.nodes):
            return places_of(targets, of_targets=(), on_nodes=(), node_names={}), []
        grid = grid_since(scope.baseline_start, scope, _WHERE_POINTS)
        queries = [Query(promql=_NODE_INFO, at=grid.end)]
        if matchers := _pod_matchers(targets):
            queries.append(Query(promql=build(_POD_INFO, matchers), grid=grid))
        nodes, *pods = self._api.run(queries, deadline)
        node_names = _node_names(nodes)
        neighbours: tuple[Result, ...] = ()
        if named := named_nodes(targets, node_names):
            query = build(_POD_INFO, [Matcher(label="node", values=named)])
            neighbours = self._api.run([Query(promql=query, grid=grid)], deadline)
        places = places_of(
            targets,
            of_targets=_pod_infos(pods),
            on_nodes=_pod_infos(neighbours),
            node_names=node_names,
        )
        return places, [nodes, *pods, *neighbours]


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


def _pod_matchers(targets: Targets) -> list[Matcher]:
    """Return matchers for the pods around the targets; by name where no namespace is known."""
    if targets.namespaces:
        return [Matcher(label="namespace", values=targets.namespaces)]
    names = dict.fromkeys(name for _, name in (*targets.pods, *targets.services))
    return [Matcher(label="pod", values=tuple(names), suffix=OF_NAME)] if names else []


def _pod_infos(results: Iterable[Result]) -> tuple[PodInfo, ...]:
    infos = {
        PodInfo(
            namespace=series.labels.get("namespace", ""),
            pod=series.labels.get("pod", ""),
            node=series.labels.get("node", ""),
            owner_kind=series.labels.get("created_by_kind", ""),
            owner=series.labels.get("created_by_name", ""),
        )
        for result in results
        for series in result.series
    }
    return tuple(sorted(infos, key=lambda info: (info.namespace, info.pod, info.node)))


def _node_names(result: Result) -> dict[str, str]:
    """Return which node has which address."""
    return {
        address: node
        for series in result.series
        if (address := series.labels.get("internal_ip")) and (node := series.labels.get("node"))
    }
