"""What a site measures of its services by metrics that no row of the plan reads.

Programs name their metrics and labels as they like, and clouds have exporters of their own. Which
of them are about services is found by the labels that hold services' names. What the plan reads by
name and saw nothing of, because its labels are others here, is looked for too.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from math import ceil

from opssage.graph import ServiceGraph, parts_of
from tasks.collect.places import Places
from tasks.collect.plan import ROWS
from tasks.collect.prometheus_api import Grid, PrometheusApi, Query, Result
from tasks.collect.promql import Matcher, build
from tasks.collect.site import Site
from tasks.collect.source import Scope
from tasks.collect.telling_names import is_golden

MAX_NAMES = 300  #: metrics that are looked for, those first whose names tell most
MAX_LABELS = 10  #: labels that are looked at for names of services; one query each
MAX_KNOWN = 50  #: names of services that labels are recognised by
MAX_SERIES = 600  #: read of one site
MAX_RANGES = 10  #: range queries for all of them

_PACE_SECONDS = 3600
_COUNTS = "count by (__name__) ({$S})"
_PACE = f"max (count_over_time({{$S}}[{_PACE_SECONDS}s]))"
_FEWEST_SCRAPES = 36
"""Of history, so that normal life is more than a few samples."""
_SLOW_SECONDS = 120.0
_RATE_SECONDS = 120
_SCRAPES_IN_RATE = 4
"""Prometheus' own advice: one that is missed must not end the series."""

CERTAIN = ("service", "service_name", "app", "destination_workload", "deployment", "container")
"""Labels that hold names of services, best first."""

POSSIBLE = (
    *("component", "application", "microservice", "workload", "job", "node", "resource"),
    *("resource_name", "name", "host", "target", "entity", "function", "queue"),
)
"""Labels that may: they do where a service that is known is among their values."""

_ENDINGS = ("_total", "_count", "_sum")
_SERVICE_SIGNALS = frozenset(
    {"request_rate", "error_ratio", "latency_p99", "cpu_usage", "memory_usage"}
)
_OF_OTHERS = re.compile(
    r"(?:ALERTS|ALERTS_FOR_STATE|up)$|.*_(?:bucket|created|info|timestamp_seconds)$|"
    r"(?:scrape|kube|node|container|kubelet|apiserver|etcd|coredns|prometheus|promhttp|promtail|"
    r"alertmanager|pilot|envoy|go|process|python|jvm|nodejs|machine|workqueue|rest_client|grafana|"
    r"loki|cadvisor|authentication|authorization|storage_operation|volume_manager)_"
)
"""Metrics of programs of which the plan reads what it wants, and what says nothing of service."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A question about some of a site's metrics."""

    label: str  #: that holds the services' names
    metric: str = ""  #: whose rate or mean it is; "" when the series tell their names
    is_rate: bool = False
    is_slow: bool = False  #: scraped so seldom that each sample stands for minutes
    query: Query
    grid: Grid


