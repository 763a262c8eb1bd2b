"""Values to JSON and back.

Stage documents are stored and answered as plain JSON; times are RFC 3339 in UTC with a `Z`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

import orjson
from cattrs import Converter

T = TypeVar("T")

_converter = Converter()
_EXPONENT = 1e16
"""From here on orjson writes a float with an exponent."""


def format_time(moment: datetime) -> str:
    """Return `2026-11-23T03:02:40.095000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time; one without an offset is taken as UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


_converter.register_unstructure_hook(datetime, format_time)
_converter.register_unstructure_hook(StrEnum, lambda member: member.value)
_converter.register_structure_hook(datetime, lambda text, _: parse_time(text))


def to_json(value: object) -> Any:
    """Return `value` as dicts, lists and scalars that any JSON writer takes."""
    return _converter.unstructure(value)


def from_json(document: Mapping[str, Any], kind: type[T]) -> T:
    """Rebuild a value that `to_json` wrote; unknown keys are ignored."""
    return _converter.structure(document, kind)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return _plain(round(value, 6))
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value


def _plain(value: float) -> float | int:
    """Return a number as PostgreSQL gives it back, which has no -0 and writes no exponents."""
    return int(value) if abs(value) >= _EXPONENT and value.is_integer() else value + 0.0


def canonical(document: object) -> bytes:
    """Return the one byte form of a JSON document: sorted keys, floats to 6 decimals."""
    return orjson.dumps(_rounded(document), option=orjson.OPT_SORT_KEYS)
