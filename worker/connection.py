"""Connections to the broker that are back soon after it is."""

from typing import Any

import kombu
from celery.app import amqp

_INTERVALS = {"interval_start": 1, "interval_step": 1, "interval_max": 5}  # seconds
"""Celery has no option for these: its workers end up looking every 30 seconds."""


class Connection(kombu.Connection):
    """A connection that never looks less often than every few seconds."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        """Connect, trying again as `kombu.Connection` does but for the intervals."""
        return super().ensure_connection(*args, **{**_INTERVALS, **kwargs})


class AMQP(amqp.AMQP):
    """What `App` makes its connections with."""

    Connection = Connection
