"""The doors that alerts come by. An answer with 2xx is given only after the commit."""

from collections.abc import Callable
from datetime import UTC, datetime
from time import time
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import ValidationError

from opssage.access import Scope
from opssage.settings import IngestSettings
from store import Store
from webapi.auth import caller, needs
from webapi.body import UnreadableError, body_bytes, parse
from webapi.problems import answers_problems, problem
from webapi.receipts import empty, take
from webapi.schemas import ReceiptSchema
from webapi.senders import described
from webapi.senders.alertmanager import webhook_group
from webapi.senders.grafana import SignatureError, check_signature, grafana_group
from webapi.senders.plain import PlainAlertSchema, plain_group
from webapi.senders.prometheus import posted_groups
from webapi.unreadable import Keep, keeper

_PLAIN_ALERT = PlainAlertSchema()
Nudge = Callable[[], None]


def blueprint(store: Store, nudge: Nudge, settings: IngestSettings) -> Blueprint:
    """Return the ingest routes; `nudge` tells the publisher of new work."""
    routes = Blueprint("alerts", __name__, url_prefix="/api", description="Where alerts arrive")
    keep = keeper(store)
    _add_plain(routes, store, nudge, settings)
    _add_alertmanager(routes, store, nudge, settings, keep)
    _add_grafana(routes, store, nudge, settings, keep)
    _add_prometheus(routes, store, nudge, settings, keep)
    return routes


def _add_plain(routes: Blueprint, store: Store, nudge: Nudge, settings: IngestSettings) -> None:
    @routes.route("/v1/alerts", methods=["POST"])
    @routes.doc(requestBody=described.plain())
    @routes.alt_response(202, schema=ReceiptSchema, description="Stored")
    @answers_problems(routes, 400, 413, 415, 422, 503)
    @needs(Scope.INGEST)
    def post_alert() -> Response:
        """Take one alert in our own form.

        One with the labels of another that still fires is the same alert.
        """
        try:
            document = parse(body_bytes())
            read = _PLAIN_ALERT.load(document)
        except UnreadableError as error:
            return _unreadable(error)
        except ValidationError as error:
            return _faulty(error, document)
        group = plain_group(read, settings.group_by, datetime.now(UTC), sender=caller().name)
        return take([group], store.create_incident, nudge)


def _add_alertmanager(
    routes: Blueprint, store: Store, nudge: Nudge, settings: IngestSettings, keep: Keep
) -> None:
    @routes.route("/v1/webhooks/alertmanager", methods=["POST"])
    @routes.doc(requestBody=described.webhook())
    @routes.alt_response(202, schema=ReceiptSchema, description="Stored")
    @answers_problems(routes, 400, 413, 415, 503)
    @needs(Scope.INGEST)
    def post_alertmanager() -> Response:
        """Take a webhook of Alertmanager, version 4: a group is one incident.

        Each alert's own status counts. Fields that are not described here are kept.
        """
        raw, sender = body_bytes(), caller().name
        try:
            group = webhook_group(parse(raw), sender=sender, max_alerts=settings.max_alerts)
        except UnreadableError as error:
            keep(raw, error, sender)
            return _unreadable(error)
        return take([group], store.create_incident, nudge)


def _add_grafana(
    routes: Blueprint, store: Store, nudge: Nudge, settings: IngestSettings, keep: Keep
) -> None:
    @routes.route("/v1/webhooks/grafana", methods=["POST", "PUT"])
    @routes.doc(requestBody=described.grafana())
    @routes.alt_response(202, schema=ReceiptSchema, description="Stored")
    @answers_problems(routes, 400, 401, 413, 415, 503)
    @needs(Scope.INGEST)
    def post_grafana() -> Response:
        """Take a webhook of Grafana: a group is one incident.

        With `ingest.grafana.secret` it has to be signed.
        """
        raw, sender = body_bytes(), caller().name
        try:
            check_signature(raw, request.headers.get, settings.grafana, time())
            group = grafana_group(parse(raw), sender=sender, max_alerts=settings.max_alerts)
        except SignatureError as error:
            return _unsigned(error)
        except UnreadableError as error:
            keep(raw, error, sender)
            return _unreadable(error)
        return take([group], store.create_incident, nudge)


def _add_prometheus(
    routes: Blueprint, store: Store, nudge: Nudge, settings: IngestSettings, keep: Keep
) -> None:
    @routes.route("/v2/alerts", methods=["POST"])
    @routes.doc(requestBody=described.posted())
    @routes.alt_response(200, description="Stored; the body is empty, as Alertmanager's is")
    @answers_problems(routes, 400, 413, 415, 503)
    @needs(Scope.INGEST)
    def post_alerts() -> Response:
        """Take alerts as Alertmanager's API v2 does, for Prometheus' `alerting.alertmanagers`.

        An alert whose `endsAt` has passed is over, and so is one that is not sent again before
        it. Labels of `ingest.group_by` make alerts one incident. Bad alerts are kept as rejects.
        """
        raw, sender, now = body_bytes(), caller().name, datetime.now(UTC)
        try:
            groups = posted_groups(parse(raw), settings, now, sender=sender)
        except UnreadableError as error:
            keep(raw, error, sender)
            return _unreadable(error)
        return take(groups, store.create_incident, nudge, empty)


def _unreadable(error: UnreadableError) -> Response:
    errors = {"json": {error.field: [str(error)]}} if error.field else None
    return problem(400, "Bad Request", str(error), errors)


def _faulty(error: ValidationError, document: Any) -> Response:
    """Refuse what is no plain alert; a form of another door is told its door, not its fields."""
    if isinstance(document, list):
        told = "this is a list of alerts, as Prometheus posts it; post it to /api/v2/alerts"
    elif not isinstance(document, dict):
        told = "the body is not an object; send one alert, with alert_name"
    elif "alerts" in document:
        told = (
            "this is a webhook; post it to /api/v1/webhooks/alertmanager, or to "
            "/api/v1/webhooks/grafana when Grafana made it"
        )
    else:
        told = "the alert has fields that cannot be taken; errors names them"
        return problem(422, "Unprocessable Entity", told, {"json": error.messages_dict})
    return problem(422, "Unprocessable Entity", told)


def _unsigned(error: SignatureError) -> Response:
    answer = problem(401, "Unauthorized", str(error))
    answer.headers["WWW-Authenticate"] = 'Signature realm="opssage"'
    return answer
