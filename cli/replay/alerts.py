"""Alerts of a recording: as Prometheus keeps them and as Alertmanager delivers them."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import numpy as np

from cli.replay.shapes import Numbers
from cli.replay.things import Thing
from opssage.fingerprint import fingerprint

_NEVER = "0001-01-01T00:00:00Z"  # Alertmanager's `endsAt` of an alert that fires
_GETTABLE = ("annotations", "fingerprint", "startsAt", "generatorURL", "labels")
_RESOLVED_AFTER = 240  # seconds: four times Prometheus' --rules.alert.resend-delay
_PROMETHEUS_URL = "http://prometheus.monitoring:9090"
_LABEL_IN_TEXT = re.compile(r"\{\{\s*\$labels\.(\w+)\s*\}\}")


def _expression(rule: Mapping[str, Any]) -> str:
    return " ".join(str(rule["expr"]).split())


def _rule_labels(document: Mapping[str, Any], alert: Mapping[str, Any]) -> dict[str, str]:
    """Return an alert's labels inside Prometheus, without the external ones."""
    own = alert["labels"]
    return {
        **own,
        **_filled(document["rules"][alert["rule"]]["labels"], own),
        "alertname": alert["rule"],
    }


def _filled(templates: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """Return a rule's labels or annotations with the labels of an alert put in."""
    return {
        name: _LABEL_IN_TEXT.sub(lambda found: labels.get(found[1], ""), text)
        for name, text in templates.items()
    }


def _time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def alert_things(document: Mapping[str, Any], times: Numbers, now: int) -> Iterator[Thing]:
    """Return the alerts for the series ALERTS and ALERTS_FOR_STATE."""
    for alert in document["alerts"]:
        labels = _rule_labels(document, alert)
        firing = float(alert["starts_at"])
        active = firing - document["rules"][alert["rule"]]["for"]
        yield Thing(
            kind="alert",
            fields=labels,
            numbers={"active_at": np.full(len(times), now + active)},
            since=active,
        )
        for state, since, until in (("pending", active, firing), ("firing", firing, None)):
            if since != until:
                fields = {**labels, "alertstate": state}
                yield Thing(kind="alert_state", fields=fields, since=since, until=until)


def rule_groups(document: Mapping[str, Any], now: int) -> list[dict[str, Any]]:
    """Return the alerting rules and their active alerts as /api/v1/rules answers them."""
    rules = [
        {
            "state": "firing",
            "name": name,
            "query": _expression(rule),
            "duration": rule["for"],
            "labels": rule["labels"],
            "annotations": rule["annotations"],
            "alerts": [
                {
                    "labels": (labels := _rule_labels(document, alert)),
                    "annotations": _filled(rule["annotations"], labels),
                    "state": "firing",
                    "activeAt": _time(now + alert["starts_at"] - rule["for"]),
                    "value": "1e+00",
                }
                for alert in document["alerts"]
                if alert["rule"] == name
            ],
            "health": "ok",
            "evaluationTime": 0.001,
            "lastEvaluation": _time(now),
            "type": "alerting",
        }
        for name, rule in document["rules"].items()
    ]
    group = {"name": "services", "file": "/etc/prometheus/rules/services.yaml", "rules": rules}
    times = {"interval": 30, "limit": 0, "evaluationTime": 0.004, "lastEvaluation": _time(now)}
    return [{**group, **times}]


def notification(document: Mapping[str, Any], now: int, external_url: str) -> dict[str, Any]:
    """Return the webhook body (version 4) by which Alertmanager would tell of the alerts."""
    alerts = sorted(
        (_delivered(document, alert, now) for alert in document["alerts"]),
        key=lambda alert: sorted(alert["labels"].items()),
    )
    common_labels = _common([alert["labels"] for alert in alerts])
    grouping = document["notification"]["group_by"]
    group = {name: common_labels[name] for name in sorted(grouping)}
    written = ", ".join(f'{name}="{value}"' for name, value in group.items())
    return {
        "receiver": document["notification"]["receiver"],
        "status": "firing",
        "alerts": alerts,
        "groupLabels": group,
        "commonLabels": common_labels,
        "commonAnnotations": _common([alert["annotations"] for alert in alerts]),
        "externalURL": external_url,
        "version": "4",
        "groupKey": f"{{}}:{{{written}}}",
        "truncatedAlerts": 0,
    }


def _delivered(document: Mapping[str, Any], alert: Mapping[str, Any], now: int) -> dict[str, Any]:
    rule = document["rules"][alert["rule"]]
    labels = {**_rule_labels(document, alert), **document["external_labels"]}
    query = quote_plus(_expression(rule))
    return {
        "status": "firing",
        "labels": dict(sorted(labels.items())),
        "annotations": dict(sorted(_filled(rule["annotations"], labels).items())),
        "startsAt": _time(now + alert["starts_at"]),
        "endsAt": _NEVER,
        "generatorURL": f"{_PROMETHEUS_URL}/graph?g0.expr={query}&g0.tab=1",
        "fingerprint": fingerprint(labels),
    }


def gettable(document: Mapping[str, Any], now: int) -> list[dict[str, Any]]:
    """Return the alerts as Alertmanager's /api/v2/alerts lists them, the dead man's switch too."""
    receiver = document["notification"]["receiver"]
    delivered = [_delivered(document, alert, now) for alert in document["alerts"]]
    watchdog = {"alertname": "Watchdog", "severity": "none", **document["external_labels"]}
    since = document["from"]
    told = [*delivered, _always(watchdog, now + since)]
    return [
        {
            **{key: alert[key] for key in _GETTABLE},
            "endsAt": _time(now + _RESOLVED_AFTER),
            "updatedAt": _time(now),
            "receivers": [{"name": receiver}],
            "status": {"state": "active", "inhibitedBy": [], "silencedBy": [], "mutedBy": []},
        }
        for alert in sorted(told, key=lambda each: sorted(each["labels"].items()))
    ]


def _always(labels: Mapping[str, str], since: float) -> dict[str, Any]:
    return {
        "labels": dict(sorted(labels.items())),
        "annotations": {"summary": "This alert fires always: it shows that alerting works."},
        "startsAt": _time(since),
        "generatorURL": f"{_PROMETHEUS_URL}/graph?g0.expr=vector%281%29&g0.tab=1",
        "fingerprint": fingerprint(labels),
    }


def _common(mappings: list[dict[str, str]]) -> dict[str, str]:
    """Return the pairs that all mappings have."""
    first, *others = mappings
    return {
        name: value
        for name, value in first.items()
        if all(other.get(name) == value for other in others)
    }
