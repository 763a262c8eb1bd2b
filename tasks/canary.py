"""The canary: a task too small to fail, that tells a queue is consumed by processes that work."""

from typing import cast

from celery import shared_task

from opssage import beats
from opssage.errors import StoreUnavailableError
from opssage.incident import Stage
from opssage.log import get_logger
from tasks.pipeline import App, Task

log = get_logger(__name__)

NAME = "opssage.canary"


@shared_task(bind=True, name=NAME, send_events=False)  # Flower would show nothing but canaries
def canary(self: Task, *, stage: str) -> None:
    """Tell that the queue of a stage is consumed."""
    try:
        cast("App", self.app).parts.store.beat(beats.of_queue(Stage(stage)))
    except StoreUnavailableError as error:
        log.warning("beat_lost", stage=stage, error=str(error))
