"""What services answer: rate, errors and latency, of services and of the calls between them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from tasks.collect.plan.tolerances import LATENCY, LATENCY_BETWEEN, RATE, RATIO
from tasks.collect.questions import Match, Row

_ALL = 1000  #: every service and edge is wanted: the healthy ones tell where a cascade ends
_MILLISECONDS = " / 1000"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Requests:
    """How one library or proxy counts the requests that a service answers."""

    by: tuple[str, ...]  #: the labels that tell services apart
    labels: Mapping[str, str]
    match: tuple[Match, ...]
    counter: str
    buckets: str
    where: str = ""  #: conditions on all series
    errors: str  #: condition on those of requests that failed
    counted: str = ""  #: condition on those that could have been counted as failed
    unit: str = ""  #: after the latency, to make it seconds
    label: str = ""  #: that has the status, where sites differ
    usual: bool = False

    def rows(self) -> tuple[Row, Row, Row]:
        """Return the golden signals."""
        by = ", ".join(self.by)
        row = partial(
            Row,
            match=self.match,
            labels=self.labels,
            names=("service",),
            plain=_ALL,
            usual=self.usual,
        )
        return (
            row(
                signal="request_rate",
                title="request rate",
                promql=self._rate(),
                unit="per_second",
                tolerance=RATE,
            ),
            row(
                signal="error_ratio",
                title="error ratio",
                promql=self._rate(self.errors),
                over=self._rate(self.counted),
                unit="ratio",
                tolerance=RATIO,
                label=self.label,
            ),
            row(
                signal="latency_p99",
                title="99th percentile of latency",
                promql=f"histogram_quantile(0.99, sum by (le, {by})"
                f" (rate({self._selector(self.buckets)}[2m]))){self.unit}",
                unit="seconds",
                tolerance=LATENCY,
            ),
        )

    def _rate(self, condition: str = "") -> str:
        by = ", ".join(self.by)
        return f"sum by ({by}) (rate({self._selector(self.counter, condition)}[2m]))"

    def _selector(self, metric: str, condition: str = "") -> str:
        conditions = ",".join(filter(None, (self.where, condition, "$M")))
        return f"{metric}{{{conditions}}}"


def _places(namespace: str, name: str) -> tuple[Match, ...]:
    """Return the matches of series that tell namespace and name of a service."""
    return (
        {namespace: "namespaces"},
        {name: "stray_services"},
        {namespace: "neighbour_namespaces", name: "neighbours"},
        {name: "stray_neighbours"},
    )


_SERVICE_LABELS = {"namespace": "namespace", "service": "service"}

_ISTIO = _Requests(
    by=("destination_workload", "destination_workload_namespace"),
    labels={"destination_workload_namespace": "namespace", "destination_workload": "service"},
    match=_places("destination_workload_namespace", "destination_workload"),
    counter="istio_requests_total",
    buckets="istio_request_duration_milliseconds_bucket",
    where='reporter="destination"',
    errors='response_code=~"5.."',
    unit=_MILLISECONDS,
    usual=True,
)
_HTTP = _Requests(
    by=("namespace", "service"),
    labels=_SERVICE_LABELS,
    match=_places("namespace", "service"),
    counter="http_requests_total",
    buckets="http_request_duration_seconds_bucket",
    errors='code=~"5.."',
    counted='code!=""',
    label="code",
    usual=True,
)
# sites without Kubernetes tell services apart by their jobs
_BY_JOB = replace(
    _HTTP,
    by=("job",),
    labels={"job": "service"},
    match=({"job": "jobs"}, {"job": "stray_services"}, {"job": "stray_neighbours"}),
    usual=False,
)
_LINKERD = _Requests(
    by=("namespace", "deployment"),
    labels={"namespace": "namespace", "deployment": "service"},
    match=_places("namespace", "deployment"),
    counter="response_total",
    buckets="response_latency_ms_bucket",
    where='direction="inbound"',
    errors='classification="failure"',
    unit=_MILLISECONDS,
)
_OTEL = _Requests(
    by=("job",),
    labels={"job": "service"},
    match=({"job": "namespaces"}, {"job": "service_names"}),  # a job is `namespace/name` or `name`
    counter="http_server_request_duration_seconds_count",
    buckets="http_server_request_duration_seconds_bucket",
    errors='http_response_status_code=~"5.."',
)
_OTEL_OLD = replace(
    _OTEL,
    counter="http_server_duration_milliseconds_count",
    buckets="http_server_duration_milliseconds_bucket",
    errors='http_status_code=~"5.."',
    unit=_MILLISECONDS,
)
_SPANS = _Requests(
    by=("service",),
    labels={"service": "service"},
    match=({"service": "service_names"},),  # spans may know no namespace
    counter="traces_spanmetrics_calls_total",
    buckets="traces_spanmetrics_latency_bucket",
    where='span_kind="SPAN_KIND_SERVER"',
    errors='status_code="STATUS_CODE_ERROR"',
)
_SPRING = replace(
    _HTTP,
    counter="http_server_requests_seconds_count",
    buckets="http_server_requests_seconds_bucket",
    errors='status=~"5.."',
    counted="",
    label="",
    usual=False,
)
_GRPC = replace(
    _HTTP,
    counter="grpc_server_handled_total",
    buckets="grpc_server_handling_seconds_bucket",
    errors='grpc_code=~"Unknown|DeadlineExceeded|ResourceExhausted|Internal|Unavailable|DataLoss"',
    counted="",
    label="",
    usual=False,
)
_NGINX = replace(
    _HTTP,
    counter="nginx_ingress_controller_requests",
    buckets="nginx_ingress_controller_request_duration_seconds_bucket",
    errors='status=~"5.."',
    counted="",
    label="",
    usual=False,
)
_by_edge = partial(
    Row,
    match=(
        {"source_workload_namespace": "namespaces"},
        {"source_workload": "stray_services"},
        {"source_workload_namespace": "neighbour_namespaces", "source_workload": "neighbours"},
        {"source_workload": "stray_neighbours"},
    ),
    labels={
        "source_workload_namespace": "namespace",
        "source_workload": "service",
        "destination_workload": "peer",
    },
    names=("service", "peer"),
    plain=_ALL,
)
_EDGE = "source_workload, source_workload_namespace, destination_workload"


def _edge_rate(condition: str = "") -> str:
    return f'sum by ({_EDGE}) (rate(istio_requests_total{{reporter="source",{condition}$M}}[2m]))'


def _edge_median(reporter: str) -> str:
    selector = f'istio_request_duration_milliseconds_bucket{{reporter="{reporter}",$M}}'
    return f"histogram_quantile(0.5, sum by (le, {_EDGE}) (rate({selector}[2m])))"


_EDGES = (
    _by_edge(
        signal="edge_error_ratio",
        title="error ratio of calls",
        promql=_edge_rate('response_code=~"5..",'),
        over=_edge_rate(),
        unit="ratio",
        tolerance=RATIO,
    ),
    _by_edge(
        signal="edge_latency_between",
        title="median latency of calls that the called side does not see",
        promql=f"({_edge_median('source')} - {_edge_median('destination')}){_MILLISECONDS}",
        unit="seconds",
        tolerance=LATENCY_BETWEEN,
    ),
)


def _with_label(requests: _Requests, label: str) -> tuple[Row, ...]:
    """Return the error ratio where the status is in another label."""
    other = replace(
        requests, errors=f'{label}=~"5.."', counted=f'{label}!=""', label=label, usual=False
    )
    return other.rows()[1:2]


SERVING: tuple[Row, ...] = (*_ISTIO.rows(), *_EDGES, *_HTTP.rows())
"""By what most sites have."""

ALTERNATIVES: tuple[Row, ...] = (
    *_with_label(_HTTP, "status"),
    *_with_label(_HTTP, "status_code"),
    *_BY_JOB.rows(),
    *_with_label(_BY_JOB, "status"),
    *_with_label(_BY_JOB, "status_code"),
    *_LINKERD.rows(),
    *_OTEL.rows(),
    *_OTEL_OLD.rows(),
    *_SPANS.rows(),
    *_SPRING.rows(),
    *_GRPC.rows(),
    *_NGINX.rows(),
)
"""By other libraries and proxies, where they are found."""
