"""The query plan: which signals are read, from which metrics, for which places.

A new query is one row of `ROWS`. The PromQL stays within selectors, rate and increase,
sum/max/avg/min/count by, histogram_quantile and arithmetic. The metrics are those of
kube-state-metrics, cAdvisor, node-exporter, the kubelet, Istio, and of services that count
`http_requests_total`.
"""

from functools import partial

from tasks.collect.questions import Row
from tasks.collect.series import Tolerance

_NAMESPACE = {"namespace": "namespaces"}
_ALL = 1000  #: every service and edge is wanted: the healthy ones tell where a cascade ends
_ON_NODES = ({"namespace": "node_pod_namespaces", "pod": "node_pods"}, {"node": "bare_nodes"})
_POD_LABELS = {"namespace": "namespace", "pod": "pod", "container": "container"}
_SERVICE_LABELS = {"namespace": "namespace", "service": "service"}

_by_mesh = partial(
    Row,
    match=(
        {"destination_workload_namespace": "namespaces"},
        {"destination_workload": "stray_services"},
    ),
    labels={"destination_workload_namespace": "namespace", "destination_workload": "service"},
    names=("service",),
    plain=_ALL,
)
_by_edge = partial(
    Row,
    match=({"source_workload_namespace": "namespaces"},),
    labels={
        "source_workload_namespace": "namespace",
        "source_workload": "service",
        "destination_workload": "peer",
    },
    names=("service", "peer"),
    plain=_ALL,
)
_by_service = partial(
    Row,
    match=(_NAMESPACE, {"service": "stray_services"}),
    labels=_SERVICE_LABELS,
    names=("service",),
    plain=_ALL,
)
_by_pod = partial(
    Row,
    match=(_NAMESPACE, *_ON_NODES),
    labels=_POD_LABELS,
    names=("pod",),
)
_by_host = partial(
    Row,
    match=({"instance": "hosts"},),
    labels={"node": "node", "instance": "instance", "mountpoint": "mountpoint"},
    names=("node",),
    unit="ratio",
    tolerance=Tolerance(floor=0.1, share=0.1),
)
_by_node = partial(
    Row,
    match=({"node": "nodes"},),
    labels={"node": "node"},
    names=("node",),
    unit="count",
    cluster=True,
    skip_zero=True,
)

_RATE = Tolerance(floor=0.5, share=0.4)
_RATIO = Tolerance(floor=0.02)
_LATENCY = Tolerance(floor=0.05, share=0.5)
_CORES = Tolerance(floor=0.1, share=0.5, starts_from_nothing=True)
_BYTES = Tolerance(floor=32 * 1024.0**2, starts_from_nothing=True)
_COUNT = Tolerance(floor=0.5, share=0.0, absent_is_zero=True)
_USED = Tolerance(floor=0.1, share=0.1)
_FIXED = Tolerance(floor=0.01, share=0.01)

_MESH_SUM = "sum by (destination_workload, destination_workload_namespace)"
_EDGE_SUM = "sum by (source_workload, source_workload_namespace, destination_workload)"
_SERVICE_SUM = "sum by (namespace, service)"
_POD_SUM = "sum by (namespace, pod)"
_REASON_MAX = "max by (namespace, pod, container, reason)"
_CLAIM_MAX = "max by (namespace, persistentvolumeclaim)"
_HOST_MAX = "max by (instance, node)"
_MOUNT_MAX = "max by (instance, node, mountpoint)"
_CONDITION_MAX = "max by (node, condition, status)"
_REAL_DISK = 'fstype!~"tmpfs|ramfs|overlay|squashfs"'
_REAL_CONTAINER = 'container!="",container!="POD"'

