"""Who may come in: everybody in `open` mode, else whoever knows the token."""

import hmac

from flask import Flask, Response, request

from opssage.settings import AuthSettings
from webapi.problems import problem

_HELP = (
    "send the configured token as `Authorization: Bearer TOKEN` or as the password of Basic "
    "authentication; in Alertmanager's receiver: http_config: {authorization: {credentials: TOKEN}}"
)
PUBLIC = frozenset({"/livez", "/readyz", "/metrics"})
"""Routes that answer anybody: they hold no secret and machines ask them."""


def register(app: Flask, settings: AuthSettings) -> None:
    """Guard every route but `PUBLIC` when the mode is `token`."""
    if settings.mode == "token":
        expected = settings.token or ""
        app.before_request(lambda: _refuse_unless(expected))


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
