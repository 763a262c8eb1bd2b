"""The engine room: the Celery app, its queues, and the one publisher."""
