"""From what senders post to alerts; what cannot be taken is named, and its mates pass."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import marshmallow as ma
import orjson

from opssage.fingerprint import fingerprint
from opssage.incident import Alert, AlertGroup, AlertStatus, Reject, condition_in
from opssage.wire import canonical, parse_time

MAX_LABELS = 64
MAX_LABEL_CHARS = 4096
MAX_TEXT_CHARS = 16_384
MAX_REJECTS = 100
"""Rejects of one request that are named and kept; a small body may hold many thousands."""
_COUNTS = range(2**31)  # what an integer column holds


class UnreadableError(ValueError):
    """The body cannot be read as what its route takes."""

    def __init__(self, detail: str, field: str | None = None) -> None:
        """Say what is wrong, and with which field when it is one."""
        self.field = field
        super().__init__(detail)


def parse_body(raw: bytes) -> Any:
    """Return the JSON of a body. Raises UnreadableError.

    The fast parser refuses a whole body for one lone surrogate; the slow one lets it through, so
    that only the alert which holds it is refused.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if b"\\ud" not in raw.lower():
            raise UnreadableError(f"the body is not valid JSON: {error}") from error
    try:
        return json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"the body is not valid JSON: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)
"""How far a sender's clock may be ahead of ours."""


def _check_start(moment: datetime) -> None:
    if not EARLIEST <= moment <= datetime.now(UTC) + AHEAD:
        raise ma.ValidationError("Not between 2000 and a day from now.")


class Time(ma.fields.Field[datetime]):
    """An RFC 3339 time with any number of decimals; one without a zone is UTC."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:
        try:
            return parse_time(value)
        except (TypeError, ValueError, OverflowError):
            raise ma.ValidationError("Not a time like 2026-11-23T03:00:00Z.") from None


def _check_label(value: Any) -> None:
    if not isinstance(value, str):
        raise ma.ValidationError("Not a string.")
    if "\0" in value:
        raise ma.ValidationError("Holds a NUL character; remove it.")
    if not _is_unicode(value):
        raise ma.ValidationError("Holds a lone surrogate; send valid Unicode.")
    if len(value) > MAX_LABEL_CHARS:
        raise ma.ValidationError(f"Longer than {MAX_LABEL_CHARS} characters.")


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


class Label(ma.fields.String):
    """A text that becomes a label: it must be storable as it is."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        _check_label(value)
        return str(value)


class Labels(ma.fields.Field[dict[str, str]]):
    """Names to strings that can be stored as they are: they are the alert's identity."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, str]:
        if not isinstance(value, dict):
            raise ma.ValidationError("Not an object of names and strings.")
        if len(value) > MAX_LABELS:
            raise ma.ValidationError(f"More than {MAX_LABELS} labels.")
        faults: dict[str, list[str]] = {}
        for name, text in value.items():
            try:
                _check_label(name)
                _check_label(text)
            except ma.ValidationError as error:
                faults[_clean(name)] = list(error.messages)
        if faults:
            raise ma.ValidationError(faults)
        return value


class Annotations(ma.fields.Field[dict[str, str]]):
    """Names to prose; what cannot be stored in it is replaced, as prose identifies nothing."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, str]:
        if not isinstance(value, dict):
            raise ma.ValidationError("Not an object of names and strings.")
        return {_clean(str(name)): _clean(str(text)) for name, text in value.items()}


