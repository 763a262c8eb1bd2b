"""What people did, for those who have to know."""

from typing import Any

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint

from opssage.access import Scope
from store import AuditFilter, Store
from webapi.answers import PageQuerySchema, PageSchema, cut, page, shown
from webapi.auth import needs
from webapi.fields import Label

_MOST_CHARS = 128


class AuditEntrySchema(ma.Schema):
    """Something that somebody did."""

    audit_id = ma.fields.Integer()
    at = ma.fields.AwareDateTime()
    actor = ma.fields.String(metadata={"description": "The name of the token that did it"})
    action = ma.fields.String()
    target = ma.fields.String(metadata={"description": "The id of what it was done to"})
    detail = ma.fields.Dict()
    request_id = ma.fields.String()


class AuditPageSchema(PageSchema):
    """A page of the audit, newest first."""

    items = ma.fields.List(ma.fields.Nested(AuditEntrySchema), required=True)


_ENTRY = tuple(AuditEntrySchema().fields)


def _exactly(description: str) -> Label:
    return Label(
        load_default=None,
        validate=ma.validate.Length(max=_MOST_CHARS),
        metadata={"description": description},
    )


class AuditQuerySchema(PageQuerySchema):
    """Which entries to list."""

    actor = _exactly("Who did it")
    action = _exactly("What was done: retry, delete, ack, token.create, login …")
    target = _exactly("The id of what it was done to")
    cursor = ma.fields.String(
        load_default=None,
        validate=ma.validate.Regexp(
            r"^[1-9][0-9]{0,17}$",
            error="Not a cursor of this list; take next_cursor of the page before.",
        ),
    )


def blueprint(store: Store) -> Blueprint:
    """Return the route of the audit."""
    routes = Blueprint("audit", __name__, url_prefix="/api/v1/audit", description="Who did what")

    @routes.route("")
    # a filter we do not know would silently list everything
    @routes.arguments(AuditQuerySchema, location="query", unknown=ma.RAISE)
    @routes.alt_response(200, schema=AuditPageSchema, description="A page")
    @needs(Scope.ADMIN)
    def list_audit(query: dict[str, Any]) -> Response:
        """List what people did, newest first."""
        limit, cursor = query.pop("limit"), query.pop("cursor")
        found = store.list_audit(
            AuditFilter(**query), limit=limit + 1, after=int(cursor) if cursor else None
        )
        items, following = cut(found, limit, lambda last: str(last.audit_id))
        answer = page([shown(item, _ENTRY) for item in items], following)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return routes
