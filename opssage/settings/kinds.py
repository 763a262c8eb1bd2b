"""Kinds of value a setting may have.

A kind is a row of three things: the marshmallow field that checks and converts, the words that
tell a person what is expected, and an example. The functions here declare a dataclass field of
that kind, so that name, default and check of a setting stand in one place.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, validate

from opssage.matching import check_pattern

_LABEL = r"^[a-zA-Z_][a-zA-Z0-9_]*\Z"
_NO_LABEL = "the name of a label has letters, digits and underscores only"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """How a setting is checked and spoken of."""

    field: fields.Field[Any]
    expects: str  #: completes "… is not"
    example: str
    env: str | None = None  #: the variable that gives the value when no file does
    secret: bool = False  #: never shown
    section: type | None = None  #: the value is a list of these


def kind_of(field: dataclasses.Field[Any]) -> Kind | None:
    """Return the kind of a dataclass field; None for a section."""
    return field.metadata.get("kind")


def setting(default: object, *, example: str | None = None, **kind: Any) -> Any:
    """Declare a setting of a kind; without a default (`dataclasses.MISSING`) it has to be there."""
    row = Kind(example=str(default) if example is None else example, **kind)
    row.field.allow_none = row.field.allow_none or default is None
    shown = not (row.secret or isinstance(row.field, _Url))
    return dataclasses.field(default=default, repr=shown, metadata={"kind": row})


class _Whole(fields.Integer):
    def _validated(self, value: Any) -> int:
        if isinstance(value, float):
            raise self.make_error("invalid")
        return super()._validated(value)


def whole(default: int, *, least: int = 1, most: int | None = None, env: str | None = None) -> Any:
    """Declare a whole number between two bounds, both included."""
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    return setting(
        default,
        field=_Whole(validate=validate.Range(min=least, max=most)),
        expects=f"a whole number {bounds}",
        env=env,
    )


def seconds(default: float | None) -> Any:
    """Declare a duration in seconds; fractions count, zero does not."""
    return setting(
        None if default is None else float(default),
        field=fields.Float(validate=validate.Range(min=0, min_inclusive=False)),
        expects="a number of seconds above 0",
        example="600" if default is None else f"{default:g}",
    )


def share(default: float) -> Any:
    """Declare a number from 0 to 1."""
    return setting(
        default, field=fields.Float(validate=validate.Range(0, 1)), expects="a number from 0 to 1"
    )


def flag(*, default: bool) -> Any:
    """Declare a yes or no."""
    return setting(
        default, field=fields.Boolean(), expects="true or false", example=str(default).lower()
    )


def text(
    default: str | None,
    *,
    example: str | None = None,
    env: str | None = None,
    secret: bool = False,
    least: int = 1,
) -> Any:
    """Declare a text that is not blank, of `least` characters."""
    length = f" of at least {least} characters" if least > 1 else ""
    return setting(
        default,
        field=fields.String(validate=[validate.Regexp(r"(?s).*\S"), validate.Length(least)]),
        expects=f"a text{length} (a number needs quotes)",
        example=example,
        env=env,
        secret=secret,
    )


class _Credential(fields.String):
    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        # a secret that was made with `echo` ends with a line end
        return str(super()._deserialize(value, attr, data, **kwargs)).strip()


def credential(*, env: str | None = None) -> Any:
    """Declare a token that is sent in a header; none by default. White space around it goes."""
    return setting(
        None,
        field=_Credential(validate=validate.Regexp(r"[!-~]+\Z")),
        expects="a token of printable ASCII characters without spaces",
        example="a token",
        env=env,
        secret=True,
    )


def header_name(*, example: str) -> Any:
    """Declare the name of an HTTP header; none by default."""
    return setting(
        None,
        # RFC 9110, 5.6.2: a token
        field=fields.String(validate=validate.Regexp(r"^[\w!#$%&'*+.^`|~-]+\Z", re.ASCII)),
        expects="the name of a header",
        example=example,
    )


def host_names() -> Any:
    """Declare a list of names of hosts, in any case; empty by default."""
    return setting(
        (),
        field=TupleOf(_Choice(validate=validate.Regexp(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\Z"))),
        expects="a list of names of hosts",
        example="[runbooks.example.com]",
    )


class _Choice(fields.String):
    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        return str(super()._deserialize(value, attr, data, **kwargs)).lower()


def choice(default: str, *others: str, env: str | None = None, may_be_null: bool = False) -> Any:
    """Declare one word of a few, in any case; the default comes first."""
    words = (default, *others)
    return setting(
        default,
        field=_Choice(validate=validate.OneOf(words), allow_none=may_be_null),
        expects=" or ".join((", ".join(words[:-1]), words[-1])),
        env=env,
    )


def label_names(*default: str) -> Any:
    """Declare a list of Prometheus label names."""
    return setting(
        default,
        field=TupleOf(fields.String(validate=validate.Regexp(_LABEL))),
        expects="a list of label names",
        example="[namespace, service]",
    )


class TupleOf(fields.List[Any]):
    """A list whose value cannot be changed."""

    def _deserialize(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:  # type: ignore[override]
        return tuple(super()._deserialize(*args, **kwargs))


def words(*known: str) -> Any:
    """Declare a list of at least one of some words, in any case; the default has them all."""
    return setting(
        known,
        field=TupleOf(_Choice(validate=validate.OneOf(known)), validate=validate.Length(min=1)),
        expects=f"a list with one or more of {', '.join(known)}",
        example=f"[{', '.join(known[:2])}]",
    )


def severities() -> Any:
    """Declare a list of severities, in any case; empty by default."""
    return setting(
        (),
        field=TupleOf(_Choice(validate=validate.Regexp(r"(?s).*\S"))),
        expects="a list of severities",
        example="[critical, error]",
    )


def label_patterns(*, required: bool = False) -> Any:
    """Declare labels with a regular expression each; loaded as pairs.

    None by default; with `required` there has to be one.
    """
    return setting(
        dataclasses.MISSING if required else (),
        field=_Patterns(
            keys=fields.String(validate=validate.Regexp(_LABEL, error=_NO_LABEL)),
            values=fields.String(
                validate=_check_pattern,
                error_messages={"invalid": "is not a text; a number needs quotes"},
            ),
            required=required,
            validate=validate.Length(min=1) if required else None,
        ),
        expects="label names with a regular expression each (a number needs quotes)",
        example="{namespace: shop|cart}",
    )


class _Patterns(fields.Dict):
    def _deserialize(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:  # type: ignore[override]
        loaded = super()._deserialize(*args, **kwargs)  # type: ignore[no-untyped-call]
        return tuple(loaded.items())


def _check_pattern(value: str) -> None:
    try:
        check_pattern(value)
    except ValueError as error:
        raise ValidationError(f"is not a regular expression of RE2: {error}") from error


def target_name() -> Any:
    """Declare the name of something that is notified; it has to be there."""
    return setting(
        dataclasses.MISSING,
        field=fields.String(required=True, validate=validate.Regexp(r"^\w[\w .-]{0,63}\Z")),
        expects="a name of up to 64 letters, digits, spaces, dots, dashes and underscores",
        example="on-call",
    )


def target_url() -> Any:
    """Declare where notifications go, as apprise spells it; it has to be there.

    Only the scheme is looked at. Wherever tokens stand in such a URL, all of it is a secret.
    """
    return setting(
        dataclasses.MISSING,
        field=fields.String(
            required=True, validate=validate.Regexp(r"(?s)^[A-Za-z][A-Za-z0-9+.-]*://.*\S")
        ),
        expects="an apprise URL",
        example="slack://TokenA/TokenB/TokenC/#channel",
        secret=True,
    )


class _Url(fields.String):
    """A URL of one of a few schemes; a `+driver` behind the scheme is accepted."""

    def __init__(self, schemes: tuple[str, ...], *, needs_host: bool) -> None:
        super().__init__(validate=self._check)
        self._schemes = schemes
        self._needs_host = needs_host

    def _check(self, value: str) -> None:
        scheme, colon, _ = value.partition("://")
        if not colon or scheme.partition("+")[0].lower() not in self._schemes:
            raise ValidationError("scheme")
        if self._needs_host and not _has_host(value):
            raise ValidationError("host")


def _has_host(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", value)
    except ValueError:  # a port that is no number, brackets that do not match
        return False


def web_url(default: str | None, *, example: str, env: str | None = None) -> Any:
    """Declare an `http://` or `https://` URL."""
    return setting(
        default,
        field=_Url(("http", "https"), needs_host=True),
        expects="an http:// or https:// URL",
        example=example,
        env=env,
    )


def broker_url(default: str, *, env: str) -> Any:
    """Declare a `redis://` or `rediss://` URL."""
    return setting(
        default,
        field=_Url(("redis", "rediss"), needs_host=True),
        expects="a redis:// or rediss:// URL",
        env=env,
    )


def database_url(default: str | None, *, env: str) -> Any:
    """Declare the URL of a PostgreSQL or SQLite database.

    Only the scheme is looked at: SQLAlchemy takes forms that the URL grammar does not, such as
    a password with a `#`, a socket folder in place of a host, no host at all.
    """
    return setting(
        default,
        field=_Url(("postgresql", "postgres", "sqlite"), needs_host=False),
        expects="a postgresql:// or sqlite:// URL",
        example="postgresql://user:password@host:5432/opssage",
        env=env,
    )
