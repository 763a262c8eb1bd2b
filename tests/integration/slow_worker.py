"""A worker whose one source of evidence takes SLOW_SECONDS, and whose shutdown waits for two."""

import os
import time
from dataclasses import replace

from tasks.collect.source import Answer, Scope
from worker.celery import app

SOFT_SECONDS = 2.0


class Slow:
    """A source that takes its time and finds nothing."""

    name = "slow"

    def ask(self, scope: Scope, deadline: float) -> Answer:
        """Answer late."""
        time.sleep(float(os.environ["SLOW_SECONDS"]))
        return Answer()


app.parts = replace(app.parts, sources=(Slow(),))
app.conf.worker_soft_shutdown_timeout = SOFT_SECONDS
