"""From the bytes of a request to JSON, within limits; each refusal names its limit."""

import json
from collections.abc import Sequence
from math import isinf
from typing import Any, NoReturn

import marshmallow as ma
import orjson
from flask import Request, current_app, request
from flask_smorest import abort
from webargs.core import missing
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge

from opssage.json_shape import count_marks, is_deeper, structure_of
from webapi.problems import refuse

MAX_DEPTH = 32
"""Objects and lists inside one another. A webhook has 4; a parser goes down one frame for each."""

MAX_MARKS = 2_000_000
"""Quotation marks, commas and opening brackets, in strings too.

A parsed body takes memory by its values rather than by its bytes. 5,000 alerts of Alertmanager have
800,000, in 9 MB.
"""


class UnreadableError(ValueError):
    """The body cannot be read as what its route takes."""

    def __init__(self, detail: str, field: str | None = None) -> None:
        """Say what is wrong, and with which field when it is one."""
        self.field = field
        super().__init__(detail)


def body_bytes() -> bytes:
    """Return the body of the request; ends the request with 413 or 415 when it is not for us."""
    for header in ("Content-Encoding", "Transfer-Encoding"):
        packing = request.headers.get(header, "").strip().lower()
        if packing not in {"", "identity", "chunked"}:
            abort(
                415,
                message=f"{header} {packing!a:.80} is not read here; send it uncompressed",
                headers={"Accept-Encoding": "identity"},
            )
    most = current_app.config["MAX_CONTENT_LENGTH"]
    if request.content_length is None:
        # what is sent in chunks has no length to refuse it by, and is cut off: one byte more tells
        request.max_content_length = most + 1
    raw = request.get_data()
    if len(raw) > most:
        raise RequestEntityTooLarge
    return raw


def parse(raw: bytes) -> Any:
    """Return the JSON of a body. Raises UnreadableError.

    Nothing is parsed that is nested deeper than `MAX_DEPTH` or has more than `MAX_MARKS`, and a key
    that comes twice in one object is refused: parsers differ in which of the two they take.
    """
    if len(raw) > MAX_MARKS and count_marks(raw) > MAX_MARKS:
        raise UnreadableError(
            f"the body has more than {MAX_MARKS} quotation marks, commas and opening brackets, the "
            "limit here; send fewer alerts at a time"
        )
    structure = structure_of(raw)
    if is_deeper(structure, MAX_DEPTH):
        raise UnreadableError(f"the body is nested deeper than {MAX_DEPTH} levels, the limit here")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        # one lone surrogate must cost the alert that holds it, not the body
        if b"\\ud" not in raw.lower():
            raise UnreadableError(f"the body is not valid JSON: {error}") from error
        return _parse_slowly(raw)
    if structure.count(b":") != _members(document):
        return _parse_slowly(raw)  # a key comes twice, and this one tells which
    return document


def read(schema: ma.Schema, default: bytes = b"") -> dict[str, Any]:
    """Return the body as the schema reads it; ends the request when it cannot be.

    `default` stands in for an empty one.
    """
    try:
        told: dict[str, Any] = schema.load(parse(body_bytes() or default))
    except UnreadableError as error:
        refuse(400, str(error))
    except ma.ValidationError as error:
        detail = "the body has fields that cannot be taken; errors names them"
        refuse(422, detail, errors={"json": error.messages_dict})
    return told


class StrictParser(FlaskParser):
    """Reads the body of `Blueprint.arguments` as our doors read theirs."""

    def load_json(self, req: Request, schema: ma.Schema) -> Any:  # noqa: ARG002 - overrides
        """Return the JSON of a body that says it is; ends the request with 400 when it is not."""
        raw = body_bytes() if req.is_json else b""
        try:
            return parse(raw) if raw else missing
        except UnreadableError as error:
            abort(400, message=str(error))


def _members(value: Any) -> int:
    """Return how many keys the objects of a document have, all together."""
    if isinstance(value, dict):
        return len(value) + _members(list(value.values()))
    if isinstance(value, list):
        return sum(_members(item) for item in value if isinstance(item, dict | list))
    return 0


def _parse_slowly(raw: bytes) -> Any:
    try:
        return json.loads(
            raw.decode(),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_unrepeated,
        )
    except UnreadableError:
        raise
    except ValueError as error:
        raise UnreadableError(f"the body is not valid JSON: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError(f"{text:.40} is too large a number")
    return number


def _unrepeated(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, value in pairs:
        if name in told:
            raise UnreadableError(f"the key {name!a:.80} comes twice in one object; send it once")
        told[name] = value
    return told
