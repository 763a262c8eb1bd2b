"""Grafana's webhook: Alertmanager's shape with more fields, and a signature if one is set up.

Sources: grafana/alerting, receivers/webhook/v1/webhook.go and templates/template_data.go for the
fields, http/hmac.go for the signature.
"""

import hmac
import re
from collections.abc import Callable
from typing import Any

from opssage.incident import AlertGroup
from opssage.settings import GrafanaSettings
from webapi.senders.alertmanager import webhook_group
from webapi.senders.one_by_one import NO_LIMIT

SIGNATURE_HEADERS = ("X-Grafana-Alerting-Signature", "X-Grafana-Alert-Signature")
"""What the documentation says the header is called by default, and what the code calls it."""

Header = Callable[[str], str | None]
_SECONDS = re.compile(r"[0-9]{1,12}")


class SignatureError(ValueError):
    """A webhook is not signed as it should be; the message says which part and what to do."""


def grafana_group(body: Any, *, sender: str = "default", max_alerts: int = NO_LIMIT) -> AlertGroup:
    """Return the group of a Grafana webhook. Raises UnreadableError when it is none.

    The fingerprint is taken as it is: Grafana computes it over labels that it does not send.
    """
    return webhook_group(
        body, expected="a Grafana webhook, version 1", sender=sender, max_alerts=max_alerts
    )


def check_signature(raw: bytes, header: Header, settings: GrafanaSettings, now: float) -> None:
    """Check who sent the bytes of a body, and when; `now` is in seconds since 1970.

    `header` returns a header of the request. Raises SignatureError. Everything passes while no
    secret is configured.
    """
    if settings.secret is None:
        return
    given = next(filter(None, map(header, SIGNATURE_HEADERS)), None)
    if given is None:
        raise SignatureError(
            f"{SIGNATURE_HEADERS[0]} is missing: enter the secret in the contact point, under "
            "HMAC Signature, and leave Header there empty"
        )
    stamp = _timestamp(header, settings, now)
    signed = hmac.new(settings.secret.encode(), stamp + raw, "sha256").hexdigest()
    if not hmac.compare_digest(given.encode(), signed.encode()):
        raise SignatureError(
            "the signature does not fit the body: the contact point's secret has to be "
            "ingest.grafana.secret, its Timestamp Header has to be "
            f"{settings.timestamp_header or 'empty'}, as ingest.grafana.timestamp_header is, and "
            "nothing in between may change the body"
        )


def _timestamp(header: Header, settings: GrafanaSettings, now: float) -> bytes:
    """Return what is signed in front of the body."""
    name = settings.timestamp_header
    if name is None:
        return b""
    text = header(name) or ""
    if not _SECONDS.fullmatch(text):
        raise SignatureError(
            f"{name} holds no time in seconds since 1970: enter {name} in the contact point "
            "as Timestamp Header, or set ingest.grafana.timestamp_header to null"
        )
    apart = abs(now - int(text))
    if apart > settings.skew_seconds:
        raise SignatureError(
            f"the time in {name} is {apart:.0f} seconds from ours, and "
            f"ingest.grafana.skew_seconds allows {settings.skew_seconds:g}: set the clocks"
        )
    return f"{text}:".encode()
