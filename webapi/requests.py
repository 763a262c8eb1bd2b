"""What happens around every request: its id, its log line, its metric."""

import re
from http import HTTPStatus
from logging import DEBUG, INFO
from secrets import token_hex
from time import perf_counter

from flask import Flask, Response, g, request

from opssage import log, metrics
from webapi.auth import HEALTH, caller
from webapi.masking import masked

logger = log.get_logger(__name__)

# a client may send any word; only known ones become a series
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS = {
    # a shared cache does not know a cookie or X-API-Key for what opened a page
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def register(app: Flask) -> None:
    """Wrap all requests of the app."""
    app.before_request(_begin)
    app.after_request(_end)


def count_from_zero(app: Flask) -> None:
    """Give each door of alerts a series of its refusals before the first: without one, no rate."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("alerts."):
            for method in sorted((rule.methods or set()) & {"POST", "PUT"}):
                metrics.HTTP_REQUEST_SECONDS.labels(
                    method, rule.rule, str(HTTPStatus.SERVICE_UNAVAILABLE.value)
                )


def _begin() -> None:
    g.started = perf_counter()
    given = request.headers.get("X-Request-ID", "")
    is_fit = _REQUEST_ID.fullmatch(given) and masked(given) == given
    g.request_id = given if is_fit else token_hex(8)
    log.bind(request_id=g.request_id)


def _end(answer: Response) -> Response:
    seconds = perf_counter() - g.started
    route = request.url_rule.rule if request.url_rule else "unknown"
    method = request.method if request.method in _METHODS else "other"
    metrics.HTTP_REQUEST_SECONDS.labels(method, route, str(answer.status_code)).observe(seconds)
    # machines ask these all day
    is_routine = request.path in HEALTH and answer.status_code == HTTPStatus.OK
    quiet = is_routine or answer.status_code == HTTPStatus.NOT_MODIFIED
    logger.log(
        DEBUG if quiet else INFO,
        "request",
        method=request.method,
        path=masked(request.path),
        caller=caller().name,
        status=answer.status_code,
        seconds=round(seconds, 4),
    )
    answer.headers["X-Request-ID"] = g.request_id
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    log.unbind("request_id")
    return answer