ROWS: tuple[Row, ...] = (
    _by_mesh(
        signal="request_rate",
        title="request rate",
        promql=_MESH_SUM + ' (rate(istio_requests_total{reporter="destination",$M}[2m]))',
        unit="per_second",
        tolerance=_RATE,
    ),
    _by_mesh(
        signal="error_ratio",
        title="error ratio",
        promql=_MESH_SUM
        + ' (rate(istio_requests_total{reporter="destination",response_code=~"5..",$M}[2m]))',
        over=_MESH_SUM + ' (rate(istio_requests_total{reporter="destination",$M}[2m]))',
        unit="ratio",
        tolerance=_RATIO,
    ),
    _by_mesh(
        signal="latency_p99",
        title="99th percentile of latency",
        promql="histogram_quantile(0.99, sum by"
        " (le, destination_workload, destination_workload_namespace)"
        ' (rate(istio_request_duration_milliseconds_bucket{reporter="destination",$M}[2m])))'
        " / 1000",
        unit="seconds",
        tolerance=_LATENCY,
    ),
    _by_edge(
        signal="edge_error_ratio",
        title="error ratio of calls",
        promql=_EDGE_SUM
        + ' (rate(istio_requests_total{reporter="source",response_code=~"5..",$M}[2m]))',
        over=_EDGE_SUM + ' (rate(istio_requests_total{reporter="source",$M}[2m]))',
        unit="ratio",
        tolerance=_RATIO,
    ),
    _by_service(
        signal="request_rate",
        title="request rate",
        promql=_SERVICE_SUM + " (rate(http_requests_total{$M}[2m]))",
        unit="per_second",
        tolerance=_RATE,
    ),
    _by_service(
        signal="error_ratio",
        title="error ratio",
        promql=_SERVICE_SUM + ' (rate(http_requests_total{code=~"5..",$M}[2m]))',
        over=_SERVICE_SUM + " (rate(http_requests_total{$M}[2m]))",
        unit="ratio",
        tolerance=_RATIO,
    ),
    _by_service(
        signal="latency_p99",
        title="99th percentile of latency",
        promql="histogram_quantile(0.99, sum by (le, namespace, service)"
        " (rate(http_request_duration_seconds_bucket{$M}[2m])))",
        unit="seconds",
        tolerance=_LATENCY,
    ),
    _by_pod(
        signal="restarts",
        title="restarts within 5 minutes",
        promql="sum by (namespace, pod, container)"
        " (increase(kube_pod_container_status_restarts_total{$M}[5m]))",
        unit="count",
        tolerance=_COUNT,
        skip_zero=True,
    ),
    _by_pod(
        signal="waiting_reason",
        title="waiting containers",
        promql=_REASON_MAX + " (kube_pod_container_status_waiting_reason{$M})",
        match=(_NAMESPACE, {"node": "bare_nodes"}),
        unit="count",
        tolerance=_COUNT,
        reason="{reason}",
        skip_zero=True,
    ),
    _by_pod(
        signal="terminated_reason",
        title="containers last terminated",
        promql=_REASON_MAX + " (kube_pod_container_status_last_terminated_reason{$M})",
        unit="count",
        tolerance=_COUNT,
        reason="{reason}",
        skip_zero=True,
    ),
    Row(
        signal="replicas_unavailable",
        title="unavailable replicas",
        promql="max by (namespace, deployment) (kube_deployment_status_replicas_unavailable{$M})",
        match=(_NAMESPACE,),
        labels={"namespace": "namespace", "deployment": "workload"},
        names=("workload",),
        unit="count",
        tolerance=_COUNT,
    ),
    _by_pod(
        signal="cpu_usage",
        title="CPU usage",
        promql=f"{_POD_SUM} (rate(container_cpu_usage_seconds_total{{{_REAL_CONTAINER},$M}}[2m]))",
        unit="cores",
        tolerance=_CORES,
    ),
    _by_pod(
        signal="memory_usage",
        title="memory working set",
        promql=f"{_POD_SUM} (container_memory_working_set_bytes{{{_REAL_CONTAINER},$M}})",
        unit="bytes",
        tolerance=_BYTES,
    ),
    _by_pod(
        signal="cpu_limit",
        title="CPU limit",
        promql=_POD_SUM + ' (kube_pod_container_resource_limits{resource="cpu",$M})',
        unit="cores",
        tolerance=_FIXED,
        companion=True,
    ),
    _by_pod(
        signal="memory_limit",
        title="memory limit",
        promql=_POD_SUM + ' (kube_pod_container_resource_limits{resource="memory",$M})',
        unit="bytes",
        tolerance=_FIXED,
        companion=True,
    ),
    _by_host(
        signal="node_cpu",
        title="CPU use",
        promql='1 - avg by (instance, node) (rate(node_cpu_seconds_total{mode="idle",$M}[2m]))',
        cluster=True,
    ),
    _by_host(
        signal="node_memory",
        title="memory use",
        promql=f"1 - {_HOST_MAX} (node_memory_MemAvailable_bytes{{$M}})"
        f" / {_HOST_MAX} (node_memory_MemTotal_bytes{{$M}})",
        cluster=True,
    ),
    _by_node(
        signal="node_condition",
        title="node condition",
        promql=_CONDITION_MAX
        + ' (kube_node_status_condition{condition="Ready",status!="true",$M})',
        tolerance=_COUNT,
        reason="{condition}/{status}",
    ),
    _by_node(
        signal="node_condition",
        title="node condition",
        promql=_CONDITION_MAX
        + ' (kube_node_status_condition{condition!="Ready",status="true",$M})',
        tolerance=_COUNT,
        reason="{condition}",
    ),
    _by_host(
        signal="node_disk",
        title="disk use",
        promql=f"1 - {_MOUNT_MAX} (node_filesystem_avail_bytes{{{_REAL_DISK},$M}})"
        f" / {_MOUNT_MAX} (node_filesystem_size_bytes{{{_REAL_DISK},$M}})",
    ),
    Row(
        signal="up",
        title="scrape success",
        promql="min by (namespace, service, pod, job, instance) (up{$M})",
        match=(_NAMESPACE, {"instance": "hosts"}, {"instance": "instances"}, {"job": "jobs"}),
        labels={**_SERVICE_LABELS, **_POD_LABELS, "job": "job", "instance": "instance"},
        names=("instance",),
        unit="",
        plain=2,
        tolerance=Tolerance(floor=0.5, share=0.0),
    ),
    _by_pod(
        signal="cpu_throttling",
        match=(_NAMESPACE,),
        title="share of throttled CPU periods",
        promql=_POD_SUM
        + ' (rate(container_cpu_cfs_throttled_periods_total{container!="",$M}[2m])) / '
        + _POD_SUM
        + ' (rate(container_cpu_cfs_periods_total{container!="",$M}[2m]))',
        unit="ratio",
        tolerance=_USED,
    ),
    Row(
        signal="pvc_usage",
        title="use",
        promql=f"1 - {_CLAIM_MAX} (kubelet_volume_stats_available_bytes{{$M}})"
        f" / {_CLAIM_MAX} (kubelet_volume_stats_capacity_bytes{{$M}})",
        match=(_NAMESPACE,),
        labels={"namespace": "namespace", "persistentvolumeclaim": "pvc"},
        names=("pvc",),
        unit="ratio",
        tolerance=_USED,
    ),
)
"""In order of importance: when an incident needs too many queries, the last are left out."""

SERVING_SIGNALS = frozenset({"request_rate", "error_ratio", "latency_p99", "edge_error_ratio"})
"""A name these are about answers requests."""

# The alert's own measured side; its label set decides what it is about. The tolerance is
# replaced by one in proportion to the threshold.
ALERT_SIGNAL = Row(
    signal="alert_signal",
    title="the alert's own signal",
    promql="",
    labels={},
    names=(),
    unit="",
    tolerance=_FIXED,
)
