"""The settings as a table of keys, as a marshmallow schema, and as values."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from marshmallow import Schema, fields

from opssage.settings.kinds import Kind, kind_of

T = TypeVar("T")


def rows(section: type) -> dict[str, Kind | type]:
    """Return what a section may hold: by key, a kind of value or the section below it."""
    return {
        field.name: kind_of(field) or type(field.default)
        for field in dataclasses.fields(section)
        if field.default is not dataclasses.MISSING
    }


def schema(section: type) -> Schema:
    """Return the schema of a section; it refuses unknown keys and fills in no defaults."""
    return Schema.from_dict(
        {
            key: row.field if isinstance(row, Kind) else fields.Nested(schema(row))
            for key, row in rows(section).items()
        }
    )()


def build(section: type[T], values: Mapping[str, Any], **more: Any) -> T:
    """Return the section with `values`, as its schema loaded them, in place of defaults."""
    table = rows(section)
    for key, value in values.items():
        row = table[key]
        more[key] = value if isinstance(row, Kind) else build(row, value)
    return section(**more)
