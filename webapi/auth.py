"""Who may come in: everybody in `open` mode, else whoever knows the token."""

import hmac
from urllib.parse import urlsplit

from flask import Flask, Response, request

from opssage.settings import AuthSettings
from webapi.problems import problem

_HELP = (
    "send the configured token as `Authorization: Bearer TOKEN` or as the password of Basic "
    "authentication; in Alertmanager's receiver: http_config: {authorization: {credentials: TOKEN}}"
)
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
PUBLIC = frozenset({"/livez", "/readyz", "/metrics"})
"""Routes that answer anybody: they hold no secret and machines ask them."""


def register(app: Flask, settings: AuthSettings) -> None:
    """Guard every route but `PUBLIC` when the mode is `token`; else refuse other sites' pages."""
    if settings.mode == "token":
        expected = settings.token or ""
        app.before_request(lambda: _refuse_unless(expected))
    else:
        app.before_request(_refuse_other_sites)


def _refuse_other_sites() -> Response | None:
    """Keep a page of another site from writing through the browser of somebody on this machine."""
    origin = request.headers.get("Origin")
    if request.method in _READS or origin is None or urlsplit(origin).netloc == request.host:
        return None
    return problem(403, "Forbidden", f"pages of {origin} may not write here")


def _refuse_unless(expected: str) -> Response | None:
    if request.path in PUBLIC:
        return None
    given = request.authorization
    token = (given.token or given.password or "") if given else ""
    if hmac.compare_digest(token.encode(), expected.encode()):
        return None
    answer = problem(401, "Unauthorized", _HELP)
    answer.headers["WWW-Authenticate"] = 'Bearer realm="opssage", Basic realm="opssage"'
    return answer
