"""A recording: what one investigation began with and everything it was told, as a piece of bytes.

It holds no secrets and no addresses. Whoever reads one trusts nothing in it.
"""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import marshmallow as ma
import orjson
import structlog
from cattrs import BaseValidationError

from opssage import __version__
from opssage.changes import ReportedChange
from opssage.incident import Alert
from opssage.redaction import redact, redact_text
from opssage.settings import Settings
from opssage.settings.kinds import Kind
from opssage.settings.schema import build, rows, schema
from opssage.wire import format_time, from_json, parse_time, to_json
from tasks.collect.tape import Exchange, Params, Request

log = structlog.get_logger(__name__)

VERSION = 1
MAX_BYTES = 4 * 1024 * 1024
"""Of a recording as it is kept."""
MAX_PLAIN_BYTES = 64 * 1024 * 1024
"""Of the same before it is compressed."""

_LEVEL = 1
"""Level 6 takes three times as long and saves a sixth."""
_SECTIONS = ("collect", "diagnose", "sources")
"""Of the settings: what else there is changes nothing about a diagnosis."""
_ADDRESSES: Mapping[str, str | None] = {
    "url": "http://recorded",
    "config": "recorded",
    "ca_file": None,
    "cert_file": None,
    "key_file": None,
    "topology_file": None,
}
"""Settings that lead somewhere, and what a recording says in their place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """What `collect` was called with, and what it heard."""

    alert_name: str  #: of the incident
    alert_seq: int  #: of the incident
    now: datetime
    alerts: tuple[Alert, ...]
    changes: tuple[ReportedChange, ...] = ()
    settings: Settings  #: those of collect, diagnose and sources
    exchanges: tuple[Exchange, ...] = ()
    matters: Mapping[str, Any] = field(default_factory=dict)  #: `Tape.matters`
    made_by: str = __version__  #: the version that made it


def pack(recording: Recording) -> bytes | None:
    """Return a recording as gzip; None, with a line in the log, when it cannot be kept."""
    size = sum(exchange.size for exchange in recording.exchanges)
    if size <= MAX_PLAIN_BYTES:
        try:
            # keys stay in the order in which they were told: labels are read in it
            plain = orjson.dumps(_document(recording))
        except TypeError as error:
            log.warning("collect.recording_is_no_json", error=str(error))
            return None
        content = gzip.compress(plain, compresslevel=_LEVEL, mtime=0)
        if len(plain) <= MAX_PLAIN_BYTES and len(content) <= MAX_BYTES:
            return content
    log.warning("collect.recording_too_large", answers=len(recording.exchanges), size=size)
    return None


def _document(recording: Recording) -> dict[str, Any]:
    return {
        "version": VERSION,
        "made_by": recording.made_by,
        "now": format_time(recording.now),
        "alert_name": redact_text(recording.alert_name),
        "alert_seq": recording.alert_seq,
        "alerts": redact(to_json(recording.alerts)),
        "changes": redact(to_json(recording.changes)),
        "settings": {name: _told(getattr(recording.settings, name)) for name in _SECTIONS},
        "exchanges": [_exchange(each) for each in recording.exchanges],
        "matters": redact(recording.matters),
    }


def _told(section: Any) -> dict[str, Any]:
    """Return what a section says without secrets and addresses; what is null stays out."""
    told = {}
    for key, row in rows(type(section)).items():
        value = getattr(section, key)
        if not isinstance(row, Kind):
            told[key] = _told(value)
        elif value is not None and not row.secret:
            value = _ADDRESSES.get(key, value)
            told |= {} if value is None else {key: value}
    return told


def _exchange(exchange: Exchange) -> dict[str, Any]:
    request = exchange.request
    asked = {
        "source": request.source,
        "method": request.method,
        "path": redact_text(request.path),
        "params": clean(request.params),
    }
    if exchange.status is None:
        return {**asked, "fault": redact_text(exchange.fault), "unreachable": exchange.unreachable}
    return {**asked, "status": exchange.status, "body": exchange.body, "size": exchange.size}


def clean(params: Params) -> dict[str, str | list[str]]:
    """Return parameters as a recording has them."""
    return {
        name: redact_text(value)
        if isinstance(value, str)
        else [redact_text(each) for each in value]
        for name, value in params.items()
    }


class _Word(ma.fields.Field[Any]):
    """One of our words, as `to_json` writes it."""

    def __init__(self, kind: type) -> None:
        super().__init__(required=True)
        self._kind = kind

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, dict):
            raise ma.ValidationError("Not an object.")
        try:
            return from_json(value, self._kind)
        except (BaseValidationError, TypeError, ValueError, OverflowError) as error:
            raise ma.ValidationError(f"Does not hold {self._kind.__name__}.") from error


class _Time(ma.fields.Field[datetime]):
    """A time as `format_time` writes it."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:
        try:
            return parse_time(value)
        except (TypeError, ValueError, OverflowError):
            raise ma.ValidationError("Not a time.") from None


