"""What Prometheus posts to an Alertmanager, API version 2.

Its meaning is Alertmanager's: prometheus/alertmanager, api/v2/api.go, postAlertsHandler.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import marshmallow as ma

from opssage.fingerprint import fingerprint
from opssage.incident import Alert, AlertGroup, AlertStatus, condition_in
from opssage.settings import IngestSettings
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
)
from webapi.senders.extras import extras
from webapi.senders.one_by_one import one_by_one
from webapi.senders.plain import own_group_key


def _check_given(moment: datetime) -> None:
    if moment.year > 1:  # Go's zero time stands for none
        check_start(moment)


class PostedAlertSchema(ma.Schema):
    """One alert as Prometheus posts it."""

    class Meta:
        """What else an alert says is kept as it is."""

        unknown = ma.EXCLUDE

    labels = Labels(required=True, validate=check_any)
    annotations = Annotations(load_default=dict, allow_none=True)
    starts_at = Time(data_key="startsAt", load_default=None, allow_none=True, validate=_check_given)
    ends_at = Time(data_key="endsAt", load_default=None, allow_none=True)
    generator_url = Prose(data_key="generatorURL", load_default="", allow_none=True)


_ALERT = PostedAlertSchema()
_OF_ALERT = frozenset(field.data_key or name for name, field in _ALERT.fields.items())


def posted_groups(
    body: Any, settings: IngestSettings, now: datetime, *, sender: str = "default"
) -> tuple[AlertGroup, ...]:
    """Return the groups of a list of alerts: those that `ingest.group_by` puts together.

    Raises UnreadableError when it is no list. A bad alert becomes a reject, in a group of none.
    """
    if not isinstance(body, list):
        raise UnreadableError("the body is not a list; send alerts as Alertmanager's API v2 does")
    read = partial(posted_alert, settings=settings, now=now)
    reading = one_by_one(body, read, settings.max_alerts, place="")
    groups: dict[str, list[Alert]] = defaultdict(list)
    for alert in reading.alerts:
        groups[own_group_key(alert.labels, settings.group_by)].append(alert)
    told = [
        AlertGroup(alerts=tuple(alerts), sender=sender, group_key=key)
        for key, alerts in groups.items()
    ]
    if reading.rejects:
        told.append(
            AlertGroup(
                alerts=(),
                sender=sender,
                rejects=reading.rejects,
                more_rejects=reading.more_rejects,
            )
        )
    return tuple(told)


def posted_alert(item: Any, *, settings: IngestSettings, now: datetime) -> Alert:
    """Return one alert. Raises marshmallow's ValidationError.

    One without an end is over `ingest.resolve_seconds` from `now` unless it is sent again, and one
    with a far end `ingest.stale_seconds` from `now`. One without a start begins now, or at its end
    when that has passed; Alertmanager takes an end to come, too, but nothing that fires has begun
    in the future.
    """
    read = _ALERT.load(item)
    ends_at, told_start = (_given(read[name]) for name in ("ends_at", "starts_at"))
    starts_at = told_start or min(ends_at or now, now)
    if ends_at and ends_at < starts_at:
        raise ma.ValidationError({"endsAt": ["Before startsAt."]})
    is_over = ends_at is not None and ends_at <= now
    silent = settings.stale_seconds if ends_at else settings.resolve_seconds
    latest = now + timedelta(seconds=silent)
    generator_url = read["generator_url"] or ""
    return Alert(
        status=AlertStatus.RESOLVED if is_over else AlertStatus.FIRING,
        labels=read["labels"],
        annotations=read["annotations"] or {},
        starts_at=starts_at,
        has_start=told_start is not None,
        ends_at=ends_at if is_over else None,
        expires_at=None if is_over else min(ends_at or latest, latest),
        generator_url=generator_url,
        firing_condition=clean(condition_in(generator_url)),
        fingerprint=fingerprint(read["labels"]),
        extra=extras(item, _OF_ALERT),
    )


def _given(moment: datetime | None) -> datetime | None:
    """Return None for a time that stands for none, as year 1 does."""
    return moment if moment and moment >= EARLIEST else None
