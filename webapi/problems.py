"""Every error the door answers has one shape: problem+json (RFC 9457)."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from itertools import islice
from threading import Lock
from typing import Any, NoReturn, Self, TypeVar

import marshmallow as ma
import structlog
from flask import Flask, Response, current_app, request
from flask_smorest import Api, Blueprint, abort
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from opssage.errors import StoreUnavailableError
from opssage.log import get_logger
from webapi.masking import masked

log = get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
_MAX_FAULTS = 64
_MAX_SAID = 4  # in the one text; errors has more
_NAME_CHARS = 64
_NOWHERE = (
    "there is nothing at this address; the id of an incident is a UUID, that of a reject a number, "
    "and /api/docs has all addresses"
)

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

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        """Stand for all copies: flask-smorest copies a view's whole description per answer."""
        return self


_SCHEMA = ProblemSchema()


class ProblemApi(Api):
    """flask-smorest's Api with our error shape."""

    ERROR_SCHEMA = ProblemSchema

    def __init__(self, app: Flask, **options: Any) -> None:
        """Serve the description of an app."""
        self._undescribed: list[Blueprint] = []
        self._describing = Lock()
        super().__init__(app, **options)

    def register_blueprint(self, routes: Blueprint) -> None:
        """Serve routes; they are described when somebody asks, which most processes never are."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][routes.name] = self
        self._app.register_blueprint(routes)
        self._undescribed.append(routes)

    def _openapi_json(self) -> Response:
        with self._describing:
            while self._undescribed:
                routes = self._undescribed.pop(0)
                routes.register_views_in_doc(
                    self, self._app, self.spec, name=routes.name, parameters=None
                )
                self.spec.tag({"name": routes.name, "description": routes.description})
        answer: Response = super()._openapi_json()
        return answer

    def _register_responses(self) -> None:
        """Document errors in their own media type; all else that is answered is plain JSON."""
        self.DEFAULT_RESPONSE_CONTENT_TYPE = MEDIA_TYPE
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Turn any HTTP error, aborted or raised, into a problem."""
        data = getattr(error, "data", None) or {}
        detail = data.get("message") or _said(data.get("messages")) or _own_words(error)
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


def _own_words(error: HTTPException) -> str:
    """Return what to say of an error that the framework raised, or one without a message."""
    if isinstance(error, RequestEntityTooLarge):
        limit = current_app.config["MAX_CONTENT_LENGTH"]
        return f"the body is larger than {limit} bytes, which is web.max_body_bytes"
    if isinstance(error, NotFound):
        return _NOWHERE
    if isinstance(error, MethodNotAllowed):
        return f"this address takes {', '.join(sorted(error.valid_methods or ()))} only"
    return error.description or ""


def _said(faults: Mapping[str, Mapping[str, Any]] | None) -> str:
    """Return the first faults of fields, wherever they are, as one text."""
    fields = ((name, fault) for place in (faults or {}).values() for name, fault in place.items())
    told = (f"{str(name)[:_NAME_CHARS]}: {_joined(fault)}" for name, fault in fields)
    return "; ".join(islice(told, _MAX_SAID))


def _joined(fault: Any) -> str:
    """Return what is wrong with one field; a list of values has it by position."""
    if isinstance(fault, Mapping):
        return " ".join(dict.fromkeys(map(_joined, islice(fault.values(), _MAX_SAID))))
    return " ".join(map(str, fault)) if isinstance(fault, list) else str(fault)


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
                schema=_SCHEMA,
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
