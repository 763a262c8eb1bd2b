"""Pods and what runs them: state, use against limits, network, rollout, bounds of a namespace."""

from functools import partial

from tasks.collect.plan.tolerances import BYTES, CORES, COUNT, FIXED, SWITCH, TRAFFIC, USED
from tasks.collect.questions import Row

NAMESPACE = {"namespace": "namespaces"}
_ON_NODES = ({"namespace": "node_pod_namespaces", "pod": "node_pods"}, {"node": "bare_nodes"})
_NEIGHBOURS = ({"namespace": "neighbour_namespaces", "pod": "neighbours"},)
_POD_LABELS = {"namespace": "namespace", "pod": "pod", "container": "container"}

_by_pod = partial(
    Row,
    match=(NAMESPACE, *_ON_NODES, *_NEIGHBOURS),
    labels=_POD_LABELS,
    names=("pod",),
)
_in_namespace = partial(_by_pod, match=(NAMESPACE,))
_by_workload = partial(Row, match=(NAMESPACE,), names=("workload",), unit="count", tolerance=COUNT)

_POD_SUM = "sum by (namespace, pod)"
_POD_MAX = "max by (namespace, pod)"
_REASON_MAX = "max by (namespace, pod, container, reason)"
_REAL_CONTAINER = 'container!="",container!="POD"'

PODS: tuple[Row, ...] = (
    _by_pod(
        signal="restarts",
        title="restarts within 5 minutes",
        promql="sum by (namespace, pod, container)"
        " (increase(kube_pod_container_status_restarts_total{$M}[5m]))",
        unit="count",
        tolerance=COUNT,
        skip_zero=True,
    ),
    _by_pod(
        signal="waiting_reason",
        title="waiting containers",
        promql=f"{_REASON_MAX} (kube_pod_container_status_waiting_reason{{$M}})",
        match=(NAMESPACE, {"node": "bare_nodes"}, *_NEIGHBOURS),
        unit="count",
        tolerance=COUNT,
        reason="{reason}",
        skip_zero=True,
    ),
    _by_pod(
        signal="terminated_reason",
        title="containers last terminated",
        promql=f"{_REASON_MAX} (kube_pod_container_status_last_terminated_reason{{$M}})",
        unit="count",
        tolerance=COUNT,
        reason="{reason}",
        skip_zero=True,
    ),
    _by_workload(
        signal="replicas_unavailable",
        title="unavailable replicas",
        promql="max by (namespace, deployment) (kube_deployment_status_replicas_unavailable{$M})",
        labels={"namespace": "namespace", "deployment": "workload"},
    ),
    _by_pod(
        signal="cpu_usage",
        title="CPU usage",
        promql=f"{_POD_SUM} (rate(container_cpu_usage_seconds_total{{{_REAL_CONTAINER},$M}}[2m]))",
        unit="cores",
        tolerance=CORES,
    ),
    _by_pod(
        signal="memory_usage",
        title="memory working set",
        promql=f"{_POD_SUM} (container_memory_working_set_bytes{{{_REAL_CONTAINER},$M}})",
        unit="bytes",
        tolerance=BYTES,
    ),
    _by_pod(
        signal="cpu_limit",
        title="CPU limit",
        promql=f'{_POD_SUM} (kube_pod_container_resource_limits{{resource="cpu",$M}})',
        unit="cores",
        tolerance=FIXED,
        companion=True,
    ),
    _by_pod(
        signal="memory_limit",
        title="memory limit",
        promql=f'{_POD_SUM} (kube_pod_container_resource_limits{{resource="memory",$M}})',
        unit="bytes",
        tolerance=FIXED,
        companion=True,
    ),
    _in_namespace(
        signal="cpu_throttling",
        topic=("container_cpu_cfs",),
        title="share of throttled CPU periods",
        promql=_POD_SUM
        + ' (rate(container_cpu_cfs_throttled_periods_total{container!="",$M}[2m])) / '
        + _POD_SUM
        + ' (rate(container_cpu_cfs_periods_total{container!="",$M}[2m]))',
        unit="ratio",
        tolerance=USED,
    ),
    _in_namespace(
        signal="pod_phase",
        topic=("kube_pod_status_phase",),
        title="pods that do not run",
        promql="max by (namespace, pod, phase)"
        ' (kube_pod_status_phase{phase=~"Pending|Failed|Unknown",$M})',
        unit="count",
        tolerance=COUNT,
        reason="{phase}",
        skip_zero=True,
    ),
    _in_namespace(
        signal="network_receive",
        title="bytes received each second",
        promql=f"{_POD_SUM} (rate(container_network_receive_bytes_total{{$M}}[2m]))",
        unit="bytes",
        tolerance=TRAFFIC,
        plain=2,
    ),
    _in_namespace(
        signal="network_transmit",
        title="bytes sent each second",
        promql=f"{_POD_SUM} (rate(container_network_transmit_bytes_total{{$M}}[2m]))",
        unit="bytes",
        tolerance=TRAFFIC,
        plain=2,
    ),
)

CHANGES: tuple[Row, ...] = tuple(
    Row(
        signal="config_version",
        title=f"version of {kind}",
        promql=f"max by (namespace, {kind}) (kube_{kind}_metadata_resource_version{{$M}})",
        match=(NAMESPACE,),
        labels={"namespace": "namespace", kind: kind},
        names=(kind,),
        unit="",
        tolerance=SWITCH,
        reason=f"{{{kind}}}",
        plain=0,
    )
    for kind in ("configmap", "secret")
)
"""Changes that are no rollout; those are read from the ReplicaSets."""

