"""How a message gets to a target. URLs of targets hold tokens: none leaves this module."""

import logging
import re
from typing import Protocol
from urllib.parse import unquote

import apprise

from opssage.errors import OpsSageError
from opssage.notification import Event
from opssage.redaction import mask, redact_text
from tasks.notify.message import Message

_KINDS = {
    Event.COMPLETED: apprise.NotifyType.INFO,
    Event.FAILED: apprise.NotifyType.FAILURE,
    Event.REOPENED: apprise.NotifyType.WARNING,
}
_TELL_URLS = ("apprise", "oauthlib", "requests_oauthlib", "urllib3")
"""Loggers that may write a URL, or the part of it that is the token, into our log."""

_SHORTEST_SECRET = 3
_BETWEEN = r"[/:@?&=#,\s]+"
_UNKNOWN_REASON = "it gave no reason"


class NotSentError(OpsSageError):
    """The target did not take the message."""

    permanent = False


class UnusableTargetError(OpsSageError):
    """apprise can make nothing of the target's URL."""

    permanent = False  # who corrects it in time has the message sent


class Sender(Protocol):
    """Gets messages to where a URL says."""

    def send(self, url: str, message: Message) -> None:
        """Send now. Raises NotSentError, or UnusableTargetError when nobody knows how to."""


class AppriseSender:
    """Sends through apprise, which knows more than a hundred services.

    Connecting and each read may take 4 s, unless the URL says otherwise (`cto`, `rto`).
    """

    def __init__(self) -> None:
        """Keep the libraries' lines out of the log: what they say comes back as the error."""
        _silence()
        # no deadline of its own: it would be kept by threads that outlive the process' end
        self._asset = apprise.AppriseAsset(app_id="OpsSage", service_timeout=0, async_mode=False)

    def send(self, url: str, message: Message) -> None:
        """Send now. Raises NotSentError, or UnusableTargetError when nobody knows how to."""
        service = apprise.Apprise.instantiate(url, asset=self._asset)
        if service is None:
            raise UnusableTargetError
        service.request_rate_per_sec = 0  # it would sleep between the recipients
        sender = apprise.Apprise(asset=self._asset)
        sender.add(service)
        result = sender.notify(
            title=message.title,
            body=message.body,
            notify_type=_KINDS[message.event],
            body_format=apprise.NotifyFormat.TEXT,
        )
        if not result:
            said = " ".join(entry.message for entry in result.logs()) or _UNKNOWN_REASON
            raise NotSentError(_without(url, str(service.url(privacy=True)), said))  # type: ignore[no-untyped-call]


def unusable(url: str) -> bool:
    """Tell whether apprise can make nothing of a URL."""
    _silence()
    return apprise.Apprise.instantiate(url) is None


def _silence() -> None:
    for name in _TELL_URLS:
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.handlers = [logging.NullHandler()]


def _without(url: str, shown: str, text: str) -> str:
    """Return `text` with every part of a URL masked but the host, if apprise shows that.

    In some URLs the token stands where others have the host.
    """
    scheme, _, rest = url.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2].partition(":")[0]
    kept = {scheme, host} if host in shown else {scheme}
    words = {part for whole in (rest, unquote(rest)) for part in re.split(_BETWEEN, whole)} - kept
    secrets = sorted((word for word in words if len(word) >= _SHORTEST_SECRET), key=len)
    if secrets:
        longest_first = "|".join(map(re.escape, reversed(secrets)))
        text = re.sub(longest_first, lambda found: mask(found[0]), text, flags=re.IGNORECASE)
    return redact_text(" ".join(text.split()))
