"""The settings as a table of keys, as a marshmallow schema, and as values."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from marshmallow import Schema, fields

from opssage.settings.kinds import Kind, TupleOf, kind_of, setting

T = TypeVar("T")


def rows(section: type) -> dict[str, Kind | type]:
    """Return what a section may hold: by key, a kind of value or the section below it."""
    return {
        field.name: kind_of(field) or type(field.default)
        for field in dataclasses.fields(section)
        if kind_of(field) or field.default is not dataclasses.MISSING
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
        more[key] = _built(row, value)
    return section(**more)


def _built(row: Kind | type, value: Any) -> Any:
    if not isinstance(row, Kind):
        return build(row, value)
    if row.section is None:
        return value
    return tuple(build(row.section, item) for item in value)


def many(section: type, *, expects: str, example: str) -> Any:
    """Declare a list of sections; empty by default. What stands in it is not shown in faults."""
    return setting(
        (),
        field=TupleOf(fields.Nested(schema(section))),
        expects=expects,
        example=example,
        section=section,
        secret=True,
    )
