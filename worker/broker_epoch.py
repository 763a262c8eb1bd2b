"""Notices that the broker has lost what it held.

The broker and the database both hold a marker. A broker that was emptied has none, and whoever
sees that first gives it another one, which the database does not know.
"""

from typing import cast
from uuid import uuid4

from kombu.transport.redis import Channel
from redis import Redis

from opssage import metrics
from opssage.log import get_logger
from store import Store

log = get_logger(__name__)

_KEY = "opssage:broker_epoch"


class BrokerEpoch:
    """What this process knows of the broker's marker, so that the database is asked once."""

    def __init__(self, store: Store) -> None:
        """Know no marker yet."""
        self._store = store
        self._known: bytes | None = None

    def look(self, channel: Channel) -> None:
        """Make everything that waits publishable again when the broker was emptied."""
        marker = _marker(channel)
        if marker is None or marker == self._known:
            return
        lost = self._store.renew_broker(marker.decode())
        self._known = marker
        if lost is not None:
            metrics.BROKER_WIPES.inc()
            log.warning("broker_was_emptied", published_anew=lost)


def _marker(channel: Channel) -> bytes | None:
    """Return the broker's marker, a new one where it had none; None if that is gone again."""
    # Not the channel's own client: it puts the prefix before the keys of some commands only.
    client = Redis(connection_pool=channel.client.connection_pool)
    if (marker := client.get(_KEY)) is None:
        client.set(_KEY, uuid4().hex, nx=True)
        marker = client.get(_KEY)
    return cast("bytes | None", marker)  # redis-py's types allow for an asynchronous client
