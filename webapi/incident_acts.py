"""What people do to an incident: delete it, have it diagnosed anew, look after it, judge it."""

import difflib
from collections.abc import Callable
from typing import Any, NoReturn
from uuid import UUID

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint

from opssage.access import Scope
from opssage.incident import Incident
from opssage.wire import format_time
from store import Feedback, Judgement, Store
from tasks.diagnose.catalogue import CAUSES
from webapi.answers import PageQuerySchema, PageSchema, as_json, cut, or_404, page, shown
from webapi.auth import actor, needs
from webapi.body import read
from webapi.cursors import NUMBER, Cursor
from webapi.fields import Prose
from webapi.problems import answers_problems, refuse
from webapi.schemas import DeletedSchema, IncidentSummarySchema

_CURSOR = Cursor((NUMBER,))
_NOTE_CHARS = 4096


def _note(description: str) -> Prose:
    return Prose(
        load_default=None,
        allow_none=True,
        validate=ma.validate.Length(max=_NOTE_CHARS),
        metadata={"description": description},
    )


class AckSchema(ma.Schema):
    """What somebody who looks after an incident says."""

    note = _note("Told in the timeline")


class _KnownCause(ma.validate.OneOf):
    """A cause of the catalogue; another word is answered with the one that may be meant."""

    def _format_error(self, value: Any) -> str:
        near = difflib.get_close_matches(str(value).lower(), self.choices, n=1)
        known = f"did you mean {near[0]}?" if near else "docs/reference.md lists them."
        return f"No cause of the catalogue; {known}"


class NewFeedbackSchema(ma.Schema):
    """What somebody says of a diagnosis."""

    verdict = ma.fields.Enum(
        Judgement, by_value=True, required=True, metadata={"description": "Was it right?"}
    )
    root_cause = _note("What it really was")
    cause = ma.fields.String(
        load_default=None,
        allow_none=True,
        validate=_KnownCause([each.name for each in CAUSES]),
        metadata={
            "description": "The same as the catalogue names it: then it counts. So does a"
            " root_cause that names or words a hypothesis of the report exactly"
        },
    )
    comment = _note("Anything else")


class FeedbackSchema(ma.Schema):
    """What somebody said of a diagnosis."""

    feedback_id = ma.fields.Integer(required=True)
    incident_id = ma.fields.UUID(required=True)
    revision = ma.fields.Integer(
        required=True, metadata={"description": "Of the incident, whose diagnosis it was"}
    )
    at = ma.fields.AwareDateTime(required=True)
    by = ma.fields.String(required=True)
    verdict = ma.fields.Enum(Judgement, by_value=True, required=True)
    root_cause = ma.fields.String(required=True, allow_none=True)
    cause = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "What it really was as the catalogue names it, if it was told"},
    )
    comment = ma.fields.String(required=True, allow_none=True)


class FeedbackPageSchema(PageSchema):
    """A page of what people said of an incident's diagnoses, newest first."""

    items = ma.fields.List(ma.fields.Nested(FeedbackSchema), required=True)


class FeedbackQuerySchema(PageQuerySchema):
    """Which part of it to list."""

    cursor = _CURSOR.field()


_SUMMARY = tuple(IncidentSummarySchema().fields)
_FEEDBACK = tuple(FeedbackSchema().fields)


def add_to(routes: Blueprint, store: Store, nudge: Callable[[], None]) -> None:
    """Add the routes of what people do; `nudge` tells the publisher of new work."""
    _add_life(routes, store, nudge)
    _add_acks(routes, store)
    _add_feedback(routes, store)


