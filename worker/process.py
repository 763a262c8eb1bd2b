"""The main process of a worker: it has a name, is watched, and gives back what it held."""

import os
from contextlib import closing
from typing import Any

from celery.apps import worker

import store
from opssage.errors import StoreUnavailableError
from opssage.log import get_logger
from worker import watchdog

log = get_logger(__name__)


class Worker(worker.Worker):
    """Celery's worker program. `App` runs this one."""

    def on_start(self) -> None:
        """Take the name that claims are made under, before any child is forked."""
        self.app.owner = f"{self}/{os.getpid()}"
        super().on_start()
        watchdog.watch(self.app, self._children, self.app.opssage_settings.worker.silence_seconds)

    def on_stopped(self) -> None:
        """Give leases back: by now the children have ended, however the worker was stopped."""
        try:
            self._give_leases_back()
        except StoreUnavailableError as error:
            log.warning("leases_kept", error=str(error))  # they run out by themselves
        super().on_stopped()

    def _give_leases_back(self) -> None:
        settings = self.app.opssage_settings
        # a store of its own: no connection may be open in here while children are forked
        with closing(store.connect(settings.database, settings.folder, hasty=True)) as memory:
            if released := memory.release(self.app.owner):
                log.info("leases_given_back", stages=released)

    def _children(self) -> list[int]:
        told: Any = self.pool.info if self.pool else {}  # Celery's types take it for a method
        return list(told.get("processes", ()))