class Prose(ma.fields.String):
    """A text that identifies nothing; what cannot be stored in it is replaced."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if not isinstance(value, str):
            raise ma.ValidationError("Not a string.")
        return _clean(value)


def _clean(text: str) -> str:
    text = text[:MAX_TEXT_CHARS].replace("\0", "\ufffd")
    return text if _is_unicode(text) else text.encode("utf-8", "replace").decode()


class PlainAlertSchema(ma.Schema):
    """An alert in our own form, for people with curl."""

    class Meta:
        """Refuse what we do not know: the form is ours."""

        unknown = ma.RAISE

    alert_name = Label(required=True, validate=ma.validate.Length(min=1, max=512))
    severity = Label(load_default="warning", validate=ma.validate.Length(min=1, max=64))
    message = Prose(load_default="")
    labels = Labels(load_default=dict)
    annotations = Annotations(load_default=dict)
    firing_condition = Prose(load_default="")
    timestamp = Time(load_default=None, allow_none=True, validate=_check_start)


class WebhookAlertSchema(ma.Schema):
    """One alert of an Alertmanager webhook."""

    class Meta:
        """Newer senders add fields."""

        unknown = ma.EXCLUDE

    status = ma.fields.Enum(AlertStatus, by_value=True, load_default=AlertStatus.FIRING)
    labels = Labels(required=True)
    annotations = Annotations(load_default=dict, allow_none=True)
    starts_at = Time(data_key="startsAt", required=True, validate=_check_start)
    ends_at = Time(data_key="endsAt", load_default=None, allow_none=True)
    generator_url = Prose(data_key="generatorURL", load_default="")
    fingerprint = ma.fields.String(
        load_default=None,
        allow_none=True,
        validate=ma.validate.Regexp(r"[0-9a-f]{16}\Z", error="Not 16 hex digits."),
    )


class WebhookSchema(ma.Schema):
    """The envelope of an Alertmanager webhook, as the documentation shows it.

    It is read more leniently than this: of the envelope only `alerts` can be wrong.
    """

    version = ma.fields.String()
    receiver = ma.fields.String()
    groupKey = ma.fields.String()  # noqa: N815 - as Alertmanager spells it
    truncatedAlerts = ma.fields.Integer()  # noqa: N815 - as Alertmanager spells it
    alerts = ma.fields.List(ma.fields.Nested(WebhookAlertSchema), required=True)


_WEBHOOK_ALERT = WebhookAlertSchema()


def plain_group(body: Mapping[str, Any], group_by: tuple[str, ...]) -> AlertGroup:
    """Return the group of one plain alert that `PlainAlertSchema` has read."""
    labels = {
        **body["labels"],
        "alertname": body["alert_name"],
        "severity": body["severity"],
    }
    annotations = dict(body["annotations"])
    if body["message"]:
        annotations["summary"] = body["message"]
    chosen = {name: labels[name] for name in group_by if name in labels} if group_by else labels
    alert = Alert(
        labels=labels,
        annotations=annotations,
        starts_at=body["timestamp"] or datetime.now(UTC),
        fingerprint=fingerprint(labels),
        firing_condition=body["firing_condition"],
    )
    return AlertGroup(alerts=(alert,), group_key=canonical(chosen).decode())


def webhook_group(body: Any) -> AlertGroup:
    """Return the group of an Alertmanager webhook, version 4; any extra field is let through.

    Raises UnreadableError when the envelope is not one. A bad alert becomes a reject; those beyond
    `MAX_REJECTS` are counted.
    """
    if not isinstance(body, dict):
        raise UnreadableError("the body is not an object; send an Alertmanager webhook, version 4")
    listed = body.get("alerts")
    if not isinstance(listed, list):
        raise UnreadableError("alerts is missing, or not a list of alerts", "alerts")
    alerts: list[Alert] = []
    rejects: list[Reject] = []
    more_rejects = 0
    for index, item in enumerate(listed):
        try:
            alerts.append(webhook_alert(item))
        except ma.ValidationError as error:
            if len(rejects) == MAX_REJECTS:
                more_rejects += 1
                continue
            reason = "; ".join(_told(error.messages_dict, f"alerts[{index}]"))
            rejects.append(Reject(index=index, reason=reason, raw=_storable(item)))
    truncated = body.get("truncatedAlerts")
    return AlertGroup(
        alerts=tuple(alerts),
        rejects=tuple(rejects),
        more_rejects=more_rejects,
        receiver=_clean(str(body.get("receiver") or ""))[:512],
        group_key=_clean(str(body.get("groupKey") or "")),
        group_labels=_prose(body.get("groupLabels")),
        common_labels=_prose(body.get("commonLabels")),
        common_annotations=_prose(body.get("commonAnnotations")),
        external_url=_clean(str(body.get("externalURL") or "")),
        truncated_alerts=truncated if type(truncated) is int and truncated in _COUNTS else 0,
    )


def webhook_alert(item: Any) -> Alert:
    """Return one alert of an Alertmanager webhook. Raises marshmallow's ValidationError."""
    read = _WEBHOOK_ALERT.load(item)
    ends_at = read["ends_at"]
    if read["status"] is AlertStatus.FIRING or (ends_at and ends_at < EARLIEST):
        ends_at = None  # a firing alert ends in year 1, or when it would time out
    return Alert(
        status=read["status"],
        labels=read["labels"],
        annotations=read["annotations"] or {},
        starts_at=read["starts_at"],
        ends_at=ends_at,
        generator_url=read["generator_url"],
        firing_condition=_clean(condition_in(read["generator_url"])),
        fingerprint=read["fingerprint"] or fingerprint(read["labels"]),
    )


def _prose(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {_clean(str(name)): _clean(str(text)) for name, text in value.items()}


def _told(faults: Any, path: str) -> Iterator[str]:
    """Yield `path: fault` for every leaf of marshmallow's messages."""
    if isinstance(faults, dict):
        for name, inner in faults.items():
            yield from _told(inner, path if name == "_schema" else f"{path}.{name}")
    else:
        yield f"{path}: {' '.join(str(fault) for fault in faults)}"


def _storable(value: Any) -> str:
    """Return a rejected alert as text that any database takes."""
    return _clean(json.dumps(value, default=str))
