"""Monitoring itself, asked only for alerts that are about it."""

from tasks.collect.plan.tolerances import AMOUNT, COUNT, FIXED, RATIO, SWITCH
from tasks.collect.questions import Row
from tasks.collect.series import Tolerance

_LABELS = {name: name for name in ("namespace", "pod", "job", "instance")}
_BY = "namespace, pod, job, instance"

_PROMETHEUS = ("prometheus", "tsdb")
_ALERTMANAGER = ("alertmanager",)
_OPERATOR = ("prometheus_operator", "prometheusoperator", "prometheus-operator")
_OBJECTS = ("kube_state_metrics", "kubestatemetrics", "kube-state-metrics")


def _row(
    topic: tuple[str, ...],
    signal: str,
    title: str,
    promql: str,
    *,
    tolerance: Tolerance = COUNT,
    unit: str = "count",
    reason: str = "",
) -> Row:
    return Row(
        signal=signal,
        title=title,
        promql=promql,
        labels=_LABELS,
        names=(),
        unit=unit,
        tolerance=tolerance,
        reason=reason,
        topic=topic,
        plain=2,
    )


def _failures(topic: tuple[str, ...], signal: str, title: str, counter: str, by: str = "") -> Row:
    labels = f"{_BY}, {by}" if by else _BY
    return _row(
        topic,
        signal,
        f"{title} within 5 minutes",
        f"sum by ({labels}) (increase({counter}{{$M}}[5m]))",
        reason=f"{{{by}}}" if by else "",
    )


def _level(
    topic: tuple[str, ...],
    signal: str,
    title: str,
    gauge: str,
    how: str = "max",
    tolerance: Tolerance = AMOUNT,
) -> Row:
    return _row(topic, signal, title, f"{how} by ({_BY}) ({gauge}{{$M}})", tolerance=tolerance)


MONITORING: tuple[Row, ...] = (
    _level(
        _PROMETHEUS,
        "prometheus_config",
        "last reload succeeded",
        "prometheus_config_last_reload_successful",
        "min",
        SWITCH,
    ),
    _level(_PROMETHEUS, "prometheus_series", "series in memory", "prometheus_tsdb_head_series"),
    _failures(
        _PROMETHEUS,
        "prometheus_rule_failures",
        "failed evaluations of rules",
        "prometheus_rule_evaluation_failures_total",
    ),
    _failures(
        _PROMETHEUS,
        "prometheus_notifications_dropped",
        "dropped notifications",
        "prometheus_notifications_dropped_total",
    ),
    _level(
        _PROMETHEUS,
        "prometheus_alertmanagers",
        "Alertmanagers known",
        "prometheus_notifications_alertmanagers_discovered",
        "min",
        FIXED,
    ),
    _failures(
        _PROMETHEUS,
        "prometheus_compaction_failures",
        "failed compactions",
        "prometheus_tsdb_compactions_failed_total",
    ),
    _failures(
        _PROMETHEUS,
        "prometheus_remote_failures",
        "samples that could not be sent on",
        "prometheus_remote_storage_samples_failed_total",
    ),
    _failures(
        _PROMETHEUS,
        "prometheus_scrapes_exceeding",
        "scrapes over the limit of samples",
        "prometheus_target_scrapes_exceeded_sample_limit_total",
    ),
    _level(
        _ALERTMANAGER,
        "alertmanager_config",
        "last reload succeeded",
        "alertmanager_config_last_reload_successful",
        "min",
        SWITCH,
    ),
    _failures(
        _ALERTMANAGER,
        "alertmanager_failures",
        "failed notifications",
        "alertmanager_notifications_failed_total",
        by="integration",
    ),
    _level(
        _ALERTMANAGER,
        "alertmanager_members",
        "members of the cluster",
        "alertmanager_cluster_members",
        "min",
        FIXED,
    ),
    _failures(
        _OPERATOR,
        "operator_failures",
        "failed reconciliations",
        "prometheus_operator_reconcile_errors_total",
        by="controller",
    ),
    _failures(
        _OPERATOR,
        "operator_list_failures",
        "failed list operations",
        "prometheus_operator_list_operations_failed_total",
        by="controller",
    ),
    _level(
        _OPERATOR,
        "operator_ready",
        "operator is ready",
        "prometheus_operator_ready",
        "min",
        SWITCH,
    ),
    _row(
        _OBJECTS,
        "objects_list_errors",
        "failed lists of objects within 5 minutes",
        'sum by (resource) (increase(kube_state_metrics_list_total{result="error",$M}[5m]))',
        reason="{resource}",
    ),
    _row(
        _OBJECTS,
        "objects_watch_errors",
        "failed watches of objects within 5 minutes",
        'sum by (resource) (increase(kube_state_metrics_watch_total{result="error",$M}[5m]))',
        reason="{resource}",
    ),
    _row(
        ("node_scrape", "node_textfile", "nodetextfile"),
        "node_collectors",
        "share of collectors of node-exporter that work",
        "avg by (collector) (node_scrape_collector_success{$M})",
        tolerance=RATIO,
        unit="ratio",
        reason="{collector}",
    ),
)
