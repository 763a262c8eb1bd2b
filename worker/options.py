"""Celery's options, each with the failure it guards against.

The database row is the queue of record; the broker is a small buffer that may vanish. So nothing
here is needed for durability, only for quick and calm recovery.
"""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from kombu import Queue

from opssage.incident import Stage
from opssage.settings import Settings
from tasks.pipeline import task_name

VISIBILITY_SECONDS = 900
"""When Redis gives an unacknowledged message to somebody else: above time limit and shutdown."""

_SOFT_SHARE = 0.9  # of the time limit; the rest is for telling why the stage was ended

_TRANSPORT: dict[str, Any] = {
    "visibility_timeout": VISIBILITY_SECONDS,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,  # the default of 10 waits 100 s before it looks
    "unacked_restore_limit": 500,
    "socket_timeout": 5,  # above the one second that BRPOP blocks
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "global_keyprefix": "opssage:",
}

_HASTY_TRANSPORT: dict[str, Any] = {
    **_TRANSPORT,
    # a request thread never waits for the broker, and its helper thread not long
    "socket_timeout": 1,
    "socket_connect_timeout": 0.5,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.2,
}

_FIXED: dict[str, Any] = {
    "broker_connection_retry": True,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,  # the default of 100 ends the worker
    "broker_channel_error_retry": True,  # a read-only replica would end the worker
    "broker_connection_timeout": 2,
    "broker_pool_limit": 10,
    "broker_pool_acquire_timeout": 1.0,  # the default waits for ever
    "task_acks_late": True,
    "task_acks_on_failure": True,
    "task_acks_on_timeout": True,
    "task_reject_on_worker_lost": True,  # the row counts attempts, so this comes to an end
    "task_retry_on_worker_lost": False,
    "task_ignore_result": True,
    "result_backend": None,
    "task_serializer": "json",
    "event_serializer": "json",
    "accept_content": ["json"],
    "result_accept_content": ["json"],
    "task_create_missing_queues": False,
    "worker_prefetch_multiplier": 1,
    # a fresh child costs a second of half the pool; memory is what may leak
    "worker_max_tasks_per_child": 10_000,
    "worker_max_memory_per_child": 400_000,  # KiB
    "worker_proc_alive_timeout": 60.0,  # the default of 4 s kills children on a loaded machine
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_soft_shutdown_timeout": 10.0,  # above the deadline of collect
    "worker_send_task_events": True,
    "worker_hijack_root_logger": False,
    "enable_utc": True,
    "timezone": "UTC",
    # the documentation asks for it in all three places
    "visibility_timeout": VISIBILITY_SECONDS,
    "result_backend_transport_options": {"visibility_timeout": VISIBILITY_SECONDS},
}


def options(settings: Settings, *, hasty: bool = False) -> dict[str, Any]:
    """Return Celery's configuration; `hasty` for a process that answers requests."""
    names = [task_name(stage) for stage in Stage]
    return {
        **_FIXED,
        "broker_url": _verifying(settings.broker.url),
        "broker_transport_options": _HASTY_TRANSPORT if hasty else _TRANSPORT,
        "task_publish_retry": True,
        "task_publish_retry_policy": {
            "max_retries": 1 if hasty else 3,
            "interval_start": 0,
            "interval_step": 0.1,
            "interval_max": 0.2,
        },
        "worker_concurrency": settings.worker.concurrency,
        "task_time_limit": settings.worker.stage_seconds,
        "task_soft_time_limit": settings.worker.stage_seconds * _SOFT_SHARE,
        "task_queues": [Queue(name, routing_key=name) for name in names],
        "task_routes": {name: {"queue": name} for name in names},
        "task_default_queue": names[0],
    }


def _verifying(url: str) -> str:
    """Return the URL of the broker so that its certificate is verified, unless it says otherwise.

    kombu verifies nothing when it is not told to.
    """
    parts = urlsplit(url)
    if parts.scheme != "rediss" or "ssl_cert_reqs" in parse_qs(parts.query):
        return url
    query = "&".join(filter(None, (parts.query, "ssl_cert_reqs=required")))
    return parts._replace(query=query).geturl()
