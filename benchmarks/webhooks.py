"""Alertmanager webhooks (version 4), all with different alerts, as bytes ready to be sent."""

import json
from collections.abc import Iterator
from typing import Any

_NUMBER = "00@NUMBER@00"  # as long as what replaces it
_NAMESPACES = ("shop", "payments", "search", "logistics")
_SERVICES = ("checkout", "orders", "cart", "basket", "invoices", "delivery")


def bodies(first: int, count: int, *, alerts: int) -> Iterator[bytes]:
    """Yield webhooks of so many alerts each; no number from `first` on is used twice."""
    template = json.dumps(_group(alerts)).encode()
    marker = _NUMBER.encode()
    for number in range(first, first + count):
        yield template.replace(marker, b"%012x" % number)


def _group(size: int) -> dict[str, Any]:
    alerts = [_alert(index) for index in range(size)]
    common = {"alertname": "HighErrorRate", "cluster": "lab", "severity": "critical"}
    return {
        "version": "4",
        "receiver": "opssage",
        "status": "firing",
        "groupKey": f'{{}}/{{}}:{{alertname="HighErrorRate", release="{_NUMBER}"}}',
        "groupLabels": {"alertname": "HighErrorRate", "release": _NUMBER},
        "commonLabels": common,
        "commonAnnotations": {"runbook_url": "https://runbooks.example.com/HighErrorRate"},
        "externalURL": "http://alertmanager.example.com:9093",
        "truncatedAlerts": 0,
        "alerts": alerts,
    }


def _alert(index: int) -> dict[str, Any]:
    service = _SERVICES[index % len(_SERVICES)]
    namespace = _NAMESPACES[index % len(_NAMESPACES)]
    pod = f"{service}-{_NUMBER}-{index:04d}"
    return {
        "status": "firing",
        "labels": {
            "alertname": "HighErrorRate",
            "cluster": "lab",
            "instance": f"10.0.{index // 256}.{index % 256}:8080",
            "job": "kubernetes-pods",
            "namespace": namespace,
            "pod": pod,
            "service": service,
            "severity": "critical",
        },
        "annotations": {
            "summary": f"High 5xx ratio on {service}",
            "description": f"{namespace}/{pod} has had an error ratio of 12% for five minutes.",
            "runbook_url": "https://runbooks.example.com/HighErrorRate",
        },
        "startsAt": "2026-11-23T03:02:09.095Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.com:9090/graph?g0.expr=error_ratio+%3E+0.05",
        "fingerprint": f"{index:04x}{_NUMBER}",
    }
