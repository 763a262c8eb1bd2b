"""Every error the door answers has one shape: problem+json (RFC 9457)."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from itertools import islice
from typing import Any, NoReturn, TypeVar

import marshmallow as ma
import structlog
from flask import Flask, Response, current_app, request
from flask_smorest import Api, Blueprint, abort
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from opssage.errors import StoreUnavailableError
from opssage.log import get_logger
from webapi.masking import masked

log = get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
_MAX_FAULTS = 64
_NAME_CHARS = 64

View = TypeVar("View", bound=Callable[..., Response])


class ProblemSchema(ma.Schema):
    """What went wrong, for people and programs."""

    type = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    detail = ma.fields.String()
    instance = ma.fields.String()
    request_id = ma.fields.String()
    errors = ma.fields.Dict(
        metadata={"description": "By place (json, query), by field: what is wrong"}
    )


class ProblemApi(Api):
    """flask-smorest's Api with our error shape."""

    ERROR_SCHEMA = ProblemSchema

    def _register_responses(self) -> None:
        """Document errors in their own media type; all else that is answered is plain JSON."""
        self.DEFAULT_RESPONSE_CONTENT_TYPE = MEDIA_TYPE
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Turn any HTTP error, aborted or raised, into a problem."""
        data = getattr(error, "data", None) or {}
        detail = data.get("message") or error.description or ""
        if isinstance(error, RequestEntityTooLarge):
            limit = current_app.config["MAX_CONTENT_LENGTH"]
            detail = f"the body is larger than {limit} bytes, which is web.max_body_bytes"
        answer = problem(
            error.code or 500,
            error.name,
            detail,
            errors=data.get("errors") or data.get("messages"),
        )
        for name, value in [*error.get_headers(), *(data.get("headers") or {}).items()]:
            if name.lower() not in {"content-type", "content-length"}:
                answer.headers[name] = value
        return answer


def problem(
    status: int, title: str, detail: str, errors: Mapping[str, Any] | None = None
) -> Response:
    """Return a problem+json response; `errors` names the fields at fault."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        # somebody may have put a token into the address, and senders write our answer to their log
        "instance": masked(request.path),
        "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
    }
    if errors:
        body["errors"] = _first(errors)
    return Response(current_app.json.dumps(body), status, mimetype=MEDIA_TYPE)


def _first(faults: Any) -> Any:
    """Return the first faults of each place, their names cut: a body may have any number."""
    if not isinstance(faults, Mapping):
        return faults
    return {
        name[:_NAME_CHARS] if isinstance(name, str) else name: _first(inner)
        for name, inner in islice(faults.items(), _MAX_FAULTS)
    }


def refuse(status: int, detail: str, errors: Mapping[str, Any] | None = None) -> NoReturn:
    """End the request with a problem."""
    abort(status, message=detail, errors=errors)
    raise AssertionError("abort returned")


def answers_problems(routes: Blueprint, *statuses: int) -> Callable[[View], View]:
    """Document the problems that a view may answer with."""

    def document(view: View) -> View:
        for status in statuses:
            view = routes.alt_response(
                status,
                schema=ProblemSchema,
                content_type=MEDIA_TYPE,
                description=HTTPStatus(status).phrase,
            )(view)
        return view

    return document


def register(app: Flask) -> None:
    """Map the errors of the rooms below to statuses."""
    app.register_error_handler(StoreUnavailableError, _store_unavailable)


def _store_unavailable(error: StoreUnavailableError) -> Response:
    # 503 and never 429: Alertmanager tries again at once only after a 5xx
    log.warning("store_unavailable", error=str(error))
    answer = problem(503, "Service Unavailable", "the database cannot answer; send it again")
    answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer
