"""Our own form of an alert, for people with curl."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import marshmallow as ma

from opssage.fingerprint import fingerprint
from opssage.incident import Alert, AlertGroup, AlertStatus
from opssage.wire import canonical
from webapi.fields import EARLIEST, Annotations, Label, Labels, Prose, Time

_LATEST = datetime(3000, 1, 1, tzinfo=UTC)


def _check_timestamp(moment: datetime) -> None:
    if not EARLIEST <= moment < _LATEST:
        raise ma.ValidationError("Not between 2000 and 2999.")


class PlainAlertSchema(ma.Schema):
    """An alert in our own form."""

    class Meta:
        """Refuse what we do not know: the form is ours."""

        unknown = ma.RAISE

    alert_name = Label(required=True, validate=ma.validate.Length(min=1, max=512))
    severity = Label(load_default="warning", validate=ma.validate.Length(min=1, max=64))
    status = ma.fields.Enum(
        AlertStatus,
        by_value=True,
        load_default=AlertStatus.FIRING,
        metadata={"description": "`resolved` ends the alert with these labels"},
    )
    message = Prose(load_default="")
    labels = Labels(load_default=dict)
    annotations = Annotations(load_default=dict)
    firing_condition = Prose(load_default="", metadata={"description": "A PromQL expression"})
    timestamp = Time(
        load_default=None,
        allow_none=True,
        validate=_check_timestamp,
        metadata={
            "description": "When it started; a time to come counts as now",
            "pattern": "^2[0-9]{3}-",
        },
    )


def own_group_key(labels: Mapping[str, str], group_by: Sequence[str]) -> str:
    """Return the group of an alert that comes without one: some of its labels, or all."""
    chosen = {name: labels[name] for name in group_by if name in labels} if group_by else labels
    return canonical(chosen).decode()


def plain_group(
    read: Mapping[str, Any], group_by: Sequence[str], now: datetime, *, sender: str = "default"
) -> AlertGroup:
    """Return the group of one plain alert that `PlainAlertSchema` has read."""
    labels = {**read["labels"], "alertname": read["alert_name"], "severity": read["severity"]}
    annotations = dict(read["annotations"])
    if read["message"]:
        annotations["summary"] = read["message"]
    alert = Alert(
        status=read["status"],
        labels=labels,
        annotations=annotations,
        starts_at=min(read["timestamp"] or now, now),
        has_start=read["timestamp"] is not None,
        ends_at=now if read["status"] is AlertStatus.RESOLVED else None,
        fingerprint=fingerprint(labels),
        firing_condition=read["firing_condition"],
    )
    return AlertGroup(alerts=(alert,), sender=sender, group_key=own_group_key(labels, group_by))