def own_metrics(
    api: PrometheusApi, scope: Scope, places: Places, graph: ServiceGraph
) -> "OwnMetrics":
    """Return what asks for them around the alerts' places."""
    workloads = (info.workload for info in places.pods.values())
    in_graph = (parts_of(service)[1] for service in graph.services)
    named = (name for _, name in scope.targets.services)
    return OwnMetrics(
        api=api,
        start=scope.baseline_start.timestamp(),
        onset=scope.window.onset.timestamp(),
        end=scope.window.end.timestamp(),
        max_points=scope.max_points,
        namespaces=places.namespaces,
        known=tuple(dict.fromkeys(filter(None, chain(named, workloads, in_graph))))[:MAX_KNOWN],
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Subjects:
    """The series in which a label holds a service's name, of these namespaces if there are any."""

    label: str
    place: tuple[Matcher, ...] = ()

    def of(self, names: Sequence[str], template: str, *more: Matcher) -> str:
        """Return the query on these metrics; `$S` is where their selector's matchers go."""
        named = Matcher(label="__name__", values=tuple(names))
        return build(template.replace("$S", f'{self.label}!="",$M'), [named, *more, *self.place])

    def counts(self, names: Sequence[str]) -> str:
        """Return the query for how many series each metric has."""
        return self.of(names, _COUNTS)

    def proof(self, names: Sequence[str], known: tuple[str, ...]) -> str:
        """Return the query for the metrics in which the label holds a service that is `known`."""
        return self.of(names, _COUNTS, Matcher(label=self.label, values=known))

    @property
    def is_sure(self) -> bool:
        """True when there is no doubt that the label holds services."""
        return self.label in CERTAIN and bool(self.place)


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnMetrics:
    """Finds a site's own metrics and asks for them."""

    api: PrometheusApi
    start: float  #: since when, if nothing is scraped too seldom for it
    onset: float
    end: float
    max_points: int
    namespaces: tuple[str, ...]
    known: tuple[str, ...]  #: names of services, to recognise a label by

    def ask(
        self, site: Site, seen: Collection[str], budget: int, deadline: float
    ) -> tuple[Mapping[Ask, Result], tuple[Result, ...]]:
        """Return what the metrics say that are not in `seen`, and the results on the way there."""
        names, labels = _names(site, seen), _labels(site.labels)[: max(0, budget // 4)]
        if not (names and labels and (self.namespaces or self.known)):
            return {}, ()
        sizes, counted = self._sizes(site, names, labels, deadline)
        chosen = _chosen(sizes)
        paces = self.api.run(
            [self._at_end(of.of(some[:1], _PACE)) for of, some in chosen.items()], deadline
        )
        asks = [
            ask
            for (of, metrics), pace in zip(chosen.items(), paces, strict=True)
            for ask in self._asks(of, metrics, _seconds(pace))
        ][: min(MAX_RANGES, max(0, budget - len(counted) - len(paces)))]
        results = self.api.run([ask.query for ask in asks], deadline)
        return dict(zip(asks, results, strict=True)), (*counted, *paces, *results)

    def _sizes(
        self, site: Site, names: Sequence[str], labels: Sequence[str], deadline: float
    ) -> tuple[dict[Subjects, Result], tuple[Result, ...]]:
        """Count the series of the alerts' namespaces, and where there are none those of all."""
        here = [self._subjects(site, label) for label in labels]
        first = self.api.run([self._at_end(of.counts(names)) for of in here], deadline)
        found = dict(zip(here, first, strict=True))
        anywhere = [
            Subjects(label=of.label)
            for of, result in found.items()
            if of.place and result.answered and not result.series
        ]
        more = self.api.run([self._at_end(of.counts(names)) for of in anywhere], deadline)
        found |= dict(zip(anywhere, more, strict=True))
        doubted = [of for of, result in found.items() if result.series and not of.is_sure]
        texts = [of.proof(names, self.known) for of in doubted] if self.known else []
        proofs = self.api.run([self._at_end(text) for text in texts], deadline)
        proven = dict(zip(doubted, proofs, strict=False))
        sizes = {
            of: result if of.is_sure else _only(result, proven.get(of))
            for of, result in found.items()
        }
        return sizes, (*first, *more, *proofs)

    def _subjects(self, site: Site, label: str) -> Subjects:
        spelled = (f"{label}_namespace", "namespace")
        place = next((name for name in spelled if name in site.labels), "")
        if not (place and self.namespaces):
            return Subjects(label=label)
        return Subjects(label=label, place=(Matcher(label=place, values=self.namespaces),))

    def _at_end(self, promql: str) -> Query:
        return Query(promql=promql, at=self.end)

    def _asks(self, of: Subjects, metrics: Sequence[str], pace: float) -> Iterator[Ask]:
        """Yield one question for all gauges, and one for each counter."""
        grid = self._grid(pace)
        is_slow = pace > _SLOW_SECONDS
        counters = [name for name in metrics if name.endswith(_ENDINGS)]
        gauges = [name for name in metrics if name not in counters]
        ask = partial(Ask, label=of.label, grid=grid, is_slow=is_slow)
        if gauges:
            text = of.of(gauges, f"last_over_time({{$S}}[{2 * pace:.0f}s])" if is_slow else "{$S}")
            yield ask(query=Query(promql=text, grid=grid))
        rate = f"rate({{$S}}[{max(_RATE_SECONDS, ceil(_SCRAPES_IN_RATE * pace))}s])"
        for name, is_mean in _flows(counters):
            text = of.of([f"{name}_sum" if is_mean else name], rate)
            if is_mean:
                text += " / " + of.of([f"{name}_count"], rate)
            yield ask(metric=name, is_rate=not is_mean, query=Query(promql=text, grid=grid))

    def _grid(self, pace: float) -> Grid:
        """Return a grid no finer than the scrapes, which ends with the window."""
        start = min(self.start, self.onset - _FEWEST_SCRAPES * pace)
        grid = Grid.over(start, self.end, max_points=self.max_points)
        step = max(grid.step, round(pace))
        return Grid(
            start=grid.end - ceil((grid.end - grid.start) / step) * step, end=grid.end, step=step
        )


def _only(result: Result, proof: Result | None) -> Result:
    """Return the part of a result about metrics that the proof has too."""
    proven = {item.labels.get("__name__") for item in proof.series} if proof else set()
    kept = tuple(item for item in result.series if item.labels.get("__name__") in proven)
    return replace(result, series=kept)


def _names(site: Site, seen: Collection[str]) -> tuple[str, ...]:
    """Return the metrics of which nothing is known yet, those first whose names tell most."""
    read = {_base(name) for name in seen}
    planned = {name for row in ROWS if row.signal in _SERVICE_SIGNALS for name in row.metrics}
    unknown = (
        name
        for name in site.metrics or ()
        if _base(name) not in read
        and (not _OF_OTHERS.match(name) or (name in planned and not name.endswith("_bucket")))
    )
    return tuple(sorted(unknown, key=lambda name: (not is_golden(name), name))[:MAX_NAMES])


def _base(name: str) -> str:
    for ending in ("_bucket", *_ENDINGS):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def _labels(labels: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in (*CERTAIN, *POSSIBLE) if name in labels)[:MAX_LABELS]


def _chosen(sizes: Mapping[Subjects, Result]) -> dict[Subjects, tuple[str, ...]]:
    """Return the metrics to read, each once: telling ones first, then small ones."""
    left, taken = MAX_SERIES, set[str]()
    chosen: dict[Subjects, tuple[str, ...]] = {}
    for of, result in sizes.items():
        size = {
            item.labels["__name__"]: int(item.samples[-1][1])
            for item in result.series
            if "__name__" in item.labels and item.samples
        }
        fitting = []
        for name in sorted(size, key=lambda name: (not is_golden(name), size[name], name)):
            if name not in taken and size[name] <= left:
                left -= size[name]
                fitting.append(name)
        taken.update(fitting)
        if fitting:
            chosen[of] = tuple(fitting)
    return chosen


def _flows(counters: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Yield the counters whose rate is asked for, and (True) the sums over counts."""
    means = {name.removesuffix("_sum") for name in counters if name.endswith("_sum")}
    means = {name for name in means if f"{name}_count" in counters}
    parts = {f"{name}{ending}" for name in means for ending in ("_sum", "_count")}
    flows = [
        *((name, False) for name in counters if name not in parts),
        *((m, True) for m in means),
    ]
    yield from sorted(flows, key=lambda item: (not is_golden(item[0]), item))


def _seconds(pace: Result) -> float:
    """Return the time between two scrapes."""
    most = max((item.samples[-1][1] for item in pace.series if item.samples), default=0.0)
    return _PACE_SECONDS / most if most else 0.0
