"""Who calls, and may they? In mode `open` everybody, else whoever has a token with the scope."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlencode

from flask import Flask, Response, current_app, g, request

from opssage.access import ANYBODY, NOBODY, Actor, Caller, Scope
from opssage.log import get_logger
from webapi.keyring import Keyring
from webapi.masking import masked
from webapi.problems import problem
from webapi.remedies import remedy

log = get_logger(__name__)

SESSION_COOKIE = "opssage_session"
READS = frozenset({"GET", "HEAD", "OPTIONS"})
HEALTH = frozenset({"/livez", "/readyz", "/metrics"})
"""Routes that machines ask all day."""
PUBLIC = HEALTH | {"/login", "/login.css", "/logout"}
"""Routes that answer anybody: they hold no secret."""

_OF_LIBRARIES = {"api-docs.openapi_json": Scope.READ, "api-docs.openapi_swagger_ui": Scope.READ}

View = TypeVar("View", bound=Callable[..., Any])


def needs(scope: Scope) -> Callable[[View], View]:
    """Mark the scope that a view asks for. Directly above its `def`, below the route."""

    def mark(view: View) -> View:
        view.needs = scope  # type: ignore[attr-defined]
        return view

    return mark


def scope_of(app: Flask, endpoint: str) -> Scope:
    """Return what a route asks for; what is not marked is the admins'."""
    marked: Scope | None = getattr(app.view_functions[endpoint], "needs", None)
    return marked or _OF_LIBRARIES.get(endpoint, Scope.ADMIN)


def caller() -> Caller:
    """Return who makes this request."""
    found: Caller = g.get("caller", NOBODY)
    return found


def actor() -> Actor:
    """Return who makes this request, as the audit remembers it."""
    return Actor(name=caller().name, request_id=g.get("request_id", ""))


class Presented(NamedTuple):
    """A token as it came with a request."""

    place: str
    text: str
    by_cookie: bool = False


def identify(app: Flask, keyring: Keyring, mode: str) -> None:
    """Find out who makes each request, before anything that asks `caller`."""
    app.before_request((_identify_guest if mode == "open" else _identify)(keyring))


def _identify_guest(keyring: Keyring) -> Callable[[], None]:
    """Return what lets anybody in; a token that is known gives its name."""

    def find_name() -> None:
        g.caller = ANYBODY
        if request.path in PUBLIC:
            return
        for place, text, _ in _in_headers():
            found = keyring.holder(text)
            if isinstance(found, Caller):
                g.caller = replace(found, scopes=ANYBODY.scopes)
                return
            log.debug("token_ignored", place=place, reason=found.reason)

    return find_name


def _identify(keyring: Keyring) -> Callable[[], None]:
    """Return what looks for the first token that is right."""

    def find_caller() -> None:
        g.fault, g.owner = "", None
        if request.path in PUBLIC:
            return
        for place, text, by_cookie in (*_in_headers(), *_in_cookie()):
            found = keyring.holder(text, by_cookie=by_cookie)
            if isinstance(found, Caller):
                g.caller = found
                return
            g.fault = g.fault or f"the token in {place} {found.reason}"
            g.owner = g.owner or found.name

    return find_caller


def _in_headers() -> Iterator[Presented]:
    header = request.headers.get("Authorization", "").strip()
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() == "basic":
        given = request.authorization
        yield Presented("Authorization: Basic", (given and given.password) or "")
    elif header:
        # a sender that is told no scheme sends the bare token
        yield Presented("Authorization", (credentials or scheme).strip())
    if key := request.headers.get("X-API-Key"):
        yield Presented("X-API-Key", key)


def _in_cookie() -> Iterator[Presented]:
    if text := request.cookies.get(SESSION_COOKIE):
        yield Presented("the session", text, by_cookie=True)


def authorise(app: Flask, mode: str) -> None:
    """Refuse in mode `token` whoever has no right to what they ask for."""
    if mode == "token":
        app.before_request(_refuse_without_right)


def _refuse_without_right() -> Response | None:
    if request.path in PUBLIC:
        return None
    # nothing answers at an address without a route: the token alone is looked at
    route = request.url_rule
    scope = scope_of(current_app, route.endpoint) if route else Scope.READ
    if "caller" not in g:
        return _login_first() or _unauthorized(scope)
    if route is None or caller().may(scope):
        return None
    return _forbidden(scope)


def _unauthorized(scope: Scope) -> Response:
    how = remedy(_rule(), scope, g.owner)
    answer = problem(401, "Unauthorized", f"{g.fault or 'no token was sent'}; {how}")
    answer.headers["WWW-Authenticate"] = 'Bearer realm="opssage", Basic realm="opssage"'
    return answer


def _forbidden(scope: Scope) -> Response:
    held = ", ".join(each for each in Scope if each in caller().scopes)
    fault = f"the token of {caller().name} has the scope {held}, and this asks for {scope}"
    return problem(403, "Forbidden", f"{fault}; {remedy(_rule(), scope)}")


def _rule() -> str:
    return request.url_rule.rule if request.url_rule else ""


def _login_first() -> Response | None:
    """Lead a person's browser to the login; a program never asks for HTML in words."""
    if request.method not in {"GET", "HEAD"} or "Authorization" in request.headers:
        return None
    if "text/html" not in request.headers.get("Accept", ""):
        return None
    login = f"/login?{urlencode({'next': own_path(request.full_path)})}"
    return Response(status=302, headers={"Location": login, "Cache-Control": "no-store"})


def own_path(text: str) -> str:
    """Return a path of ours to go on to; `/` for what leads elsewhere or holds a secret."""
    path = text.rstrip("?")
    leads_elsewhere = not path.startswith("/") or path.startswith("//") or "\\" in path
    plain = unquote(path)
    if leads_elsewhere or not path.isprintable() or masked(plain) != plain:
        return "/"
    return path
