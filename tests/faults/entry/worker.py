"""`celery -A faults.entry.worker worker`: the product's own worker, with failpoints."""

from celery import signals
from faults.entry.prepare import die_with_parent, prepare

prepare()
# the end of a container ends them together; here nobody else would
signals.worker_process_init.connect(die_with_parent, weak=False)

from worker.celery import app  # noqa: E402 - after the failpoints

__all__ = ["app"]
