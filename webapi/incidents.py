"""Reading incidents, and the few things a person may do to one."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, current_app, request
from flask_smorest import Blueprint
from marshmallow import RAISE

from opssage.incident import Incident
from opssage.wire import format_time
from store import IncidentFilter, Position, Store
from webapi import cursors
from webapi.problems import answers_problems, refuse
from webapi.schemas import (
    DeletedSchema,
    IncidentPageSchema,
    IncidentQuerySchema,
    IncidentSchema,
    IncidentSummarySchema,
)

_SUMMARY = tuple(IncidentSummarySchema().fields)
_WHOLE = tuple(IncidentSchema().fields)
_POLL_SECONDS = 2

T = TypeVar("T")


def blueprint(store: Store, nudge: Callable[[], None]) -> Blueprint:
    """Return the routes of incidents; `nudge` tells the publisher of new work."""
    routes = Blueprint(
        "incidents", __name__, url_prefix="/api/v1/incidents", description="What became of alerts"
    )

    @routes.route("")
    # a filter we do not know would silently list everything
    @routes.arguments(IncidentQuerySchema, location="query", unknown=RAISE)
    @routes.alt_response(200, schema=IncidentPageSchema, description="A page")
    def list_incidents(query: dict[str, Any]) -> Response:
        """List incidents, newest first."""
        limit, cursor, archived = (query.pop(name) for name in ("limit", "cursor", "archived"))
        found = store.list_incidents(
            IncidentFilter(**query), limit=limit + 1, after=_position(cursor), archived=archived
        )
        items = found[:limit]
        following = cursors.write(items[-1]) if len(found) > limit else None
        answer = _json(
            {"items": [_shown(item, _SUMMARY) for item in items], "next_cursor": following}
        )
        if following:
            answer.headers["Link"] = f'<{_next_url(following)}>; rel="next"'
        return answer

    @routes.route("/<uuid:incident_id>")
    @routes.alt_response(200, schema=IncidentSchema, description="With a strong ETag")
    @routes.alt_response(304, description="Not changed since that ETag")
    @answers_problems(routes, 404)
    def get_incident(incident_id: UUID) -> Response:
        """Show one incident with its documents; poll it with `If-None-Match`."""
        if request.if_none_match:
            version = _or_404(store.get_version(incident_id), incident_id)
            if request.if_none_match.contains(_etag(incident_id, version)):
                return _cached(Response(status=304), incident_id, version)
        incident = _or_404(store.get_incident(incident_id), incident_id)
        answer = _json(_shown(incident, _WHOLE))
        if not incident.status.is_terminal:
            answer.headers["Retry-After"] = str(_POLL_SECONDS)
        return _cached(answer, incident_id, incident.version)

    @routes.route("/<uuid:incident_id>", methods=["DELETE"])
    @routes.alt_response(200, schema=DeletedSchema, description="Deleted")
    @answers_problems(routes, 404)
    def delete_incident(incident_id: UUID) -> Response:
        """Delete an incident and everything known of it."""
        _or_404(store.delete_incident(incident_id) or None, incident_id)
        return _json({"status": "deleted", "incident_id": incident_id})

    @routes.route("/<uuid:incident_id>/retry", methods=["POST"])
    @routes.alt_response(202, schema=IncidentSummarySchema, description="It will run")
    @answers_problems(routes, 404, 409)
    def retry_incident(incident_id: UUID) -> Response:
        """Run a failed incident on from where it stopped, or a completed one anew."""
        restarted = store.restart_incident(incident_id)
        if restarted is None:
            found = _or_404(store.get_incident(incident_id), incident_id)
            refuse(409, _why_it_stays(found))
        nudge()
        return _json(_shown(restarted, _SUMMARY), 202)

    return routes


def _shown(incident: Incident, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of a schema; the JSON writer knows their types."""
    return {name: getattr(incident, name) for name in names}


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(current_app.json.dumps(body), status, mimetype="application/json")


def _position(cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    try:
        return cursors.read(cursor)
    except (ValueError, OverflowError):
        fault = "Not a cursor of this list; take next_cursor of the page before."
        refuse(422, fault, errors={"query": {"cursor": [fault]}})


def _next_url(cursor: str) -> str:
    query = [(name, value) for name, value in request.args.items(multi=True) if name != "cursor"]
    return f"{request.base_url}?{urlencode([*query, ('cursor', cursor)])}"


def _why_it_stays(incident: Incident) -> str:
    if incident.archived_at:
        archived_at = format_time(incident.archived_at)
        return f"incident {incident.incident_id} is over and was archived at {archived_at}"
    return f"incident {incident.incident_id} is still being worked on; wait for it"


def _or_404(found: T | None, incident_id: UUID) -> T:
    if found is None:
        refuse(404, f"there is no incident {incident_id}")
    return found


def _etag(incident_id: UUID, version: int) -> str:
    return f"{incident_id}.{version}"


def _cached(answer: Response, incident_id: UUID, version: int) -> Response:
    answer.set_etag(_etag(incident_id, version))
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer
