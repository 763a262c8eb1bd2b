"""The one publisher: turns due rows into messages, most severe first."""

from celery import Celery
from kombu import Producer
from kombu.transport.virtual import Channel

from opssage import metrics
from opssage.incident import Stage
from opssage.log import get_logger
from opssage.settings import WorkerSettings
from store import Due, Store
from tasks.pipeline import investigation, task_name

log = get_logger(__name__)


def dispatch(app: Celery, store: Store, settings: WorkerSettings) -> bool:
    """Publish the chains of due incidents while the broker's buffer has room.

    Returns True when it is full, so that there may be more to publish. Any number of processes may
    call this at any time. Raises whatever the broker's client raises, after giving the unpublished
    ones back.
    """
    # a pooled connection: a new one costs more than everything else here together
    with app.producer_or_acquire() as producer:
        free = room(producer.channel, settings)
        return fill(app, store, settings, producer, free) == free


def room(channel: Channel, settings: WorkerSettings) -> int:
    """Return how many messages the broker's buffer has room for; not below 0."""
    return max(settings.high_water - waiting(channel), 0)


def waiting(channel: Channel) -> int:
    """Return how many messages wait in the queues of all stages."""
    # not passive: kombu looks for a Redis queue without the key prefix, and finds none
    declared = (channel.queue_declare(queue=task_name(stage), durable=True) for stage in Stage)
    return sum(each.message_count for each in declared)


def fill(app: Celery, store: Store, settings: WorkerSettings, producer: Producer, most: int) -> int:
    """Publish the chains of up to `most` due incidents; returns how many there were."""
    due = store.take_due(most, settings.resend_seconds) if most > 0 else []
    if due:
        _publish(app, store, due, producer)
    return len(due)


def _publish(app: Celery, store: Store, due: list[Due], producer: Producer) -> None:
    try:
        # sent together when the block ends; kombu's type stubs do not know it yet
        with producer.batch():  # type: ignore[attr-defined]
            for item in due:
                stages = Stage.remaining(item.status)
                investigation(item.incident_id, stages, app).apply_async(producer=producer)
    except BaseException:
        store.give_back([item.incident_id for item in due])
        log.warning("dispatch_incomplete", unsent=len(due))
        raise
    metrics.DISPATCHED.inc(len(due))
