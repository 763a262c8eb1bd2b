"""What answers have in common: JSON, pages that lead on, and polls that find nothing new."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import marshmallow as ma
from flask import Response, current_app, request

from opssage.incident import Incident
from store import Store
from webapi.problems import refuse

T = TypeVar("T")
P = TypeVar("P")


def as_json(body: Mapping[str, Any], status: int = 200) -> Response:
    """Answer a body; the JSON writer knows the types of our words."""
    return Response(current_app.json.dumps(body), status, mimetype="application/json")


def shown(item: object, names: Iterable[str]) -> dict[str, Any]:
    """Return these fields of an item."""
    return {name: getattr(item, name) for name in names}


class PageQuerySchema(ma.Schema):
    """How long a page may be; each list adds its own cursor."""

    def __init__(self, **options: Any) -> None:
        """Have an unknown parameter answered with those that are known."""
        super().__init__(**options)
        self.error_messages["unknown"] = f"Unknown; there are {', '.join(sorted(self.fields))}."

    limit = ma.fields.Integer(load_default=50, validate=ma.validate.Range(1, 200))


class PageSchema(ma.Schema):
    """Where a page leads; each list adds its own items."""

    next_cursor = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "null: there is no more"}
    )


def cut(found: Sequence[T], limit: int, place_of: Callable[[T], P]) -> tuple[Sequence[T], P | None]:
    """Return a page, and the place of its last item when there is more.

    `found` has one item more than `limit` then.
    """
    items = found[:limit]
    return items, place_of(items[-1]) if len(found) > limit else None


def page(items: Sequence[Mapping[str, Any]], following: str | None, **more: Any) -> Response:
    """Answer a page of a list; `following` is the cursor of the next one."""
    answer = as_json({"items": items, "next_cursor": following, **more})
    if following:
        answer.headers["Link"] = f'<{_next_url(following)}>; rel="next"'
    return answer


def _next_url(cursor: str) -> str:
    query = [(name, value) for name, value in request.args.items(multi=True) if name != "cursor"]
    return f"{request.base_url}?{urlencode([*query, ('cursor', cursor)])}"


def or_404(found: T | None, incident_id: UUID) -> T:
    """Return what was found; ends the request when there is no such incident."""
    if found is None:
        refuse(404, f"there is no incident {incident_id}")
    return found


def polled(store: Store, incident_id: UUID, answer: Callable[[Incident], Response]) -> Response:
    """Answer what is made of an incident, with a strong ETag; 304 when the client has it already.

    The ETag is (id, version), and the documents are read only when it has moved.
    """
    if request.if_none_match:
        version = or_404(store.get_version(incident_id), incident_id)
        if request.if_none_match.contains(_etag(incident_id, version)):
            return _cached(Response(status=304), incident_id, version)
    incident = or_404(store.get_incident(incident_id), incident_id)
    return _cached(answer(incident), incident_id, incident.version)


def tagged(body: Mapping[str, Any]) -> Response:
    """Answer a body with a strong ETag of its content; 304 when the client has it already."""
    answer = as_json(body)
    answer.set_etag(hashlib.sha256(answer.get_data()).hexdigest())
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.make_conditional(request)
    return answer


def _etag(incident_id: UUID, version: int) -> str:
    return f"{incident_id}.{version}"


def _cached(answer: Response, incident_id: UUID, version: int) -> Response:
    answer.set_etag(_etag(incident_id, version))
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer
