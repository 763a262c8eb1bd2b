"""What a browser may be led to do here by pages of other sites: nothing.

Programs send none of the headers that are looked at here but Host.
"""

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, request

from opssage.settings import Settings
from webapi.auth import HEALTH, READS
from webapi.problems import problem

_DEFAULT_PORTS = {None, 80, 443}
_OWN_NETWORK = (".localhost", ".internal", ".svc", ".svc.cluster.local")
"""Ends of names that the public DNS has not, and so no page of another site.

The first two are reserved (RFC 6761; ICANN, 2024), the others are services of Kubernetes. `.local`
is not among them: there any machine of the network may take any name.
"""


def register(app: Flask, settings: Settings) -> None:
    """Refuse what pages of other sites have a browser write, or read under another name."""
    public = settings.web.base_url
    if settings.auth.mode == "open":
        names = frozenset({_name(public), settings.web.host.lower()})
        app.before_request(lambda: _refuse_other_names(names))
    app.before_request(lambda: _refuse_other_sites(_site(public)))


def _refuse_other_sites(public: str) -> Response | None:
    """Keep pages of other sites from writing with what a browser sends by itself."""
    if request.method in READS:
        return None
    origin = request.headers.get("Origin")
    if origin is not None and _site(origin) not in {_site(f"//{request.host}") or public, public}:
        return problem(
            403,
            "Forbidden",
            f"pages of {origin} may not write here; if they are ours, set web.public_url to "
            "their address",
        )
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return problem(403, "Forbidden", "pages of other sites may not write here")
    return None


def _site(url: str) -> str:
    """Return host and port of an address in one spelling; pages without one say `null`.

    A default port is left out whichever scheme it is of: behind a proxy we may see another.
    """
    try:
        port = urlsplit(url).port
    except ValueError:
        return ""
    return _name(url) if port in _DEFAULT_PORTS else f"{_name(url)}:{port}"


def _name(url: str) -> str:
    """Return the host of an address in one spelling; empty when there is none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _refuse_other_names(names: frozenset[str]) -> Response | None:
    """Keep pages from reaching an open API by a name that they have moved to its machine.

    That is DNS rebinding: their name is all that tells them from a program of this network.
    """
    if request.path in HEALTH or _is_ours(request.host, names):
        return None
    name = _name(f"//{request.host}") or "(none)"
    return problem(
        421,
        "Misdirected Request",
        f"open to everybody, so not answered under the name {name}, which a page may have given "
        "this machine; set web.public_url to an address with that name, or auth.mode to token",
    )


@lru_cache(maxsize=128)
def _is_ours(host: str, names: frozenset[str]) -> bool:
    """Tell whether no page of another site can have this host. Each sender has the same always."""
    name = _name(f"//{host}")
    return name in names or name.endswith(_OWN_NETWORK) or _is_address(name) or _is_one_word(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_one_word(name: str) -> bool:
    """Tell whether a name can be had within one network only: `localhost`, a service of compose."""
    return bool(name) and "." not in name
