"""The whole cluster and its control plane, for alerts that name no place or are about these."""

from dataclasses import replace
from functools import partial

from tasks.collect.plan.tolerances import AMOUNT, COUNT, LATENCY, RATE, RATIO, SWITCH, USED
from tasks.collect.questions import Row

_LABELS = {"namespace": "namespace", "job": "job", "instance": "instance"}

_whole = partial(Row, cluster=True, labels=_LABELS, names=(), plain=3)


def _latency(signal: str, title: str, buckets: str, by: str) -> Row:
    return _whole(
        signal=signal,
        title=f"99th percentile of {title}",
        promql=f"histogram_quantile(0.99, sum by (le, {by}) (rate({buckets}[5m])))",
        unit="seconds",
        tolerance=LATENCY,
        reason="{verb}",
    )


def _count(signal: str, title: str, promql: str, reason: str = "") -> Row:
    return _whole(
        signal=signal,
        title=title,
        promql=promql,
        unit="count",
        tolerance=COUNT,
        reason=reason,
        skip_zero=True,
    )


def _about(*topic: str, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    return tuple(replace(row, topic=topic) for row in rows)


_STATE = (
    _whole(
        signal="up_share",
        title="share of targets that answer",
        promql="avg by (job) (up{$M})",
        unit="ratio",
        tolerance=RATIO,
    ),
    _count(
        "pods_by_phase",
        "pods that do not run",
        'sum by (namespace, phase) (kube_pod_status_phase{phase=~"Pending|Failed|Unknown",$M})',
        "{phase}",
    ),
    _count(
        "pods_waiting",
        "waiting containers",
        "sum by (namespace, reason) (kube_pod_container_status_waiting_reason{$M})",
        "{reason}",
    ),
    *(
        _whole(
            signal=f"cluster_{resource}_requested",
            title=f"share of the cluster's {word} that pods have asked for",
            promql=f'sum (kube_pod_container_resource_requests{{resource="{resource}",$M}})'
            f' / sum (kube_node_status_allocatable{{resource="{resource}",$M}})',
            unit="ratio",
            tolerance=USED,
        )
        for resource, word in (("cpu", "CPU"), ("memory", "memory"))
    ),
)

_APISERVER = _about(
    "apiserver",
    "kubeapi",
    "aggregator",
    "code_resource:apiserver",
    rows=(
        _whole(
            signal="apiserver_rate",
            title="requests to the API server",
            promql="sum (rate(apiserver_request_total{$M}[5m]))",
            unit="per_second",
            tolerance=RATE,
        ),
        _whole(
            signal="apiserver_errors",
            title="error ratio of the API server",
            promql='sum (rate(apiserver_request_total{code=~"5..",$M}[5m]))',
            over="sum (rate(apiserver_request_total{$M}[5m]))",
            unit="ratio",
            tolerance=RATIO,
        ),
        _latency(
            "apiserver_latency",
            "the API server's latency",
            'apiserver_request_duration_seconds_bucket{verb!~"WATCH|CONNECT",$M}',
            "verb",
        ),
        _whole(
            signal="apiserver_inflight",
            title="requests in the API server",
            promql="sum by (instance) (apiserver_current_inflight_requests{$M})",
            unit="count",
            tolerance=AMOUNT,
        ),
        _count(
            "apiserver_rejected",
            "requests the API server refused each second",
            "sum by (reason) (rate(apiserver_flowcontrol_rejected_requests_total{$M}[5m]))",
            "{reason}",
        ),
        _count(
            "apiservice_down",
            "aggregated APIs that are not available",
            "max by (name) (aggregator_unavailable_apiservice{$M})",
            "{name}",
        ),
    ),
)

_ETCD = _about(
    "etcd",
    rows=(
        _whole(
            signal="etcd_leader",
            title="etcd member knows a leader",
            promql="min by (job, instance) (etcd_server_has_leader{$M})",
            unit="",
            tolerance=SWITCH,
        ),
        _count(
            "etcd_leader_changes",
            "changes of etcd's leader within 10 minutes",
            "sum by (job, instance) (increase(etcd_server_leader_changes_seen_total{$M}[10m]))",
        ),
        _latency(
            "etcd_fsync",
            "etcd's writes to its log",
            "etcd_disk_wal_fsync_duration_seconds_bucket{$M}",
            "job, instance",
        ),
        _latency(
            "etcd_commit",
            "etcd's commits",
            "etcd_disk_backend_commit_duration_seconds_bucket{$M}",
            "job, instance",
        ),
        _whole(
            signal="etcd_size",
            title="use of etcd's space",
            promql="max by (job, instance) (etcd_mvcc_db_total_size_in_bytes{$M})"
            " / max by (job, instance) (etcd_server_quota_backend_bytes{$M})",
            unit="ratio",
            tolerance=USED,
        ),
        _count(
            "etcd_failed_proposals",
            "failed proposals within 10 minutes",
            "sum by (job, instance) (increase(etcd_server_proposals_failed_total{$M}[10m]))",
        ),
    ),
)

_KUBELET = _about(
    "kubeletd",
    "kubeletp",
    "kubelett",
    "kubelets",
    "kubeletc",
    "kubelet_pleg",
    "kubelet_pod_worker",
    "kubelet_node",
    "kubelet_running",
    "kubelet_cert",
    "kubelet_server",
    rows=(
        _latency(
            "kubelet_relist",
            "the kubelet's look at its containers",
            "kubelet_pleg_relist_duration_seconds_bucket{$M}",
            "instance",
        ),
        _count(
            "kubelet_errors",
            "failed container operations within 5 minutes",
            "sum by (instance) (increase(kubelet_runtime_operations_errors_total{$M}[5m]))",
        ),
        _whole(
            signal="kubelet_pods",
            title="pods the kubelet runs",
            promql="max by (instance) (kubelet_running_pods{$M})",
            unit="count",
            tolerance=AMOUNT,
        ),
    ),
)

_CONTROLLERS = _about(
    "scheduler",
    "kubescheduler",
    "kubecontroller",
    "workqueue",
    rows=(
        _count(
            "scheduler_pending",
            "pods that wait for a node",
            "sum by (queue) (scheduler_pending_pods{$M})",
            "{queue}",
        ),
        _whole(
            signal="controller_backlog",
            title="work that waits in a controller",
            promql="max by (job, name) (workqueue_depth{$M})",
            unit="count",
            tolerance=AMOUNT,
            reason="{name}",
            plain=0,
        ),
    ),
)

_COREDNS = _about(
    "coredns",
    rows=(
        _whole(
            signal="dns_errors",
            title="share of DNS answers that are failures",
            promql='sum (rate(coredns_dns_responses_total{rcode="SERVFAIL",$M}[5m]))',
            over="sum (rate(coredns_dns_responses_total{$M}[5m]))",
            unit="ratio",
            tolerance=RATIO,
        ),
        _latency(
            "dns_latency",
            "DNS answers",
            "coredns_dns_request_duration_seconds_bucket{$M}",
            "job",
        ),
        _latency(
            "dns_forward_latency",
            "DNS answers from upstream",
            "coredns_forward_request_duration_seconds_bucket{$M}",
            "job",
        ),
        _count(
            "dns_upstream_failures",
            "failed health checks of DNS upstream within 5 minutes",
            "sum by (job) (increase(coredns_forward_healthcheck_failures_total{$M}[5m]))",
        ),
    ),
)

_VERSIONS = _about(
    "kubernetes_build",
    "kubeversion",
    rows=(
        _whole(
            signal="component_versions",
            title="components of this version",
            promql="count by (git_version) (kubernetes_build_info{$M})",
            unit="count",
            tolerance=COUNT,
            reason="{git_version}",
        ),
    ),
)

CLUSTER: tuple[Row, ...] = (
    *_STATE,
    *_APISERVER,
    *_ETCD,
    *_KUBELET,
    *_COREDNS,
    *_CONTROLLERS,
    *_VERSIONS,
)
