"""Copies of a post that are other alerts: one file is enough for a storm."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from cli.sending.posts import Form, Post
from opssage.fingerprint import fingerprint
from opssage.wire import format_time, parse_time

LABEL = "storm"
"""The label that makes the alerts of each copy others than those of the file."""


def distinct(post: Post, mark: str, now: datetime) -> bytes:
    """Return a body with alerts and a group of its own, which begin, or end, now."""
    shape, make = _MAKERS[post.form]
    if not isinstance(post.document, shape):  # sent as what it is not
        return post.body
    return json.dumps(make(post.document, mark, now)).encode()


def _plain(document: Any, mark: str, now: datetime) -> Any:
    return {
        **document,
        "labels": _marked(document.get("labels"), mark),
        "timestamp": format_time(now),
    }


def _webhook(document: Any, mark: str, now: datetime) -> Any:
    return {
        **document,
        "groupKey": f'{document.get("groupKey", "")}:{{{LABEL}="{mark}"}}',
        "groupLabels": _marked(document.get("groupLabels"), mark),
        "commonLabels": _marked(document.get("commonLabels"), mark),
        "alerts": _listed(document.get("alerts"), mark, now),
    }


def _listed(alerts: Any, mark: str, now: datetime) -> Any:
    if not isinstance(alerts, list):
        return alerts
    return [_alert(each, mark, now) if isinstance(each, dict) else each for each in alerts]


def _alert(alert: Mapping[str, Any], mark: str, now: datetime) -> dict[str, Any]:
    labels = _marked(alert.get("labels"), mark)
    made = {**alert, "labels": labels, "startsAt": format_time(now)}
    if _is_over(alert, now):
        made["endsAt"] = format_time(now)
    else:
        made.pop("endsAt", None)
    if "fingerprint" in alert:
        made["fingerprint"] = _fingerprint(labels)
    return made


def _marked(labels: Any, mark: str) -> dict[str, Any]:
    return {**(labels if isinstance(labels, dict) else {}), LABEL: mark}


def _is_over(alert: Mapping[str, Any], now: datetime) -> bool:
    """Say whether it has ended; without a status, as from Prometheus, the time of its end tells."""
    if "status" in alert:
        return bool(alert["status"] == "resolved")
    try:
        return _EPOCH < parse_time(alert["endsAt"]) <= now
    except (KeyError, TypeError, ValueError, OverflowError):
        return False


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # an alert without an end has one in year 1


def _fingerprint(labels: Mapping[str, Any]) -> str:
    return fingerprint({_encodable(name): _encodable(value) for name, value in labels.items()})


def _encodable(value: Any) -> str:
    """Return a text that has bytes to hash: with a lone surrogate the server refuses the alert."""
    return str(value).encode("utf-8", "replace").decode()


_MAKERS: Mapping[Form, tuple[type, Callable[[Any, str, datetime], Any]]] = {
    Form.ALERTMANAGER: (dict, _webhook),
    Form.GRAFANA: (dict, _webhook),
    Form.V2: (list, _listed),
    Form.PLAIN: (dict, _plain),
}
