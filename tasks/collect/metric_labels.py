"""Which labels a metric carries, as far as its name tells: for rules that have never fired."""

from collections.abc import Iterable, Mapping

SCRAPED = ("job", "instance")
"""On every series that Prometheus scrapes."""

_POD = ("namespace", "pod")
_CONTAINER = (*_POD, "container")
_CLAIM = ("namespace", "persistentvolumeclaim")
_EDGE = (
    "source_workload",
    "source_workload_namespace",
    "destination_workload",
    "destination_workload_namespace",
    "destination_service_name",
)

LABELS: Mapping[str, tuple[str, ...]] = {
    "kube_pod_": _POD,
    "kube_pod_container_": _CONTAINER,
    "kube_pod_init_container_": _CONTAINER,
    "kube_deployment_": ("namespace", "deployment"),
    "kube_replicaset_": ("namespace", "replicaset"),
    "kube_statefulset_": ("namespace", "statefulset"),
    "kube_daemonset_": ("namespace", "daemonset"),
    "kube_job_": ("namespace", "job_name"),
    "kube_cronjob_": ("namespace", "cronjob"),
    "kube_horizontalpodautoscaler_": ("namespace", "horizontalpodautoscaler"),
    "kube_hpa_": ("namespace", "hpa"),
    "kube_poddisruptionbudget_": ("namespace", "poddisruptionbudget"),
    "kube_persistentvolumeclaim_": _CLAIM,
    "kube_persistentvolume_": ("persistentvolume",),
    "kube_resourcequota": ("namespace", "resourcequota", "resource"),
    "kube_endpoint_": ("namespace", "endpoint"),
    "kube_service_": ("namespace", "service"),
    "kube_ingress_": ("namespace", "ingress"),
    "kube_namespace_": ("namespace",),
    "kube_node_": ("node",),
    "container_": (*_CONTAINER, "node"),
    "kubelet_": ("node",),
    "kubelet_volume_stats_": (*_CLAIM, "node"),
    "istio_": _EDGE,
    "nginx_ingress_controller_": ("namespace", "ingress", "service"),
    "traefik_service_": ("service",),
}
"""Beginning of a metric's name → the labels of its objects; the longest beginning counts.

As documented by kube-state-metrics, cAdvisor, the kubelet, Istio, ingress-nginx and Traefik.
"""


def labels_of(metrics: Iterable[str]) -> tuple[str, ...]:
    """Return the labels that these metrics carry, each once."""
    found = (label for metric in metrics for label in (*SCRAPED, *_own(metric)))
    return tuple(dict.fromkeys(found))


def _own(metric: str) -> tuple[str, ...]:
    fitting = [prefix for prefix in LABELS if metric.startswith(prefix)]
    return LABELS[max(fitting, key=len)] if fitting else ()
