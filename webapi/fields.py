"""What a label, a prose text and a time may be, wherever a request has one."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import marshmallow as ma
import orjson

from opssage.redaction import redact, redact_text
from opssage.wire import parse_time

MAX_LABELS = 64
MAX_LABEL_CHARS = 4096
MAX_LABELS_BYTES = 32_768
"""Of all labels of an alert, as JSON."""
MAX_PROSE = 64
MAX_PROSE_BYTES = 65_536
"""Of all annotations of an alert, or all labels of a group, as JSON."""
LEFT_OUT = "opssage_left_out"
"""Stands among annotations, or a group's labels, that are not all there."""
MAX_TEXT_CHARS = 16_384
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)
"""How far a sender's clock may be ahead of ours."""

STORABLE: Mapping[str, Any] = {"pattern": r"^[^\x00]*$", "maxLength": MAX_LABEL_CHARS}
"""What JSON Schema can say of a text that is stored as it is."""


def check_start(moment: datetime) -> None:
    """Refuse a time that no alert of ours started at. Raises marshmallow's ValidationError."""
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

    described = STORABLE

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        _check_label(value)
        return str(value)


_BLANK = "\\x20\\xa0"
# control characters, line ends, and what turns the direction of writing
_UNPRINTABLE = "\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069"


class Name(ma.fields.String):
    """A name that fits on a line of a log, and does not begin with a blank."""

    described: Mapping[str, str] = {"pattern": f"^[^{_BLANK}{_UNPRINTABLE}][^{_UNPRINTABLE}]*$"}
    expected = "Not printable characters that begin with no blank."

    def _deserialize(self, value: Any, *told: Any, **named: Any) -> str:
        name: str = super()._deserialize(value, *told, **named)
        if not re.fullmatch(self.described["pattern"], name):
            raise ma.ValidationError(self.expected)
        return name


class DocumentName(Name):
    """The name of a document; `#` stands between it and a heading where a passage is cited."""

    described: Mapping[str, str] = {"pattern": f"^[^#{_BLANK}{_UNPRINTABLE}][^#{_UNPRINTABLE}]*$"}
    expected = "Not printable characters without # that begin with no blank."


class Labels(ma.fields.Field[dict[str, str]]):
    """Names to strings that can be stored as they are: they are the alert's identity.

    A label without a value is left out: to Prometheus it is the same as none.
    """

    described: Mapping[str, Any] = {
        "maxProperties": MAX_LABELS,
        "propertyNames": STORABLE,
        "additionalProperties": {"type": "string", **STORABLE},
    }

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
                faults[clean(name)] = list(error.messages)
        if faults:
            raise ma.ValidationError(faults)
        if len(orjson.dumps(value)) > MAX_LABELS_BYTES:
            raise ma.ValidationError(f"More than {MAX_LABELS_BYTES} bytes in all, as JSON.")
        return {name: text for name, text in value.items() if text}


def check_any(labels: Mapping[str, str]) -> None:
    """Refuse an alert that nothing tells from others. Raises marshmallow's ValidationError."""
    if not labels:
        raise ma.ValidationError("Needs at least one label with a value.")


class Annotations(ma.fields.Field[dict[str, str]]):
    """Names to prose, which identifies nothing: what cannot be stored in it is replaced.

    So are secrets: rules write whole log lines and connection strings into their annotations.
    """

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, str]:
        if not isinstance(value, dict):
            raise ma.ValidationError("Not an object of names and strings.")
        return without_secrets(prose(value))


class Prose(ma.fields.String):
    """A text that identifies nothing; what cannot be stored in it is replaced, and secrets."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if not isinstance(value, str):
            raise ma.ValidationError("Not a string.")
        return redact_text(clean(value))


def without_secrets(told: Mapping[str, str]) -> dict[str, str]:
    """Return names to prose with secrets masked, by the name and by their shape."""
    return {name: str(text) for name, text in redact(told).items()}


def prose(value: Any) -> dict[str, str]:
    """Return names to prose that can be stored; nothing when `value` is no object.

    Of many or long ones the first that fit, and under `LEFT_OUT` how many did not.
    """
    if not isinstance(value, dict):
        return {}
    kept: dict[str, str] = {}
    left = MAX_PROSE_BYTES
    for told in islice(value.items(), MAX_PROSE):
        name, text = (clean(str(part)) for part in told)
        size = len(orjson.dumps(name)) + len(orjson.dumps(text))
        if size <= left:
            kept[name] = text
            left -= size
    if len(kept) < len(value):
        kept[LEFT_OUT] = (
            f"{len(value) - len(kept)} of {len(value)}, beyond {MAX_PROSE} or {MAX_PROSE_BYTES} "
            "bytes in all"
        )
    return kept


def clean(text: str) -> str:
    """Return a text that any database takes, cut at `MAX_TEXT_CHARS`."""
    text = text[:MAX_TEXT_CHARS].replace("\0", "\ufffd")
    return text if _is_unicode(text) else text.encode("utf-8", "replace").decode()