class _Param(ma.fields.Field[Any]):
    """A text, or several."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        texts = value if isinstance(value, list) else [value]
        if not all(isinstance(text, str) for text in texts):
            raise ma.ValidationError("Not a text.")
        return value


class _ExchangeSchema(ma.Schema):
    source = ma.fields.String(required=True)
    method = ma.fields.String(required=True, validate=ma.validate.OneOf(["GET", "POST"]))
    path = ma.fields.String(required=True)
    params = ma.fields.Dict(keys=ma.fields.String(), values=_Param(), required=True)
    status = ma.fields.Integer(strict=True, validate=ma.validate.Range(100, 599))
    body = ma.fields.Raw(allow_none=True)
    size = ma.fields.Integer(strict=True, validate=ma.validate.Range(min=0))
    fault = ma.fields.String()
    unreachable = ma.fields.Boolean()

    @ma.post_load
    def _made(self, told: dict[str, Any], **_: Any) -> Exchange:
        request = Request(**{each.name: told.pop(each.name) for each in fields(Request)})
        if "status" not in told and "fault" not in told:
            raise ma.ValidationError("Neither a status nor a fault.")
        return Exchange(request=request, **told)


class _Settings(ma.fields.Field[Settings]):
    """Sections of the settings; keys that are no more are not heard."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Settings:
        if not isinstance(value, Mapping):
            raise ma.ValidationError("Not an object.")
        told = {name: value.get(name) for name in _SECTIONS}
        return build(Settings, schema(Settings).load(_known(Settings, told)), folder=Path())


def _known(section: type, told: Any) -> Any:
    if not isinstance(told, Mapping):
        return told
    return {
        key: _led_nowhere(key, told[key]) if isinstance(row, Kind) else _known(row, told[key])
        for key, row in rows(section).items()
        if key in told
    }


def _led_nowhere(key: str, value: Any) -> Any:
    """Return a setting as a recording may say it: whoever wrote this one may have said more."""
    return _ADDRESSES[key] if key in _ADDRESSES and value is not None else value


class RecordingSchema(ma.Schema):
    """A recording as a JSON document; loads a `Recording`."""

    version = ma.fields.Integer(strict=True, required=True, validate=ma.validate.Equal(VERSION))
    made_by = ma.fields.String(required=True)
    now = _Time(required=True)
    alert_name = ma.fields.String(required=True)
    alert_seq = ma.fields.Integer(strict=True, required=True)
    alerts = ma.fields.List(_Word(Alert), required=True, validate=ma.validate.Length(min=1))
    changes = ma.fields.List(_Word(ReportedChange), required=True)
    settings = _Settings(required=True)
    exchanges = ma.fields.List(ma.fields.Nested(_ExchangeSchema), required=True)
    matters = ma.fields.Dict(keys=ma.fields.String(), required=True)

    @ma.post_load
    def _made(self, told: dict[str, Any], **_: Any) -> Recording:
        del told["version"]
        lists = {name: tuple(told[name]) for name in ("alerts", "changes", "exchanges")}
        return Recording(**{**told, **lists})
