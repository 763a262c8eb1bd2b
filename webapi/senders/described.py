"""What OpenAPI says of each door's body: as much as is refused, with an example that is taken.

Of webhooks only the list of alerts can be wrong; what is wrong in an alert makes it a reject.
"""

from typing import Any

import marshmallow as ma

from webapi.senders.alertmanager import WebhookAlertSchema
from webapi.senders.plain import PlainAlertSchema
from webapi.senders.prometheus import PostedAlertSchema

_LABELS = {"alertname": "HighErrorRate", "severity": "critical", "namespace": "shop"}
_ALERT = {
    "labels": _LABELS,
    "annotations": {"summary": "31% of the requests fail"},
    "startsAt": "2026-11-23T03:00:00Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus:9090/graph?g0.expr=errors+%3E+0.3",
}
_WEBHOOK_ALERT = {"status": "firing", **_ALERT, "fingerprint": "cac1ec3d78dd1852"}
_WEBHOOK = {
    "version": "4",
    "groupKey": '{}:{namespace="shop"}',
    "truncatedAlerts": 0,
    "receiver": "opssage",
    "status": "firing",
    "groupLabels": {"namespace": "shop"},
    "commonLabels": _LABELS,
    "commonAnnotations": _ALERT["annotations"],
    "externalURL": "http://alertmanager:9093",
    "alerts": [_WEBHOOK_ALERT],
}
_GRAFANA = {
    **_WEBHOOK,
    "version": "1",
    "orgId": 1,
    "state": "alerting",
    "title": "[FIRING:1] HighErrorRate",
    "externalURL": "http://grafana:3000/",
    "alerts": [
        {
            **_WEBHOOK_ALERT,
            "generatorURL": "http://grafana:3000/alerting/grafana/a1b2c3/view",
            "silenceURL": "http://grafana:3000/alerting/silence/new",
            "values": {"B": 0.31},
        }
    ],
}
_PLAIN = {
    "alert_name": "HighErrorRate",
    "severity": "critical",
    "message": "31% of the requests fail",
    "labels": {"namespace": "shop", "service": "cart"},
}


def webhook() -> dict[str, Any]:
    """Return the request body of Alertmanager's door."""
    return _body(_envelope(), _WEBHOOK)


def grafana() -> dict[str, Any]:
    """Return the request body of Grafana's door."""
    return _body(_envelope(), _GRAFANA)


def posted() -> dict[str, Any]:
    """Return the request body of the door that looks like an Alertmanager."""
    return _body(_list_of(PostedAlertSchema), [_ALERT])


def plain() -> dict[str, Any]:
    """Return the request body of our own form."""
    return _body(PlainAlertSchema, _PLAIN)


def corrected() -> dict[str, Any]:
    """Return the request body with which a reject is taken after all."""
    return {
        **_body({"type": "object"}, _WEBHOOK_ALERT),
        "description": (
            "The corrected alert as its sender spells it; a whole webhook, too, when the body was "
            "unreadable. Without it what was sent is tried again. What still cannot be taken is "
            "answered 409."
        ),
        "required": False,
    }


def _envelope() -> dict[str, Any]:
    count = "How many alerts the sender left out; a whole number, else it counts as 0"
    return {
        "type": "object",
        "required": ["alerts"],
        "properties": {
            "alerts": _list_of(WebhookAlertSchema),
            "groupKey": {"description": "What makes these alerts one incident"},
            "receiver": {"description": "The receiver or contact point that sent it"},
            "truncatedAlerts": {"description": count},
        },
    }


def _list_of(alert: type[ma.Schema]) -> dict[str, Any]:
    return {
        "type": "array",
        "description": "Alerts; whatever cannot be read as one is rejected by itself",
        "items": {"anyOf": [alert, {}]},
    }


def _body(schema: Any, example: Any) -> dict[str, Any]:
    # built anew for every application: apispec writes its references into what it is given
    content = {"application/json": {"schema": schema, "example": example}}
    return {"required": True, "content": content}