def _add_life(routes: Blueprint, store: Store, nudge: Callable[[], None]) -> None:
    @routes.route("/<uuid:incident_id>", methods=["DELETE"])
    @routes.alt_response(200, schema=DeletedSchema, description="Deleted")
    @answers_problems(routes, 404)
    @needs(Scope.WRITE)
    def delete_incident(incident_id: UUID) -> Response:
        """Delete an incident and everything known of it."""
        or_404(store.delete_incident(incident_id, by=actor()) or None, incident_id)
        return as_json({"status": "deleted", "incident_id": incident_id})

    @routes.route("/<uuid:incident_id>/retry", methods=["POST"])
    @routes.alt_response(202, schema=IncidentSummarySchema, description="It will run")
    @answers_problems(routes, 404, 409)
    @needs(Scope.WRITE)
    def retry_incident(incident_id: UUID) -> Response:
        """Run a failed incident on from where it stopped, or a completed one anew."""
        restarted = store.restart_incident(incident_id, by=actor())
        if restarted is None:
            _refuse_as_it_is(store, incident_id, "is still being worked on; wait for it")
        nudge()
        return as_json(shown(restarted, _SUMMARY), 202)


def _add_acks(routes: Blueprint, store: Store) -> None:
    @routes.route("/<uuid:incident_id>/ack", methods=["PUT"])
    @routes.doc(requestBody=_body(AckSchema, required=False))
    @routes.alt_response(200, schema=IncidentSummarySchema, description="The incident as it is")
    @answers_problems(routes, 400, 404, 409, 422)
    @needs(Scope.WRITE)
    def acknowledge(incident_id: UUID) -> Response:
        """Say that you look after an incident. Who said so first stays."""
        said = read(AckSchema(unknown=ma.RAISE), b"{}")
        acked = store.acknowledge(incident_id, actor(), said["note"])
        return _summary(acked or _refuse_as_it_is(store, incident_id))

    @routes.route("/<uuid:incident_id>/ack", methods=["DELETE"])
    @routes.alt_response(200, schema=IncidentSummarySchema, description="The incident as it is")
    @answers_problems(routes, 404, 409)
    @needs(Scope.WRITE)
    def unacknowledge(incident_id: UUID) -> Response:
        """Say that nobody looks after an incident any more."""
        taken_back = store.unacknowledge(incident_id, actor())
        return _summary(taken_back or _refuse_as_it_is(store, incident_id))


def _add_feedback(routes: Blueprint, store: Store) -> None:
    @routes.route("/<uuid:incident_id>/feedback")
    @routes.arguments(FeedbackQuerySchema, location="query", unknown=ma.RAISE)
    @routes.alt_response(200, schema=FeedbackPageSchema, description="A page")
    @answers_problems(routes, 404)
    @needs(Scope.READ)
    def list_feedback(query: dict[str, Any], incident_id: UUID) -> Response:
        """List what people said of an incident's diagnoses, newest first."""
        or_404(store.get_version(incident_id), incident_id)
        limit, after = query["limit"], query["cursor"]
        found = store.list_feedback(incident_id, limit=limit + 1, after=after and after[0])
        items, following = cut(found, limit, lambda last: _CURSOR.write(last.feedback_id))
        return page([shown(item, _FEEDBACK) for item in items], following)

    @routes.route("/<uuid:incident_id>/feedback", methods=["POST"])
    @routes.doc(requestBody=_body(NewFeedbackSchema, required=True))
    @routes.alt_response(201, schema=FeedbackSchema, description="Kept")
    @answers_problems(routes, 400, 404, 409, 422)
    @needs(Scope.WRITE)
    def add_feedback(incident_id: UUID) -> Response:
        """Say whether the present diagnosis is right, also once the incident is archived."""
        said = read(NewFeedbackSchema(unknown=ma.RAISE))
        kept: Feedback | None = store.add_feedback(incident_id, actor(), **said)
        if kept is None:
            or_404(store.get_version(incident_id), incident_id)
            refuse(409, f"incident {incident_id} has no diagnosis at present")
        return as_json(shown(kept, _FEEDBACK), 201)


def _summary(incident: Incident) -> Response:
    return as_json(shown(incident, _SUMMARY))


def _body(schema: type[ma.Schema], *, required: bool) -> dict[str, Any]:
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _refuse_as_it_is(store: Store, incident_id: UUID, why: str = "") -> NoReturn:
    """End the request: there is no such incident, or it is archived, or it cannot be done now."""
    incident = or_404(store.get_incident(incident_id), incident_id)
    if incident.archived_at:
        why = f"is over and was archived at {format_time(incident.archived_at)}"
    refuse(409, f"incident {incident_id} {why or 'has changed meanwhile; try again'}")
