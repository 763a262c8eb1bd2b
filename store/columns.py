"""Column types and the database clock, the same on PostgreSQL and SQLite."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import JSON, DateTime, Dialect, Float, String, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite, which has no zones, keeps it naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time: it could mean anything."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class IncidentId(TypeDecorator[UUID]):
    """A UUID: native on PostgreSQL, its 36 characters on SQLite, so that people can type it."""

    impl = Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type by database."""
        chosen: TypeEngine[Any] = String(36) if dialect.name == "sqlite" else Uuid()
        return dialect.type_descriptor(chosen)

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> UUID | str | None:
        """Write text on SQLite."""
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: UUID | str | None, dialect: Dialect) -> UUID | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Read text on SQLite."""
        return UUID(value) if isinstance(value, str) else value


def dump(document: Any) -> str:
    """Return a document as JSON that either database takes.

    PostgreSQL has no NUL and UTF-8 no lone surrogate; log lines and labels may hold both.
    """
    try:
        text = orjson.dumps(document)
    except TypeError:
        text = orjson.dumps(_with_valid_text(document))
    if b"\\u0000" in text:
        text = _NUL.sub(rb"\1\\ufffd", text)
    return text.decode()


_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def _with_valid_text(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_with_valid_text(key): _with_valid_text(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_valid_text(item) for item in value]
    return value


Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class DatabaseNow(FunctionElement[datetime]):
    """The database's clock plus some seconds: the one clock all processes share."""

    type = UTCDateTime()
    inherit_cache = True
    name = "database_now"


def database_now(plus_seconds: Any = 0.0) -> DatabaseNow:
    """Return the database's time, moved by a number of seconds or an expression of seconds."""
    return DatabaseNow(plus_seconds)


@compiles(DatabaseNow, "postgresql")
def _postgresql_now(element: DatabaseNow, compiler: SQLCompiler, **options: Any) -> str:
    (seconds,) = element.clauses
    text = compiler.process(seconds, **options)
    return f"clock_timestamp() + make_interval(secs => CAST({text} AS double precision))"


@compiles(DatabaseNow, "sqlite")
def _sqlite_now(element: DatabaseNow, compiler: SQLCompiler, **options: Any) -> str:
    (seconds,) = element.clauses
    text = compiler.process(seconds, **options)
    # '000' fills SQLite's milliseconds up to the microseconds that times are stored with
    return f"strftime('%Y-%m-%d %H:%M:%f', 'now', ({text}) || ' seconds') || '000'"


class AgeSeconds(FunctionElement[float]):
    """How long ago a stored time was, by the database's clock."""

    type = Float()
    inherit_cache = True
    name = "age_seconds"


def age_seconds(time: Any) -> AgeSeconds:
    """Return the seconds that have passed since a time; below 0 when it is to come."""
    return AgeSeconds(time)


@compiles(AgeSeconds, "postgresql")
def _postgresql_age(element: AgeSeconds, compiler: SQLCompiler, **options: Any) -> str:
    (time,) = element.clauses
    text = compiler.process(time, **options)
    return f"CAST(EXTRACT(epoch FROM clock_timestamp() - {text}) AS double precision)"


@compiles(AgeSeconds, "sqlite")
def _sqlite_age(element: AgeSeconds, compiler: SQLCompiler, **options: Any) -> str:
    (time,) = element.clauses
    return f"(julianday('now') - julianday({compiler.process(time, **options)})) * 86400"


Ratio = Float(precision=53)
