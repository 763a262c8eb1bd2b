"""Reading incidents: lists of them, and one."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE

from opssage.access import Scope
from opssage.incident import Incident
from store import Facets, IncidentFilter, Position, Sort, Store, words_in
from webapi import bundles, evidence, incident_acts, incident_parts
from webapi.answers import as_json, cut, page, polled, shown
from webapi.auth import needs
from webapi.problems import answers_problems, refuse
from webapi.schemas import (
    INCIDENT_CURSOR,
    FacetsSchema,
    IncidentPageSchema,
    IncidentQuerySchema,
    IncidentSchema,
    IncidentSummarySchema,
)

_SUMMARY = tuple(IncidentSummarySchema().fields)
_WHOLE = tuple(IncidentSchema().fields)
_FACETS = tuple(FacetsSchema().fields)
_POLL_SECONDS = 2


def blueprint(store: Store, nudge: Callable[[], None]) -> Blueprint:
    """Return the routes of incidents; `nudge` tells the publisher of new work."""
    routes = Blueprint(
        "incidents", __name__, url_prefix="/api/v1/incidents", description="What became of alerts"
    )

    @routes.route("")
    # a filter we do not know would silently list everything
    @routes.arguments(IncidentQuerySchema, location="query", unknown=RAISE)
    @routes.alt_response(200, schema=IncidentPageSchema, description="A page")
    @answers_problems(routes, 409)
    @needs(Scope.READ)
    def list_incidents(query: dict[str, Any]) -> Response:
        """List incidents, newest first unless told otherwise.

        A page of a search, `q`, may be short, even empty, and yet lead on.

        To be told of every change, ask for `sort=updated_at` and for `updated_since` the latest
        `updated_at` seen, less 30 seconds. A change is seen when it is committed, which is a little
        after the time it tells; (`incident_id`, `updated_at`) says which are known already.
        """
        limit, include, q = (query.pop(name) for name in ("limit", "include", "q"))
        sort, after = _place(query.pop("sort"), query.pop("cursor"))
        asked = {"archived": query.pop("archived"), "chosen": IncidentFilter(**query)}
        words = words_in(q) if q.strip() else None
        items, following = _find(store, words, limit=limit, sort=sort, after=after, **asked)
        facets = store.count_facets(words=words, **asked) if "facets" in include else None
        return page(
            [shown(item, _SUMMARY) for item in items],
            INCIDENT_CURSOR.write(sort, *following) if following else None,
            **(_told(facets) if facets else {}),
        )

    @routes.route("/<uuid:incident_id>")
    @routes.alt_response(200, schema=IncidentSchema, description="With a strong ETag")
    @routes.alt_response(304, description="Not changed since that ETag")
    @answers_problems(routes, 404)
    @needs(Scope.READ)
    def get_incident(incident_id: UUID) -> Response:
        """Show one incident with its documents; poll it with `If-None-Match`."""
        return polled(store, incident_id, _whole)

    incident_parts.add_to(routes, store)
    evidence.add_to(routes, store)
    bundles.add_to(routes, store)
    incident_acts.add_to(routes, store, nudge)
    return routes


def _place(sort: Sort | None, cursor: tuple[Any, ...] | None) -> tuple[Sort, Position | None]:
    """Return the order that is asked for and where to go on in it: a cursor has its own."""
    if cursor is None:
        return sort or Sort.NEWEST, None
    own, *after = cursor
    if sort not in {None, own}:
        refuse(409, f"this cursor goes on in the order {own}, and sort asks for {sort}")
    return own, (after[0], after[1])


def _find(
    store: Store, words: Sequence[str] | None, *, limit: int, sort: Sort, **asked: Any
) -> tuple[Sequence[Incident], Position | None]:
    """Return a page of incidents, and where the next one begins, if there is one."""
    if words is not None:
        return store.search_incidents(words, limit=limit, sort=sort, **asked)
    found = store.list_incidents(limit=limit + 1, sort=sort, **asked)
    return cut(found, limit, sort.position)


def _told(facets: Facets) -> dict[str, Any]:
    counts = {
        name: [shown(each, ("value", "count")) for each in facets.counts.get(name, ())]
        for name in _FACETS
    }
    return {"facets": counts, "capped": facets.capped}


def _whole(incident: Incident) -> Response:
    answer = as_json(shown(incident, _WHOLE))
    if not incident.status.is_terminal:
        answer.headers["Retry-After"] = str(_POLL_SECONDS)
    return answer
