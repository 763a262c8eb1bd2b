"""Logging in with a token, for people with a browser. A session is a row of its own.

Its secret lives in a cookie that no script can read, and no page of another site can write with.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from flask import Blueprint, Response, g, render_template, request, send_from_directory

from opssage.access import Actor, Caller, Scope
from opssage.log import get_logger
from opssage.settings import Settings
from store import NewToken, Store, split_token
from webapi.auth import SESSION_COOKIE, own_path
from webapi.keyring import Keyring
from webapi.limits import Limit, address

log = get_logger(__name__)

_FAILURES_PER_MINUTE = 10
_STATIC = Path(__file__).parent / "static"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    # with no referrer at all, browsers would not say either which page sent the form
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class _Login(NamedTuple):
    """What was sent to log in with, or why it will not do."""

    caller: Caller | None
    fault: str = ""


def blueprint(store: Store, keyring: Keyring, settings: Settings) -> Blueprint:
    """Return the login. In mode `open` there is nothing to log in to."""
    routes = Blueprint("sessions", __name__)
    failures = Limit(_FAILURES_PER_MINUTE)
    asks_for_token = settings.auth.mode == "token"

    @routes.get("/login.css")
    def style() -> Response:
        return send_from_directory(_STATIC, "login.css", max_age=3600)

    @routes.get("/login")
    def show_login() -> Response:
        onward = own_path(request.args.get("next", "/"))
        return _form(onward) if asks_for_token else _go_on("/")

    @routes.post("/login")
    def log_in() -> Response:
        onward = own_path(request.form.get("next", "/"))
        if not asks_for_token:
            return _go_on("/")
        login = _look_at(keyring, request.form.get("token", "").strip())
        if login.caller is None:
            if not failures.hit(address()):
                return _too_many(onward, failures)
            log.warning("login_refused", address=address(), reason=login.fault)
            return _form(onward, 401, login.fault)
        return _with_cookie(_go_on(onward), _open(store, keyring, settings, login.caller), settings)

    @routes.post("/logout")
    def log_out() -> Response:
        text = request.cookies.get(SESSION_COOKIE, "")
        parts = split_token(text)
        if parts and isinstance(keyring.holder(text, by_cookie=True), Caller):
            store.end_session(parts[0])
            keyring.forget()
        answer = _go_on("/login" if asks_for_token else "/")
        answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="Lax")
        return answer

    return routes


def _look_at(keyring: Keyring, text: str) -> _Login:
    found = keyring.holder(text)
    if not isinstance(found, Caller):
        return _Login(None, f"This token {found.reason}.")
    if not found.may(Scope.READ):
        return _Login(None, "This token may not read.")
    return _Login(found)


def _open(store: Store, keyring: Keyring, settings: Settings, caller: Caller) -> NewToken:
    """Open a session that lasts as long as is configured, but no longer than its token."""
    seconds = settings.auth.session_seconds
    if ends_at := keyring.expiry(caller):
        seconds = min(seconds, max(1.0, (ends_at - datetime.now(UTC)).total_seconds()))
    return store.open_session(
        caller.name,
        caller.scopes,
        by=Actor(name=caller.name, request_id=g.request_id),
        expires_seconds=seconds,
        parent_id=caller.token_id or "",
    )


def _with_cookie(answer: Response, session: NewToken, settings: Settings) -> Response:
    answer.set_cookie(
        SESSION_COOKIE,
        session.text,
        expires=session.kept.expires_at,
        httponly=True,
        samesite="Lax",  # a link in a message leads to its page; what writes is checked by Origin
        secure=request.is_secure or settings.web.base_url.startswith("https:"),
    )
    return answer


def _form(onward: str, status: int = 200, fault: str = "") -> Response:
    page = render_template("login.html", next=onward, fault=fault)
    return Response(page, status, _HEADERS)


def _too_many(onward: str, failures: Limit) -> Response:
    answer = _form(onward, 429, "Too many wrong tokens from this address. Wait a minute.")
    answer.headers.update(failures.headers(address()))
    return answer


def _go_on(path: str) -> Response:
    return Response(status=303, headers={**_HEADERS, "Location": path})
