"""What hangs on an incident: its alerts, its timeline, and incidents like it."""

from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint

from opssage.access import Scope
from opssage.incident import AlertStatus, Incident, Status
from opssage.knowledge import Standing
from opssage.linking import LinkReason
from store import KeptAlert, Store, event_position
from webapi.alert_list import AlertsQuerySchema, KeptAlertSchema, shown_alert
from webapi.answers import PageQuerySchema, PageSchema, as_json, cut, or_404, page, polled, shown
from webapi.auth import needs
from webapi.cursors import FEW, FINGERPRINT, MOMENT, TEXT, Cursor
from webapi.problems import answers_problems
from webapi.schemas import any_of

_ALERT_CURSOR = Cursor((FINGERPRINT, MOMENT, TEXT))
_EVENT_CURSOR = Cursor((MOMENT, FEW))
_EVENT = ("at", "kind", "data")


class AlertPageSchema(PageSchema):
    """A page of an incident's alerts, in an order that stays."""

    items = ma.fields.List(ma.fields.Nested(KeptAlertSchema), required=True)


class AlertQuerySchema(AlertsQuerySchema):
    """Which alerts of an incident to list."""

    status = any_of("Status", validate=ma.validate.OneOf([each.value for each in AlertStatus]))
    cursor = _ALERT_CURSOR.field()


class EventSchema(ma.Schema):
    """Something that happened to an incident."""

    at = ma.fields.AwareDateTime(required=True)
    kind = ma.fields.String(required=True)
    data = ma.fields.Dict(required=True, metadata={"description": "What its kind has to tell"})


class EventPageSchema(PageSchema):
    """A page of an incident's timeline, oldest first."""

    items = ma.fields.List(ma.fields.Nested(EventSchema), required=True)


class EventQuerySchema(PageQuerySchema):
    """Which part of a timeline to list."""

    cursor = _EVENT_CURSOR.field()


class SimilarIncidentSchema(ma.Schema):
    """A past incident that resembles this one."""

    incident_id = ma.fields.UUID(required=True)
    alert_name = ma.fields.String(required=True)
    root_cause = ma.fields.String(required=True)
    created_at = ma.fields.AwareDateTime(required=True)
    similarity = ma.fields.Float(required=True, metadata={"description": "0 to 1"})
    shares = ma.fields.List(
        ma.fields.String(), required=True, metadata={"description": "In what they are alike"}
    )
    category = ma.fields.String()
    service = ma.fields.String(allow_none=True)
    namespace = ma.fields.String(allow_none=True)
    standing = ma.fields.String(
        validate=ma.validate.OneOf([each.value for each in Standing]),
        metadata={
            "description": "What people said of its diagnosis; `corrected`: it was wrong, and"
            " `root_cause` is what they said it was"
        },
    )
    resolved_at = ma.fields.AwareDateTime(
        allow_none=True, metadata={"description": "Null: it had not ended then"}
    )
    lasted_seconds = ma.fields.Float(allow_none=True)
    actions = ma.fields.List(
        ma.fields.String(), metadata={"description": "What its diagnosis advised"}
    )
    comment = ma.fields.String(metadata={"description": "Of who judged its diagnosis"})


class SimilarSchema(ma.Schema):
    """Past incidents that resemble one, the most alike first."""

    items = ma.fields.List(ma.fields.Nested(SimilarIncidentSchema), required=True)


class LinkedIncidentSchema(ma.Schema):
    """An incident that belongs together with another one."""

    incident_id = ma.fields.UUID(required=True)
    reason = ma.fields.Enum(
        LinkReason,
        by_value=True,
        required=True,
        metadata={"description": "What most tells that they are one event"},
    )
    detail = ma.fields.String(required=True, metadata={"description": "All of it, in words"})
    at = ma.fields.AwareDateTime(required=True, metadata={"description": "When it was found"})
    alert_name = ma.fields.String(required=True)
    severity = ma.fields.String(required=True)
    service = ma.fields.String(required=True, allow_none=True)
    status = ma.fields.Enum(Status, by_value=True, required=True)


class LinksSchema(ma.Schema):
    """The incidents that one is linked with, the newest link first; 200 at most."""

    items = ma.fields.List(ma.fields.Nested(LinkedIncidentSchema), required=True)


_LINKED = tuple(LinkedIncidentSchema().fields)


def add_to(routes: Blueprint, store: Store) -> None:
    """Add the routes of what hangs on an incident."""
    _add_lists(routes, store)

    @routes.route("/<uuid:incident_id>/similar")
    @routes.alt_response(200, schema=SimilarSchema, description="With a strong ETag")
    @routes.alt_response(304, description="Not changed since that ETag")
    @answers_problems(routes, 404)
    @needs(Scope.READ)
    def list_similar(incident_id: UUID) -> Response:
        """List the past incidents that were found to resemble this one; none until enrich has run.

        They may have been deleted since.
        """
        return polled(store, incident_id, _similar)

    @routes.route("/<uuid:incident_id>/links")
    @routes.alt_response(200, schema=LinksSchema, description="All of them")
    @answers_problems(routes, 404)
    @needs(Scope.READ)
    def list_links(incident_id: UUID) -> Response:
        """List the incidents that are one event with this one, as is known by now.

        What a diagnosis knew of them is the `event` of its `enhanced_context`.
        """
        or_404(store.get_version(incident_id), incident_id)
        found = store.list_links(incident_id)
        return as_json({"items": [shown(each, _LINKED) for each in found]})


def _add_lists(routes: Blueprint, store: Store) -> None:
    @routes.route("/<uuid:incident_id>/alerts")
    @routes.arguments(AlertQuerySchema, location="query", unknown=ma.RAISE)
    @routes.alt_response(200, schema=AlertPageSchema, description="A page")
    @answers_problems(routes, 404)
    @needs(Scope.READ)
    def list_alerts(query: dict[str, Any], incident_id: UUID) -> Response:
        """List all alerts of an incident, firing and resolved."""
        or_404(store.get_version(incident_id), incident_id)
        limit = query["limit"]
        found = store.page_alerts(
            incident_id, status=query["status"], limit=limit + 1, after=query["cursor"]
        )
        items, following = cut(found, limit, _alert_cursor)
        return page([shown_alert(kept) for kept in items], following)

    @routes.route("/<uuid:incident_id>/timeline")
    @routes.arguments(EventQuerySchema, location="query", unknown=ma.RAISE)
    @routes.alt_response(200, schema=EventPageSchema, description="A page")
    @answers_problems(routes, 404)
    @needs(Scope.READ)
    def list_events(query: dict[str, Any], incident_id: UUID) -> Response:
        """List what happened to an incident, oldest first.

        Of the answer that a new revision replaced, only cause and confidence are told.
        """
        or_404(store.get_version(incident_id), incident_id)
        limit, after = query["limit"], query["cursor"]
        found = store.list_events(incident_id, limit=limit + 1, after=after)
        items, last = cut(found, limit, lambda _: event_position(found[:limit], after))
        following = _EVENT_CURSOR.write(*last) if last else None
        return page([shown(event, _EVENT) for event in items], following)


def _alert_cursor(last: KeptAlert) -> str:
    return _ALERT_CURSOR.write(last.alert.fingerprint, last.alert.starts_at, last.sender)


def _similar(incident: Incident) -> Response:
    found = (incident.enhanced_context or {}).get("contextual_enrichment", {})
    return as_json({"items": found.get("related_incidents", [])})
