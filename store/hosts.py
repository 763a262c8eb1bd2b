"""PostgreSQL on several hosts: one is tried after the other, each with its share of the time."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

import psycopg2
from sqlalchemy import Dialect

from store.waiting import within

_LISTS = ("host", "hostaddr", "port")  # libpq takes several of each, separated by commas


class Hosts:
    """The hosts to connect to; the one that took a connection last is tried first.

    libpq goes through several hosts as well, but while waits are bounded it does not leave one
    that is silent.
    """

    def __init__(self, options: Mapping[str, Any], seconds: float) -> None:
        """Take libpq's options, and the time for all hosts together."""
        lists = {key: str(options[key]).split(",") for key in _LISTS if key in options}
        count = max(map(len, lists.values()), default=1)
        columns = [values * count if len(values) == 1 else values for values in lists.values()]
        self._hosts = [dict(zip(lists, row, strict=True)) for row in zip(*columns, strict=True)]
        self._seconds = seconds
        self._last: dict[str, str] = {}

    def __len__(self) -> int:
        """Return how many there are; none when libpq is to use its default."""
        return len(self._hosts)

    def connect(
        self, dialect: Dialect, _record: object, told: list[Any], options: dict[str, Any]
    ) -> Any:
        """Connect to the first that is as the options ask; SQLAlchemy's `do_connect` event.

        Raises psycopg2.OperationalError with what each of them said.
        """
        faults = []
        order = sorted(self._hosts, key=lambda host: host != self._last)
        with within(self._seconds) as deadline:
            for tried, host in enumerate(order):
                share = (deadline - monotonic()) / (len(order) - tried)
                try:
                    with within(share):
                        connection = dialect.connect(*told, **options | host)
                except psycopg2.OperationalError as error:
                    faults.append(f"{':'.join(host.values())}: {' '.join(str(error).split())}")
                else:
                    self._last = host
                    return connection
        raise psycopg2.OperationalError("; ".join(faults))
