"""A bundle: one incident in a file, with all that it takes to diagnose it again somewhere else.

It is gzip'd JSON: `format`, `version`, `incident` as the API answers it, `recording`. Whoever reads
one trusts nothing in it.
"""

import gzip
import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
import orjson

from opssage.errors import OpsSageError
from opssage.incident import Status
from opssage.json_shape import count_marks, is_deeper, structure_of
from opssage.wire import parse_time
from tasks.collect.recording import MAX_PLAIN_BYTES, Recording, RecordingSchema

FORMAT = "opssage-bundle"
VERSION = 1
MAX_BYTES = 32 * 1024 * 1024
"""Of the file."""
MAX_DEPTH = 128
MAX_MARKS = 8_000_000
"""A recorded answer of 8 MiB has at most 2 million of them."""
_MAX_FAULTS = 3


class BundleError(OpsSageError):
    """This is not a bundle that can be replayed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """An incident as the API answered it, and what collect was told in its present revision."""

    incident: Mapping[str, Any]
    recording: Recording


def write(incident: bytes, recording: bytes) -> bytes:
    """Return a bundle of an incident as JSON and a recording as `pack` made it.

    The recording is not unpacked: gzip files may be put one behind the other.
    """
    head = b'{"format":"%s","version":%d,"incident":%s,"recording":'
    told = head % (FORMAT.encode(), VERSION, incident)
    return gzip.compress(told, mtime=0) + recording + gzip.compress(b"}\n", mtime=0)


def read(content: bytes, *, most: int = 2 * MAX_PLAIN_BYTES) -> Bundle:
    """Return the bundle in a file of at most so many bytes when unpacked.

    Raises BundleError, which says what is wrong with it.
    """
    plain = _unpacked(content, most)
    if count_marks(plain) > MAX_MARKS or is_deeper(structure_of(plain), MAX_DEPTH):
        raise BundleError("a damaged bundle: more values, or deeper ones, than any has")
    try:
        document = orjson.loads(plain)
    except orjson.JSONDecodeError as error:
        raise BundleError(f"not a bundle: not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BundleError("not a bundle: `opssage export` writes them")
    if document.get("version") != VERSION:
        told = str(document.get("version"))[:20]
        raise BundleError(
            f"a bundle of version {told}, and this OpsSage reads version {VERSION}: "
            "replay it with the one that wrote it"
        )
    try:
        loaded = _BundleSchema().load(document)
    except ma.ValidationError as error:
        faults = list(_faults(error.messages_dict))
        told = "; ".join(faults[:_MAX_FAULTS]) + ("; …" if len(faults) > _MAX_FAULTS else "")
        raise BundleError(f"a damaged bundle: {told}") from error
    return Bundle(incident=loaded["incident"], recording=loaded["recording"])


def _unpacked(content: bytes, most: int) -> bytes:
    if len(content) > MAX_BYTES:
        raise BundleError(f"larger than {MAX_BYTES // 1024**2} MiB")
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            plain = file.read(most + 1)
    except EOFError as error:
        raise BundleError("a bundle that is cut off: export it again") from error
    except (OSError, zlib.error) as error:
        raise BundleError(f"not a bundle: not gzip: {error}") from error
    if len(plain) > most:
        raise BundleError(f"more than {most // 1024**2} MiB when unpacked")
    return plain


def _faults(messages: Mapping[Any, Any], at: str = "") -> Any:
    for key, told in messages.items():
        place = f"{at}.{key}".lstrip(".").removesuffix("._schema")
        if isinstance(told, Mapping):
            yield from _faults(told, place)
        else:
            yield f"{place}: {' '.join(map(str, told))}"


def _check_time(text: str) -> None:
    try:
        parse_time(text)
    except (ValueError, OverflowError):
        raise ma.ValidationError("Not a time.") from None


def _moment(**options: Any) -> ma.fields.String:
    return ma.fields.String(required=True, validate=_check_time, **options)


class _IncidentSchema(ma.Schema):
    """What a replay and a reader need of an incident."""

    class Meta:
        unknown = ma.EXCLUDE

    incident_id = ma.fields.UUID(required=True)
    status = ma.fields.String(required=True, validate=ma.validate.Equal(Status.COMPLETED.value))
    revision = ma.fields.Integer(required=True)
    created_at = _moment()
    resolved_at = _moment(allow_none=True)
    alert_name = ma.fields.String(required=True)
    severity = ma.fields.String(required=True)
    namespace = ma.fields.String(required=True, allow_none=True)
    service = ma.fields.String(required=True, allow_none=True)
    primary_context = ma.fields.Dict(required=True)
    enhanced_context = ma.fields.Dict(required=True)
    diagnostic_report = ma.fields.Dict(required=True)


class _BundleSchema(ma.Schema):
    format = ma.fields.String(required=True)
    version = ma.fields.Integer(required=True)
    incident = ma.fields.Nested(_IncidentSchema, required=True)
    recording = ma.fields.Nested(RecordingSchema, required=True)
