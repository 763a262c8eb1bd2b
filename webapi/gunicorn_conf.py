"""`gunicorn -c webapi/gunicorn_conf.py webapi.wsgi:app`: its options, from our settings."""

import gc
from typing import Any

from opssage import log
from opssage.settings import load
from webapi import database

_loaded = load()
_settings = _loaded.web

bind = f"{_settings.host}:{_settings.port}"
worker_class = "gthread"
workers = _settings.processes
threads = _settings.threads
timeout = 30
graceful_timeout = 20
keepalive = 5
accesslog = None  # the app writes one line per request
control_socket_disable = True


def on_starting(_server: Any) -> None:
    """Log in our form from the first line on, and wait for the database.

    Here, as gunicorn ends a worker that takes longer than `timeout` to start.
    """
    log.configure(_loaded.logging)
    database.prepare(_loaded)


def post_worker_init(_worker: Any) -> None:
    """Leave what was imported out of every later collection."""
    gc.collect()
    gc.freeze()
