"""What the door answers, as OpenAPI shows it."""

from datetime import UTC, datetime
from typing import Any

import marshmallow as ma

from opssage.incident import Status


class TouchedSchema(ma.Schema):
    """An incident that a request opened or belongs to."""

    incident_id = ma.fields.UUID()
    status = ma.fields.Enum(Status, by_value=True)
    url = ma.fields.String()


class RejectedSchema(ma.Schema):
    """An alert that was not taken; it is kept for a person to look at."""

    index = ma.fields.Integer(metadata={"description": "Position in `alerts`"})
    reason = ma.fields.String()


class ReceiptSchema(ma.Schema):
    """What became of the alerts of a request."""

    incidents = ma.fields.List(ma.fields.Nested(TouchedSchema))
    accepted = ma.fields.Integer(metadata={"description": "New, or telling something new"})
    duplicates = ma.fields.Integer(metadata={"description": "Known as they are"})
    rejected = ma.fields.List(ma.fields.Nested(RejectedSchema))
    rejected_more = ma.fields.Integer(
        metadata={"description": "Further ones, neither named nor kept"}
    )


class IncidentSummarySchema(ma.Schema):
    """An incident in a list: everything but its documents."""

    incident_id = ma.fields.UUID()
    status = ma.fields.Enum(Status, by_value=True)
    created_at = ma.fields.AwareDateTime()
    updated_at = ma.fields.AwareDateTime()
    alert_name = ma.fields.String()
    severity = ma.fields.String()
    namespace = ma.fields.String(allow_none=True)
    service = ma.fields.String(allow_none=True)
    sender = ma.fields.String()
    receiver = ma.fields.String()
    resolved_at = ma.fields.AwareDateTime(allow_none=True)
    previous_id = ma.fields.UUID(allow_none=True)
    revision = ma.fields.Integer()
    truncated_alerts = ma.fields.Integer()
    root_cause = ma.fields.String(allow_none=True)
    confidence_score = ma.fields.Float(allow_none=True)
    last_error = ma.fields.Dict(allow_none=True)
    archived_at = ma.fields.AwareDateTime(
        allow_none=True, metadata={"description": "null: it is live, and may still change"}
    )


class IncidentSchema(IncidentSummarySchema):
    """An incident with what each stage found; null until the stage has run."""

    alert_input = ma.fields.Dict()
    primary_context = ma.fields.Dict(allow_none=True)
    enhanced_context = ma.fields.Dict(allow_none=True)
    diagnostic_report = ma.fields.Dict(allow_none=True)
    previous = ma.fields.Dict(
        allow_none=True,
        metadata={"description": "The answer of the revision before, while the next one runs"},
    )


class IncidentPageSchema(ma.Schema):
    """A page of incidents, newest first."""

    items = ma.fields.List(ma.fields.Nested(IncidentSummarySchema))
    next_cursor = ma.fields.String(allow_none=True)


class DeletedSchema(ma.Schema):
    """A deletion done."""

    status = ma.fields.Constant("deleted")
    incident_id = ma.fields.UUID()


def _is_storable(value: str) -> bool:
    if "\0" in value:
        raise ma.ValidationError("Holds a NUL character.")
    return True


# a day inside what a time can be, so that no zone leads out of it
_MOMENTS = ma.validate.Range(
    datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC), error="Not a usable time."
)


def _any_of(description: str, **options: Any) -> ma.fields.List[str]:
    return ma.fields.List(
        ma.fields.String(**{"validate": _is_storable, **options}),
        load_default=list,
        metadata={"description": f"{description}; repeat for any of several"},
    )


class IncidentQuerySchema(ma.Schema):
    """Which incidents to list."""

    status = _any_of("Status", validate=ma.validate.OneOf([status.value for status in Status]))
    severity = _any_of("Severity")
    namespace = _any_of("Kubernetes namespace")
    service = _any_of("Service")
    alert_name = _any_of("Alert name")
    created_after = ma.fields.AwareDateTime(
        load_default=None, default_timezone=UTC, validate=_MOMENTS
    )
    created_before = ma.fields.AwareDateTime(
        load_default=None, default_timezone=UTC, validate=_MOMENTS
    )
    archived = ma.fields.Boolean(
        load_default=False,
        metadata={"description": "Whether to list the archived incidents, or those that are not"},
    )
    limit = ma.fields.Integer(load_default=50, validate=ma.validate.Range(1, 200))
    cursor = ma.fields.String(load_default=None)
