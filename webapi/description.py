"""What OpenAPI tells of every operation, and cannot see in a view or a schema."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import marshmallow as ma
from apispec import BasePlugin
from flask_smorest import Api

from opssage.settings import Settings
from webapi import fields
from webapi.auth import SESSION_COOKIE

_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer"},
    "basic": {"type": "http", "scheme": "basic", "description": "The token is the password"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
}
_EVERYWHERE = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_OF_READS = (HTTPStatus.TOO_MANY_REQUESTS,)  # what posts alerts is never told to slow down
_OF_BODIES = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)


class CommonAnswers(BasePlugin):
    """Adds the problems that any operation of its kind may be answered with."""

    def operation_helper(
        self,
        path: str | None = None,  # noqa: ARG002 - the signature is apispec's
        operations: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Complete the answers of a path's operations."""
        for method, operation in (operations or {}).items():
            if isinstance(operation, dict):
                answers = operation.setdefault("responses", {})
                answers.pop("default", None)  # it would allow any status
                for status in _statuses(method, operation):
                    answers.setdefault(str(status.value), status.name)


def _statuses(method: str, operation: Mapping[str, Any]) -> tuple[HTTPStatus, ...]:
    reads = _OF_READS if method == "get" else ()
    bodies = _OF_BODIES if "requestBody" in operation else ()
    return (*_EVERYWHERE, *reads, *bodies)


def describe(api: Api, settings: Settings) -> None:
    """Tell OpenAPI what our own fields take, and who may call."""
    api.register_field(fields.Labels, "object", None)
    api.register_field(fields.Annotations, "object", None)
    api.register_field(fields.Time, "string", "date-time")
    api.ma_plugin.converter.add_attribute_function(_described)
    if settings.auth.mode == "token":
        for name, scheme in _SCHEMES.items():
            api.spec.components.security_scheme(name, scheme)
        api.spec.options["security"] = [{name: []} for name in _SCHEMES]


def _described(_: Any, field: ma.fields.Field[Any], ret: Mapping[str, Any], **__: Any) -> Any:
    """Return what a field's class says of itself in `described`, as JSON Schema keywords."""
    own: Mapping[str, Any] = getattr(field, "described", {})
    return {name: value for name, value in own.items() if name not in ret}
