"""What a browser may be led to do here by pages of other sites: nothing.

Programs send none of the headers that are looked at here but Host.
"""

from urllib.parse import urlsplit

from flask import Flask, Response, request

from opssage.settings import Settings, is_loopback
from webapi.auth import HEALTH, READS
from webapi.problems import problem

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def register(app: Flask, settings: Settings) -> None:
    """Refuse what pages of other sites have a browser write, or read under another name."""
    public = urlsplit(settings.web.base_url)
    if settings.auth.mode == "open" and is_loopback(settings.web.host):
        names = frozenset({*_LOOPBACK, settings.web.host.strip("[]"), public.hostname or ""})
        app.before_request(lambda: _refuse_other_names(names))
    app.before_request(lambda: _refuse_other_sites(public.netloc))


def _refuse_other_sites(public: str) -> Response | None:
    """Keep pages of other sites from writing with what a browser sends by itself."""
    if request.method in READS:
        return None
    origin = request.headers.get("Origin")
    if origin is not None and _site(origin) not in {request.host or public, public}:
        return problem(403, "Forbidden", f"pages of {origin} may not write here")
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return problem(403, "Forbidden", "pages of other sites may not write here")
    return None


def _site(origin: str) -> str:
    """Return host and port of an origin; pages without one say `null`."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _refuse_other_names(names: frozenset[str]) -> Response | None:
    """Keep pages from reaching an open API by a name that they have moved to this machine.

    That is DNS rebinding: their name is all that tells them from a program of this machine.
    """
    name = _host_name(request.host)
    if name in names or is_loopback(name) or request.path in HEALTH:
        return None
    return problem(
        421,
        "Misdirected Request",
        f"open to this machine only, so not answered under the name {name or '(none)'}; set "
        f"web.public_url to an address with that name, or auth.mode to token",
    )


def _host_name(host: str) -> str:
    """Return a host without its port. The framework has checked its characters."""
    return urlsplit(f"//{host}").hostname or ""
