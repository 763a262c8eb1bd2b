"""What the broker holds, read past the proxies."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from opssage.incident import Stage
from tasks.pipeline import task_name

PREFIX = "opssage:"
QUEUES = tuple(f"{PREFIX}{task_name(stage)}" for stage in Stage)


@contextmanager
def opened(url: str) -> Iterator[redis.Redis]:
    """Yield a client of the broker itself."""
    with redis.Redis.from_url(url) as client:
        yield client


def queued(client: redis.Redis) -> int:
    """Return how many messages wait for a worker."""
    return sum(client.llen(queue) for queue in QUEUES)


def incident_ids(client: redis.Redis) -> list[str]:
    """Return what the waiting messages are about, one for each."""
    waiting = (json.loads(raw) for queue in QUEUES for raw in client.lrange(queue, 0, -1))
    arguments = (json.loads(base64.b64decode(each["body"]))[0] for each in waiting)
    return [args[0] for args in arguments if args]


def held(client: redis.Redis) -> int:
    """Return how many messages wait for a worker, or for a worker's word that they are done."""
    return queued(client) + client.hlen(f"{PREFIX}unacked")


def sent(client: redis.Redis) -> int:
    """Return how many messages were put into queues since the broker's counters began."""
    return sum(
        counted["calls"]
        for name, counted in client.info("commandstats").items()
        if name in {"cmdstat_lpush", "cmdstat_rpush"}
    )
