"""What the door answers, as OpenAPI shows it."""

from datetime import UTC, datetime
from typing import Any

import marshmallow as ma

from opssage.incident import Change, Status
from store import Sort
from webapi import cursors
from webapi.answers import PageQuerySchema, PageSchema
from webapi.fields import Label


class TouchedSchema(ma.Schema):
    """An incident that a request opened or belongs to."""

    incident_id = ma.fields.UUID()
    status = ma.fields.Enum(Status, by_value=True)
    change = ma.fields.Enum(
        Change,
        by_value=True,
        metadata={
            "description": "What these alerts mean to it, the first that is true: `opened`,"
            " `reopened` (it was over), `joined` (they are new in it), `resolved` (the last of its"
            " alerts ended), `ended` (one did, others fire), `repeated` (nothing new)"
        },
    )
    url = ma.fields.String()


class RejectedSchema(ma.Schema):
    """An alert that was not taken; it is kept for a person to look at."""

    index = ma.fields.Integer(metadata={"description": "Position in `alerts`"})
    reason = ma.fields.String()


class ReceiptSchema(ma.Schema):
    """What became of the alerts of a request."""

    incidents = ma.fields.List(ma.fields.Nested(TouchedSchema))
    accepted = ma.fields.Integer(metadata={"description": "New, or telling something new"})
    duplicates = ma.fields.Integer(metadata={"description": "Repeats of what is known"})
    ignored = ma.fields.Integer(
        metadata={"description": "Kept without an incident, by `ingest.ignore` or as Watchdog is"}
    )
    rejected = ma.fields.List(ma.fields.Nested(RejectedSchema))
    rejected_more = ma.fields.Integer(
        metadata={"description": "Further ones, neither named nor kept"}
    )


class IncidentSummarySchema(ma.Schema):
    """An incident in a list: everything but its documents."""

    incident_id = ma.fields.UUID(required=True)
    status = ma.fields.Enum(Status, by_value=True, required=True)
    created_at = ma.fields.AwareDateTime(required=True)
    updated_at = ma.fields.AwareDateTime(required=True)
    alert_name = ma.fields.String(required=True)
    severity = ma.fields.String(required=True)
    namespace = ma.fields.String(required=True, allow_none=True)
    service = ma.fields.String(required=True, allow_none=True)
    sender = ma.fields.String(required=True)
    receiver = ma.fields.String(required=True)
    resolved_at = ma.fields.AwareDateTime(required=True, allow_none=True)
    previous_id = ma.fields.UUID(required=True, allow_none=True)
    revision = ma.fields.Integer(required=True)
    truncated_alerts = ma.fields.Integer(
        required=True, metadata={"description": "The most that a message about it left out"}
    )
    flap_count = ma.fields.Integer(
        required=True, metadata={"description": "How often it fired again soon after its end"}
    )
    flapping = ma.fields.Boolean(
        required=True, metadata={"description": "That often that it is not diagnosed again"}
    )
    acked_at = ma.fields.AwareDateTime(required=True, allow_none=True)
    acked_by = ma.fields.String(required=True, allow_none=True)
    root_cause = ma.fields.String(required=True, allow_none=True)
    confidence_score = ma.fields.Float(required=True, allow_none=True)
    last_error = ma.fields.Dict(required=True, allow_none=True)
    archived_at = ma.fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={"description": "null: it is live, and may still change"},
    )


class IncidentSchema(IncidentSummarySchema):
    """An incident with what each stage found; null until the stage has run."""

    alert_input = ma.fields.Dict(required=True)
    primary_context = ma.fields.Dict(required=True, allow_none=True)
    enhanced_context = ma.fields.Dict(required=True, allow_none=True)
    diagnostic_report = ma.fields.Dict(required=True, allow_none=True)
    previous = ma.fields.Dict(
        required=True,
        allow_none=True,
        metadata={"description": "The answer of the revision before, while the next one runs"},
    )


