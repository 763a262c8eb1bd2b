"""Where the alerts' places are: which pods run there, and on which nodes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tasks.collect.places import Places, PodInfo, named_nodes, places_of
from tasks.collect.prometheus_api import Grid, PrometheusApi, Query, Result
from tasks.collect.promql import OF_NAME, Matcher, build
from tasks.collect.site import Site, own_labels
from tasks.collect.targets import Targets

_POD_INFO = "kube_pod_info{$M}"
_NODE_INFO = "kube_node_info"
_OBJECTS = frozenset({_NODE_INFO})


@dataclass(frozen=True, kw_only=True, slots=True)
class Located:
    """The places, and everything that was asked to find them."""

    places: Places
    results: tuple[Result, ...]


def first_queries(targets: Targets, grid: Grid, site: Site) -> tuple[Query, ...]:
    """Return what is asked to learn the nodes there are, and the pods around the targets."""
    if targets.is_nowhere and not targets.jobs:
        return ()
    queries = [Query(promql=_NODE_INFO, at=grid.end)]
    if matcher := _pod_matcher(targets):
        queries.append(_pods(matcher, grid, site))
    return tuple(queries)


def located(
    api: PrometheusApi,
    targets: Targets,
    grid: Grid,
    site: Site,
    first: tuple[Result, ...],
    deadline: float,
) -> Located:
    """Return the places; `first` are the answers to `first_queries` of a site nobody knows."""
    asked, answers = first, first
    if site.exported and first:
        answers = api.run(first_queries(targets, grid, site), deadline)
        asked += answers
    nodes, pods = answers[:1], answers[1:]
    node_names = _node_names(nodes)
    beside: tuple[Result, ...] = ()
    if named := named_nodes(targets, node_names):
        beside = api.run([_pods(Matcher(label="node", values=named), grid, site)], deadline)
    places = places_of(
        targets,
        of_targets=_pod_infos(pods),
        on_nodes=_pod_infos(beside),
        node_names=node_names,
    )
    return Located(places=places, results=(*asked, *beside))


def _pods(matcher: Matcher, grid: Grid, site: Site) -> Query:
    spelled = Matcher(
        label=site.spelled(matcher.label, _OBJECTS), values=matcher.values, suffix=matcher.suffix
    )
    return Query(promql=build(_POD_INFO, [spelled]), grid=grid)


def _pod_matcher(targets: Targets) -> Matcher | None:
    """Return a matcher for the pods around the targets; by name where no namespace is known."""
    if targets.namespaces:
        return Matcher(label="namespace", values=targets.namespaces)
    # a job is often called after what it scrapes, or `namespace/name`
    jobs = (job.rpartition("/")[2] for job in targets.jobs)
    names = dict.fromkeys((*(name for _, name in (*targets.pods, *targets.services)), *jobs))
    return Matcher(label="pod", values=tuple(names), suffix=OF_NAME) if names else None


def _pod_infos(results: Iterable[Result]) -> tuple[PodInfo, ...]:
    infos = {_pod_info(own_labels(series.labels)) for result in results for series in result.series}
    return tuple(sorted(infos, key=lambda info: (info.namespace, info.pod, info.node)))


def _pod_info(labels: Mapping[str, str]) -> PodInfo:
    return PodInfo(
        namespace=labels.get("namespace", ""),
        pod=labels.get("pod", ""),
        node=labels.get("node", ""),
        owner_kind=labels.get("created_by_kind", ""),
        owner=labels.get("created_by_name", ""),
    )


def _node_names(results: Iterable[Result]) -> dict[str, str]:
    """Return which node has which address."""
    return {
        address: node
        for result in results
        for series in result.series
        if (labels := own_labels(series.labels))
        and (address := labels.get("internal_ip"))
        and (node := labels.get("node"))
    }
