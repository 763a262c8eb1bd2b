"""Alerts as they are kept; the list of those that belong to no incident."""

from typing import Any

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint

from opssage.access import Scope
from opssage.incident import AlertClass, AlertStatus, Disposition
from store import KeptAlert, Store, StrayFilter
from webapi.answers import PageQuerySchema, PageSchema, cut, page, shown
from webapi.auth import needs
from webapi.cursors import FINGERPRINT, MOMENT, TEXT, Cursor
from webapi.schemas import CountSchema, any_of

_CURSOR = Cursor((MOMENT, FINGERPRINT, MOMENT, TEXT))
_OF_ALERT = (
    *("fingerprint", "status", "labels", "annotations", "starts_at", "ends_at", "generator_url"),
    *("firing_condition", "alert_class", "expires_at", "extra"),
)
_OF_KEPT = ("sender", "disposition", "deliveries", "first_seen_at", "last_seen_at", "end_reason")


class KeptAlertSchema(ma.Schema):
    """An alert, and what became of it."""

    fingerprint = ma.fields.String(required=True)
    sender = ma.fields.String(required=True, metadata={"description": "Who posted it"})
    status = ma.fields.Enum(AlertStatus, by_value=True, required=True)
    labels = ma.fields.Dict(ma.fields.String(), ma.fields.String(), required=True)
    annotations = ma.fields.Dict(ma.fields.String(), ma.fields.String(), required=True)
    starts_at = ma.fields.AwareDateTime(required=True)
    ends_at = ma.fields.AwareDateTime(required=True, allow_none=True)
    expires_at = ma.fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={"description": "It counts as over then, unless it is sent again"},
    )
    end_reason = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "How its end came to be known"}
    )
    disposition = ma.fields.Enum(
        Disposition,
        by_value=True,
        required=True,
        allow_none=True,
        metadata={"description": "Why it belongs to no incident"},
    )
    alert_class = ma.fields.Enum(AlertClass, by_value=True, required=True)
    deliveries = ma.fields.Integer(required=True, metadata={"description": "How often it was sent"})
    first_seen_at = ma.fields.AwareDateTime(required=True)
    last_seen_at = ma.fields.AwareDateTime(required=True)
    generator_url = ma.fields.String(required=True)
    firing_condition = ma.fields.String(required=True)
    extra = ma.fields.Dict(
        required=True, metadata={"description": "What its sender says beyond the common fields"}
    )


class StrayFacetsSchema(ma.Schema):
    """How many alerts without an incident there are of each kind."""

    disposition = ma.fields.List(ma.fields.Nested(CountSchema), required=True)


class StrayPageSchema(PageSchema):
    """A page of alerts without an incident, newest first."""

    items = ma.fields.List(ma.fields.Nested(KeptAlertSchema), required=True)
    facets = ma.fields.Nested(
        StrayFacetsSchema, metadata={"description": "With `include=facets`: of the newest 1,000"}
    )
    capped = ma.fields.Boolean(metadata={"description": "Whether there are more than were counted"})


class AlertsQuerySchema(PageQuerySchema):
    """How long a page of alerts may be: each of them may take 150 kB."""

    limit = ma.fields.Integer(load_default=50, validate=ma.validate.Range(1, 100))


class StrayQuerySchema(AlertsQuerySchema):
    """Which alerts without an incident to list."""

    disposition = any_of(
        "Why it belongs to none", validate=ma.validate.OneOf([each.value for each in Disposition])
    )
    sender = any_of("Who posted it")
    include = ma.fields.List(
        ma.fields.String(validate=ma.validate.OneOf(["facets"])),
        load_default=list,
        metadata={"description": "`facets`: counts by disposition"},
    )
    cursor = _CURSOR.field()


def shown_alert(kept: KeptAlert) -> dict[str, Any]:
    """Return the fields of `KeptAlertSchema`."""
    return {**shown(kept.alert, _OF_ALERT), **shown(kept, _OF_KEPT)}


def blueprint(store: Store) -> Blueprint:
    """Return the route of alerts that belong to no incident."""
    routes = Blueprint(
        "alert_list", __name__, url_prefix="/api/v1/alerts", description="What opened no incident"
    )

    @routes.route("")
    # a filter we do not know would silently list everything
    @routes.arguments(StrayQuerySchema, location="query", unknown=ma.RAISE)
    @routes.alt_response(200, schema=StrayPageSchema, description="A page")
    @needs(Scope.READ)
    def list_strays(query: dict[str, Any]) -> Response:
        """List alerts that belong to no incident, newest first.

        Those that `ingest.ignore` names, those that only serve alerting itself, and those that
        were over when they were first heard of.
        """
        limit, after = query["limit"], query["cursor"]
        chosen = StrayFilter(disposition=query["disposition"], sender=query["sender"])
        found = store.list_strays(chosen, limit=limit + 1, after=after)
        more: dict[str, Any] = {}
        if "facets" in query["include"]:
            counts, capped = store.count_strays(chosen)
            told = [shown(each, ("value", "count")) for each in counts]
            more = {"facets": {"disposition": told}, "capped": capped}
        items, following = cut(found, limit, _cursor)
        return page([shown_alert(kept) for kept in items], following, **more)

    return routes


def _cursor(last: KeptAlert) -> str:
    alert = last.alert
    return _CURSOR.write(last.first_seen_at, alert.fingerprint, alert.starts_at, last.sender)
