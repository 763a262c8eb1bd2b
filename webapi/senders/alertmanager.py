"""Alertmanager's webhook, version 4, and what others made of it: Grafana sends the same shape.

Source of the fields: prometheus/alertmanager, notify/webhook/webhook.go and template/template.go.
"""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from opssage.fingerprint import fingerprint
from opssage.incident import Alert, AlertGroup, AlertStatus, condition_in
from opssage.wire import canonical
from webapi.body import UnreadableError
from webapi.fields import (
    EARLIEST,
    Annotations,
    Labels,
    Prose,
    Time,
    check_any,
    check_start,
    clean,
    prose,
    without_secrets,
)
from webapi.senders.extras import extras
from webapi.senders.one_by_one import NO_LIMIT, one_by_one

_COUNTS = range(2**31)  # what an integer column holds
_RECEIVER_CHARS = 512


class WebhookAlertSchema(ma.Schema):
    """One alert of a webhook."""

    class Meta:
        """What else an alert says is kept as it is."""

        unknown = ma.EXCLUDE

    status = ma.fields.Enum(AlertStatus, by_value=True, load_default=AlertStatus.FIRING)
    labels = Labels(required=True, validate=check_any)
    annotations = Annotations(load_default=dict, allow_none=True)
    starts_at = Time(data_key="startsAt", required=True, validate=check_start)
    ends_at = Time(data_key="endsAt", load_default=None, allow_none=True)
    generator_url = Prose(data_key="generatorURL", load_default="", allow_none=True)
    fingerprint = ma.fields.String(
        load_default=None,
        allow_none=True,
        # for Python $ alone may stand before a line end
        validate=ma.validate.Regexp(r"^([0-9a-f]{16})?(?!\n)$", error="Not 16 hex digits."),
    )


_ALERT = WebhookAlertSchema()
_OF_ALERT = frozenset(field.data_key or name for name, field in _ALERT.fields.items())
_OF_ENVELOPE = frozenset(
    {
        "alerts",
        "commonAnnotations",
        "commonLabels",
        "externalURL",
        "groupKey",
        "groupLabels",
        "receiver",
        "status",  # of the group; each alert has its own
        "truncatedAlerts",
        "version",
    }
)


def webhook_group(
    body: Any,
    *,
    expected: str = "an Alertmanager webhook, version 4",
    sender: str = "default",
    max_alerts: int = NO_LIMIT,
) -> AlertGroup:
    """Return the group of a webhook; of its envelope only `alerts` can be wrong.

    Raises UnreadableError when there is no such list. A bad alert becomes a reject. Fields that we
    have no place for are kept as `extra`.
    """
    if not isinstance(body, dict):
        raise UnreadableError(f"the body is not an object; send {expected}")
    listed = body.get("alerts")
    if not isinstance(listed, list):
        raise UnreadableError(
            f"alerts is missing, or not a list of alerts; send {expected}, without a template or "
            "payload of your own",
            "alerts",
        )
    reading = one_by_one(listed, webhook_alert, max_alerts)
    return AlertGroup(
        alerts=reading.alerts,
        rejects=reading.rejects,
        more_rejects=reading.more_rejects,
        sender=sender,
        **_envelope(body),
    )


def _envelope(body: Mapping[str, Any]) -> dict[str, Any]:
    group_labels = prose(body.get("groupLabels"))
    truncated = body.get("truncatedAlerts")
    return {
        "receiver": clean(str(body.get("receiver") or ""))[:_RECEIVER_CHARS],
        "group_key": clean(str(body.get("groupKey") or "")) or canonical(group_labels).decode(),
        "group_labels": group_labels,
        "common_labels": prose(body.get("commonLabels")),
        "common_annotations": without_secrets(prose(body.get("commonAnnotations"))),
        "external_url": clean(str(body.get("externalURL") or "")),
        "truncated_alerts": truncated if type(truncated) is int and truncated in _COUNTS else 0,
        "extra": extras(body, _OF_ENVELOPE),
    }


def webhook_alert(item: Any) -> Alert:
    """Return one alert of a webhook. Raises marshmallow's ValidationError."""
    read = _ALERT.load(item)
    ends_at = read["ends_at"]
    if read["status"] is AlertStatus.FIRING or (ends_at and ends_at < EARLIEST):
        ends_at = None  # a firing alert ends in year 1, or when it would time out
    generator_url = read["generator_url"] or ""
    return Alert(
        status=read["status"],
        labels=read["labels"],
        annotations=read["annotations"] or {},
        starts_at=read["starts_at"],
        ends_at=ends_at,
        generator_url=generator_url,
        firing_condition=clean(condition_in(generator_url)),
        fingerprint=read["fingerprint"] or fingerprint(read["labels"]),
        extra=extras(item, _OF_ALERT),
    )
