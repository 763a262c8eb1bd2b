"""What a sender says beyond what we have a place for; it is kept, within bounds."""

from collections.abc import Collection, Mapping
from typing import Any

import orjson

from webapi.fields import clean

MAX_EXTRA_BYTES = 16_384
"""Of one alert or one envelope, as JSON; fields that would exceed it are left out."""

_NEVER = frozenset({"embeddedImage"})  # a whole picture in base64
_NUMBERS = range(-(2**63), 2**63)
_NOTHING: tuple[Any, ...] = (None, "", {}, [])


def extras(told: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return the fields of `told` that are not `known` and say something.

    Sanitised like prose, as they identify nothing.
    """
    found = {
        name: value
        for name, value in told.items()
        if name not in known and name not in _NEVER and value not in _NOTHING
    }
    return found if not found or _is_fine(found) else _fitting(found)


def _is_fine(found: Mapping[str, Any]) -> bool:
    """Tell whether all of it can be stored as it is."""
    try:
        text = orjson.dumps(found)
    except TypeError:  # a lone surrogate, or a number of more than 64 bits
        return False
    return len(text) <= MAX_EXTRA_BYTES and b"\\u0000" not in text


def _fitting(found: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    left = MAX_EXTRA_BYTES
    for name, value in found.items():
        field = {clean(name): storable(value)}
        size = len(orjson.dumps(field))
        if size <= left:
            kept |= field
            left -= size
    return kept


def storable(value: Any) -> Any:
    """Return a JSON tree that any database takes; of texts what it does not is replaced."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(name): storable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    # JSON has no largest number, columns have
    return str(value) if isinstance(value, int) and value not in _NUMBERS else value
