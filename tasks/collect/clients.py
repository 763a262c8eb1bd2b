"""HTTP clients of the sources: credentials and certificates; nothing from the environment."""

import ssl
from pathlib import Path

import httpx2

from opssage.errors import SettingsError
from opssage.settings import HttpSource


def client(settings: HttpSource, folder: Path, *, section: str) -> httpx2.Client:
    """Return a client for this source. It follows no redirects and uses no proxy.

    Paths of certificates are relative to `folder`. Raises SettingsError, which names the key
    under `section`, for a certificate that cannot be read.
    """
    headers = {"Accept": "application/json"}
    if settings.bearer_token:
        headers["Authorization"] = f"Bearer {settings.bearer_token}"
    if settings.tenant:
        headers["X-Scope-OrgID"] = settings.tenant
    auth = None
    if settings.username and not settings.bearer_token:
        auth = httpx2.BasicAuth(settings.username, settings.password or "")
    return httpx2.Client(
        headers=headers,
        auth=auth,
        verify=_trust(settings, folder, section),
        trust_env=False,
        follow_redirects=False,
    )


def _trust(settings: HttpSource, folder: Path, section: str) -> ssl.SSLContext | bool:
    if not (settings.ca_file or settings.cert_file):
        return True
    context = ssl.create_default_context()
    key = "ca_file"
    try:
        if settings.ca_file:
            context.load_verify_locations(folder / settings.ca_file)
        key = "cert_file"
        if settings.cert_file:
            key_file = folder / settings.key_file if settings.key_file else None
            context.load_cert_chain(folder / settings.cert_file, key_file)
    except (OSError, ssl.SSLError) as error:
        name = getattr(settings, key)
        raise SettingsError([f"{section}.{key}: {name} cannot be used: {error}"]) from error
    return context