MORE_OF_PODS: tuple[Row, ...] = (
    _by_workload(
        signal="replicas_unavailable",
        topic=("kube_statefulset",),
        title="replicas that are not ready",
        promql="max by (namespace, statefulset) (kube_statefulset_replicas{$M})"
        " - max by (namespace, statefulset) (kube_statefulset_status_replicas_ready{$M})",
        labels={"namespace": "namespace", "statefulset": "workload"},
    ),
    _by_workload(
        signal="replicas_unavailable",
        topic=("kube_daemonset",),
        title="unavailable replicas",
        promql="max by (namespace, daemonset) (kube_daemonset_status_number_unavailable{$M})",
        labels={"namespace": "namespace", "daemonset": "workload"},
    ),
    _by_workload(
        signal="replicas_wanted",
        title="replicas asked for",
        promql="max by (namespace, deployment) (kube_deployment_spec_replicas{$M})",
        labels={"namespace": "namespace", "deployment": "workload"},
        plain=0,
    ),
    _by_workload(
        signal="autoscaler_use",
        topic=("kube_horizontalpodautoscaler", "kube_hpa"),
        title="share of the autoscaler's maximum",
        promql="max by (namespace, horizontalpodautoscaler)"
        " (kube_horizontalpodautoscaler_status_desired_replicas{$M})"
        " / max by (namespace, horizontalpodautoscaler)"
        " (kube_horizontalpodautoscaler_spec_max_replicas{$M})",
        labels={"namespace": "namespace", "horizontalpodautoscaler": "workload"},
        unit="ratio",
        tolerance=USED,
        plain=2,
    ),
    _by_workload(
        signal="job_failed",
        topic=("kube_job", "kube_cronjob"),
        title="failed pods of a job",
        promql="max by (namespace, job_name) (kube_job_status_failed{$M})",
        labels={"namespace": "namespace", "job_name": "workload"},
        skip_zero=True,
    ),
    _in_namespace(
        signal="pod_not_ready",
        title="lack of readiness",
        promql=f'{_POD_MAX} (kube_pod_status_ready{{condition="false",$M}})',
        unit="count",
        tolerance=COUNT,
        skip_zero=True,
        plain=2,
    ),
    _in_namespace(
        signal="oom_kills",
        topic=("container_oom",),
        title="containers out of memory within 5 minutes",
        promql=f"{_POD_SUM} (increase(container_oom_events_total{{$M}}[5m]))",
        unit="count",
        tolerance=COUNT,
        skip_zero=True,
    ),
    Row(
        signal="quota_use",
        topic=("kube_resourcequota",),
        title="use of the quota",
        promql="max by (namespace, resourcequota, resource)"
        ' (kube_resourcequota{type="used",$M})'
        ' / max by (namespace, resourcequota, resource) (kube_resourcequota{type="hard",$M})',
        match=(NAMESPACE,),
        labels={"namespace": "namespace"},
        names=("namespace",),
        unit="ratio",
        tolerance=USED,
        reason="{resourcequota}/{resource}",
        plain=2,
    ),
    Row(
        signal="endpoints_not_ready",
        topic=("kube_endpoint",),
        title="addresses that are not ready",
        promql="max by (namespace, endpoint) (kube_endpoint_address_not_ready{$M})",
        match=(NAMESPACE,),
        labels={"namespace": "namespace", "endpoint": "service"},
        names=("service",),
        unit="count",
        tolerance=COUNT,
        skip_zero=True,
    ),
    *(
        _in_namespace(
            signal=signal,
            title=title,
            promql=f"{_POD_SUM} (rate({metric}{{$M}}[2m]))",
            unit="per_second",
            tolerance=COUNT,
            skip_zero=True,
            plain=0,
        )
        for signal, title, metric in (
            (
                "network_drops",
                "dropped packets on the way in",
                "container_network_receive_packets_dropped_total",
            ),
            (
                "network_drops_out",
                "dropped packets on the way out",
                "container_network_transmit_packets_dropped_total",
            ),
            (
                "network_errors",
                "network errors",
                "container_network_receive_errors_total",
            ),
        )
    ),
    _in_namespace(
        signal="disk_writes",
        title="bytes written each second",
        promql=f"{_POD_SUM} (rate(container_fs_writes_bytes_total{{$M}}[2m]))",
        unit="bytes",
        tolerance=TRAFFIC,
        plain=0,
    ),
    *(
        # containers without Kubernetes: cAdvisor knows them by their name
        Row(
            signal=signal,
            title=title,
            promql=promql,
            match=({"name": "stray_services"}, {"name": "stray_neighbours"}),
            cluster=True,
            labels={"name": "service"},
            names=("service",),
            unit=unit,
            tolerance=tolerance,
            usual=False,
        )
        for signal, title, promql, unit, tolerance in (
            (
                "cpu_usage",
                "CPU usage",
                'sum by (name) (rate(container_cpu_usage_seconds_total{name!="",pod="",$M}[2m]))',
                "cores",
                CORES,
            ),
            (
                "memory_usage",
                "memory working set",
                'sum by (name) (container_memory_working_set_bytes{name!="",pod="",$M})',
                "bytes",
                BYTES,
            ),
        )
    ),
)