class CountSchema(ma.Schema):
    """How many there are with a value."""

    value = ma.fields.String(required=True)
    count = ma.fields.Integer(required=True)


class FlagCountSchema(ma.Schema):
    """How many there are for which it holds, or not."""

    value = ma.fields.Boolean(required=True)
    count = ma.fields.Integer(required=True)


def _counts(of: type[ma.Schema] = CountSchema) -> ma.fields.List[dict[str, Any]]:
    return ma.fields.List(ma.fields.Nested(of), required=True)


class FacetsSchema(ma.Schema):
    """The 20 most frequent values of each field, as if nothing were chosen of that field."""

    status = _counts()
    severity = _counts()
    namespace = _counts()
    service = _counts()
    alert_name = _counts()
    open = _counts(FlagCountSchema)
    acked = _counts(FlagCountSchema)


class IncidentPageSchema(PageSchema):
    """A page of incidents."""

    items = ma.fields.List(ma.fields.Nested(IncidentSummarySchema), required=True)
    facets = ma.fields.Nested(
        FacetsSchema, metadata={"description": "With `include=facets`: of the newest 1,000 chosen"}
    )
    capped = ma.fields.Boolean(metadata={"description": "Whether there are more than were counted"})


class DeletedSchema(ma.Schema):
    """A deletion done."""

    status = ma.fields.Constant("deleted", required=True)
    incident_id = ma.fields.UUID(required=True)


# a day inside what a time can be, so that no zone leads out of it
_MOMENTS = ma.validate.Range(
    datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC), error="Not a usable time."
)


def any_of(description: str, **options: Any) -> ma.fields.List[str]:
    """Return a filter of a list that takes several values."""
    return ma.fields.List(
        ma.fields.String(**options) if options else Label(),
        load_default=list,
        metadata={"description": f"{description}; repeat for any of several"},
    )


def moment(description: str) -> ma.fields.AwareDateTime:
    """Return a filter of a list that takes a time."""
    return ma.fields.AwareDateTime(
        load_default=None,
        default_timezone=UTC,
        validate=_MOMENTS,
        error_messages={
            "invalid": "Not a time like 2026-11-23T12:00:00Z; in a URL a + is written %2B."
        },
        metadata={"description": description},
    )


def _flag(description: str) -> ma.fields.Boolean:
    return ma.fields.Boolean(load_default=None, metadata={"description": description})


INCIDENT_CURSOR = cursors.Cursor((cursors.SORT, cursors.MOMENT, cursors.ID))
"""The order of the list, and the time and id of the page's last incident."""


class IncidentQuerySchema(PageQuerySchema):
    """Which incidents to list."""

    status = any_of("Status", validate=ma.validate.OneOf([status.value for status in Status]))
    severity = any_of("Severity")
    namespace = any_of("Kubernetes namespace")
    service = any_of("Service")
    alert_name = any_of("Alert name")
    sender = any_of("Who posted its alerts")
    open = _flag("Whether one of its alerts still fires")
    acked = _flag("Whether somebody looks after it")
    created_after = moment("Opened then or later")
    created_before = moment("Opened before")
    updated_since = moment("Changed then or later")
    q = ma.fields.String(
        load_default="",
        validate=ma.validate.Length(max=200),
        metadata={
            "description": "Words that all have to occur in name, severity, place, labels, message"
            " or diagnosis; the beginning of each is enough"
        },
    )
    archived = ma.fields.Boolean(
        load_default=False,
        metadata={"description": "Whether to list the archived incidents, or those that are not"},
    )
    sort = ma.fields.Enum(
        Sort,
        by_value=True,
        load_default=None,
        metadata={"description": "A minus is for latest first; `-created_at` unless told"},
    )
    include = ma.fields.List(
        ma.fields.String(validate=ma.validate.OneOf(["facets"])),
        load_default=list,
        metadata={"description": "`facets`: counts of the values to choose from"},
    )
    cursor = INCIDENT_CURSOR.field()
