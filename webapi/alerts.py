"""The doors that alerts come by. An answer with 2xx is given only after the commit."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

from flask import Response, current_app, request, url_for
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from opssage import metrics
from opssage.incident import SEVERITIES, AlertGroup
from opssage.settings import IngestSettings
from store import Receipt, Store
from webapi.payloads import (
    PlainAlertSchema,
    UnreadableError,
    WebhookSchema,
    parse_body,
    plain_group,
    webhook_group,
)
from webapi.problems import RETRY_SECONDS, answers_problems, problem
from webapi.schemas import ReceiptSchema
from webapi.unreadable import keeper

_PLAIN_ALERT = PlainAlertSchema()


def blueprint(store: Store, nudge: Callable[[], None], settings: IngestSettings) -> Blueprint:
    """Return the ingest routes; `nudge` tells the publisher of new work."""
    routes = Blueprint("alerts", __name__, url_prefix="/api/v1", description="Where alerts arrive")

    keep_unreadable = keeper(store)

    @routes.route("/alerts", methods=["POST"])
    @routes.doc(requestBody=_body(PlainAlertSchema))
    @routes.alt_response(202, schema=ReceiptSchema, description="Stored")
    @answers_problems(routes, 400, 413, 422, 503)
    def post_alert() -> Response:
        """Take one alert in our own form."""
        try:
            group = plain_group(_PLAIN_ALERT.load(parse_body(body_bytes())), settings.group_by)
        except UnreadableError as error:
            return _unreadable(error)
        except ValidationError as error:
            return problem(
                422,
                "Unprocessable Entity",
                "the alert has fields that cannot be taken; errors names them",
                errors={"json": error.messages_dict},
            )
        return take(group, store.create_incident, nudge)

    @routes.route("/webhooks/alertmanager", methods=["POST"])
    @routes.doc(requestBody=_body(WebhookSchema))
    @routes.alt_response(202, schema=ReceiptSchema, description="Stored")
    @answers_problems(routes, 400, 413, 503)
    def post_alertmanager() -> Response:
        """Take an Alertmanager webhook, version 4: a group is one incident."""
        raw = body_bytes()
        try:
            group = webhook_group(parse_body(raw))
        except UnreadableError as error:
            keep_unreadable(raw, error)
            return _unreadable(error)
        return take(group, store.create_incident, nudge)

    return routes


def take(
    group: AlertGroup, commit: Callable[[AlertGroup], Receipt], nudge: Callable[[], None]
) -> Response:
    """Commit a request's alerts, tell the publisher and the metrics, and answer the receipt."""
    started = perf_counter()
    receipt = commit(group)
    if any(touched.opened for touched in receipt.incidents):
        nudge()
    _count(group, receipt, perf_counter() - started)
    return _backlog_full(receipt) if receipt.refused else _answer(group, receipt)


def _backlog_full(receipt: Receipt) -> Response:
    answer = problem(
        503,
        "Service Unavailable",
        f"{receipt.refused} alerts would open incidents, but ingest.backlog_max unfinished ones "
        f"wait already: send again. The other {receipt.accepted + receipt.duplicates} are stored.",
    )
    answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


def body_bytes() -> bytes:
    """Return the body of the request. Raises RequestEntityTooLarge above the limit."""
    raw = request.get_data()
    # a body sent in chunks has no length to refuse it by, and is cut off at the limit
    if request.content_length is None and len(raw) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    return raw


def _unreadable(error: UnreadableError) -> Response:
    errors = {"json": {error.field: [str(error)]}} if error.field else None
    return problem(400, "Bad Request", str(error), errors)


def _body(schema: type[Schema]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _count(group: AlertGroup, receipt: Receipt, seconds: float) -> None:
    metrics.WEBHOOK_SECONDS.observe(seconds)
    for outcome, number in (
        ("accepted", receipt.accepted),
        ("duplicate", receipt.duplicates),
        ("rejected", len(group.rejects) + group.more_rejects),
        ("refused", receipt.refused),
    ):
        metrics.ALERTS_RECEIVED.labels(outcome).inc(number)
    for touched in receipt.incidents:
        if touched.opened:
            # a sender may write any word; only known ones become a series
            known = touched.severity if touched.severity in SEVERITIES else "other"
            metrics.INCIDENTS_OPENED.labels(known).inc()


def _answer(group: AlertGroup, receipt: Receipt) -> Response:
    touched = [
        {
            "incident_id": str(item.incident_id),
            "status": item.status.value,
            "url": url_for("incidents.get_incident", incident_id=item.incident_id),
        }
        for item in receipt.incidents
    ]
    body = {
        "incidents": touched,
        "accepted": receipt.accepted,
        "duplicates": receipt.duplicates,
        "rejected": [{"index": item.index, "reason": item.reason} for item in group.rejects],
        "rejected_more": group.more_rejects,
    }
    answer = Response(current_app.json.dumps(body), 202, mimetype="application/json")
    if len(touched) == 1:
        answer.headers["Location"] = touched[0]["url"]
    return answer
