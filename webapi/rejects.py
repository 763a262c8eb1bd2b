"""Alerts that could not be taken: reading them, and taking them after all."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, NoReturn

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint

from opssage.access import Scope
from opssage.incident import AlertGroup
from opssage.settings import IngestSettings
from store import KeptReject, Receipt, RejectFilter, Store
from webapi.answers import PageQuerySchema, PageSchema, as_json, cut, page, shown
from webapi.auth import actor, needs
from webapi.body import UnreadableError, body_bytes, parse
from webapi.fields import Label
from webapi.problems import answers_problems, refuse
from webapi.receipts import take
from webapi.schemas import ReceiptSchema
from webapi.senders import described
from webapi.senders.alertmanager import webhook_alert, webhook_group
from webapi.senders.plain import PlainAlertSchema, own_group_key, plain_group
from webapi.senders.prometheus import posted_alert

_ANY_FORM = (
    "an Alertmanager webhook, one alert of it with labels and startsAt, or a plain alert with "
    "alert_name"
)
_PLAIN_ALERT = PlainAlertSchema()
_ID = f"<int(min=1, max={2**63 - 1}):reject_id>"
_SENDER_CHARS = 128


class RejectSummarySchema(ma.Schema):
    """A reject in a list: everything but what was sent."""

    reject_id = ma.fields.Integer(required=True)
    received_at = ma.fields.AwareDateTime(required=True)
    last_seen_at = ma.fields.AwareDateTime(required=True)
    deliveries = ma.fields.Integer(required=True, metadata={"description": "How often it was sent"})
    sender = ma.fields.String(required=True)
    reason = ma.fields.String(required=True)
    incident_id = ma.fields.UUID(
        required=True,
        allow_none=True,
        metadata={"description": "Where it went when it was taken after all"},
    )


class RejectSchema(RejectSummarySchema):
    """A reject with what was sent."""

    raw = ma.fields.String(
        required=True,
        metadata={"description": "The alert as JSON, or the beginning of an unreadable body"},
    )
    envelope = ma.fields.Dict(
        required=True,
        allow_none=True,
        metadata={"description": "The group it came with; null when the body was unreadable"},
    )


class RejectPageSchema(PageSchema):
    """A page of rejects, newest first."""

    items = ma.fields.List(ma.fields.Nested(RejectSummarySchema), required=True)


class RejectQuerySchema(PageQuerySchema):
    """Which rejects to list."""

    sender = Label(load_default=None, validate=ma.validate.Length(max=_SENDER_CHARS))
    taken = ma.fields.Boolean(load_default=False)
    cursor = ma.fields.String(
        load_default=None,
        validate=ma.validate.Regexp(
            r"^[1-9][0-9]{0,17}$",
            error="Not a cursor of this list; take next_cursor of the page before.",
        ),
    )


class DeletedRejectSchema(ma.Schema):
    """A deletion done."""

    status = ma.fields.Constant("deleted")
    reject_id = ma.fields.Integer()


_SUMMARY = tuple(RejectSummarySchema().fields)
_WHOLE = tuple(RejectSchema().fields)


def blueprint(store: Store, nudge: Callable[[], None], settings: IngestSettings) -> Blueprint:
    """Return the routes of rejects; `nudge` tells the publisher of new work."""
    routes = Blueprint(
        "rejects", __name__, url_prefix="/api/v1/rejects", description="What could not be taken"
    )

    @routes.route("")
    # a filter we do not know would silently list everything
    @routes.arguments(RejectQuerySchema, location="query", unknown=ma.RAISE)
    @routes.alt_response(200, schema=RejectPageSchema, description="A page")
    @needs(Scope.READ)
    def list_rejects(query: dict[str, Any]) -> Response:
        """List alerts that wait to be corrected, or those that were taken since, newest first."""
        chosen = RejectFilter(sender=query["sender"], taken=query["taken"])
        after = int(query["cursor"]) if query["cursor"] else None
        limit = query["limit"]
        found = store.list_rejects(chosen, limit=limit + 1, after=after)
        items, following = cut(found, limit, lambda last: str(last.reject_id))
        return page([shown(item, _SUMMARY) for item in items], following)

    @routes.route(f"/{_ID}")
    @routes.alt_response(200, schema=RejectSchema, description="The reject")
    @answers_problems(routes, 404)
    @needs(Scope.READ)
    def get_reject(reject_id: int) -> Response:
        """Show what was sent and why it could not be taken."""
        return as_json(shown(_found(store, reject_id), _WHOLE))

    @routes.route(f"/{_ID}/ingest", methods=["POST"])
    @routes.doc(requestBody=described.corrected())
    @routes.alt_response(202, schema=ReceiptSchema, description="Stored")
    @answers_problems(routes, 400, 404, 409, 413, 415, 503)
    @needs(Scope.WRITE)
    def ingest_reject(reject_id: int) -> Response:
        """Take a rejected alert after all, under the group it came with."""
        corrected = body_bytes()
        reject = _found(store, reject_id)
        if reject.incident_id is not None:
            _refuse_taken(reject)
        group = _group(reject, corrected, settings)
        return take([group], partial(_commit, store, reject_id), nudge)

    @routes.route(f"/{_ID}", methods=["DELETE"])
    @routes.alt_response(200, schema=DeletedRejectSchema, description="Deleted")
    @answers_problems(routes, 404)
    @needs(Scope.WRITE)
    def delete_reject(reject_id: int) -> Response:
        """Delete a reject."""
        if not store.delete_reject(reject_id, by=actor()):
            _refuse_missing(reject_id)
        return as_json({"status": "deleted", "reject_id": reject_id})

    return routes


def _found(store: Store, reject_id: int) -> KeptReject:
    return store.get_reject(reject_id) or _refuse_missing(reject_id)


def _refuse_missing(reject_id: int) -> NoReturn:
    refuse(404, f"there is no reject {reject_id}")


def _refuse_taken(reject: KeptReject) -> NoReturn:
    refuse(409, f"reject {reject.reject_id} was taken as incident {reject.incident_id}")


def _commit(store: Store, reject_id: int, group: AlertGroup) -> Receipt:
    receipt = store.take_reject(reject_id, group, by=actor())
    if receipt is None:  # somebody else took or deleted it meanwhile
        _refuse_taken(_found(store, reject_id))
    return receipt


def _group(reject: KeptReject, corrected: bytes, settings: IngestSettings) -> AlertGroup:
    """Return what to store for a reject: read as its door would, from the corrected text if any."""
    place = "json" if corrected else "raw"
    try:
        document = parse(corrected or reject.raw.encode())
    except UnreadableError as error:
        if corrected:
            refuse(400, str(error))
        refuse(409, "what is kept of it is no whole JSON; send it corrected, as the body")
    try:
        return _read(document, reject, settings)
    except UnreadableError as error:
        _refuse_faulty(place, {error.field: [str(error)]} if error.field else [str(error)])
    except ma.ValidationError as error:
        _refuse_faulty(place, error.messages_dict)


def _read(document: Any, reject: KeptReject, settings: IngestSettings) -> AlertGroup:
    if reject.envelope is None:
        return _of_any_form(document, reject.sender, settings)
    if reject.envelope["group_key"]:
        alerts = (webhook_alert(document),)
        return AlertGroup(alerts=alerts, sender=reject.sender, **reject.envelope)
    return _ungrouped(document, reject.sender, settings)


def _of_any_form(document: Any, sender: str, settings: IngestSettings) -> AlertGroup:
    """Read what came as an unreadable body: it is an alert only when it says so itself."""
    told = document if isinstance(document, dict) else {}
    if "alert_name" in told:
        read = _PLAIN_ALERT.load(document)
        return plain_group(read, settings.group_by, datetime.now(UTC), sender=sender)
    if told.keys() >= {"labels", "startsAt"}:
        return _ungrouped(document, sender, settings)
    group = webhook_group(document, expected=_ANY_FORM)
    if group.rejects or not group.alerts:
        faults = [bad.reason for bad in group.rejects] or ["Names no alert."]
        raise ma.ValidationError({"alerts": faults})
    return replace(group, sender=sender)


def _ungrouped(document: Any, sender: str, settings: IngestSettings) -> AlertGroup:
    """Read an alert that came without a group: its labels are one, as at the door for such."""
    alert = posted_alert(document, settings=settings, now=datetime.now(UTC))
    key = own_group_key(alert.labels, settings.group_by)
    return AlertGroup(alerts=(alert,), sender=sender, group_key=key)


def _refuse_faulty(place: str, faults: Mapping[str, Any] | list[str]) -> NoReturn:
    # not 422: whether a correction will do depends on the reject that it corrects
    refuse(409, "it cannot be taken as it is; errors says why", errors={place: faults})
