"""What OpsSage measures of itself, for Prometheus.

Labels hold words of a small fixed set, never ids, names of alerts or paths with ids in them.
"""

import os
import platform

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
    values,
)
from prometheus_client.registry import Collector

from opssage import __version__
from opssage.incident import Stage
from opssage.notification import Event

_HOST = platform.node().replace("_", "-")  # the client splits file names at "_"


def _process() -> str:
    """Return a name that no process has in another container that shares the folder."""
    return f"{_HOST}-{os.getpid()}"


if values.ValueClass is not values.MutexValue:  # started with PROMETHEUS_MULTIPROC_DIR
    values.ValueClass = values.MultiProcessValue(_process)  # type: ignore[no-untyped-call]

_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_STAGE_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

ALERTS_RECEIVED = Counter(
    "opssage_alerts_received",
    "Alerts received; outcome: accepted, duplicate, ignored, rejected, refused.",
    ("outcome",),
)
INCIDENTS_OPENED = Counter("opssage_incidents_opened", "Incidents opened.", ("severity",))
WEBHOOK_SECONDS = Histogram(
    "opssage_webhook_seconds",
    "Time to take a delivery of alerts, commit included.",
    buckets=_REQUEST_BUCKETS,
)
HTTP_REQUEST_SECONDS = Histogram(
    "opssage_http_request_seconds",
    "Time to answer a request; route: the rule that matched.",
    ("method", "route", "status"),
    buckets=_REQUEST_BUCKETS,
)
STAGE_SECONDS = Histogram(
    "opssage_stage_seconds",
    "Time of the work of a stage, without claim and commit.",
    ("stage",),
    buckets=_STAGE_BUCKETS,
)
STAGE_RESULTS = Counter(
    "opssage_stage_results",
    "Ends of stages; outcome: committed, dropped, failed, retried.",
    ("stage", "outcome"),
)
DISPATCHED = Counter("opssage_dispatched", "Chains published to the broker.")
BROKER_WIPES = Counter("opssage_broker_wipes", "Times the broker was found emptied.")
SOURCE_REQUESTS = Counter(
    "opssage_source_requests",
    "Questions to sources of evidence; outcome: ok, empty, failed, skipped, not_configured.",
    ("source", "outcome"),
)
SOURCE_REQUEST_SECONDS = Histogram(
    "opssage_source_request_seconds",
    "Time a source of evidence took to answer.",
    ("source",),
    buckets=_REQUEST_BUCKETS,
)
NOTIFICATIONS = Counter(
    "opssage_notifications",
    "Attempts to notify a target; outcome: sent, skipped, retried, failed.",
    ("event", "outcome"),
)
DIAGNOSES = Counter("opssage_diagnoses", "Diagnoses committed.", ("verdict",))
BUILD_INFO = Gauge(
    "opssage_build_info",
    "1; the labels tell what is running.",
    ("version", "python"),
    multiprocess_mode="max",
)

BUILD_INFO.labels(__version__, platform.python_version()).set(1)
# A series that starts at 0 has a rate from its first event on.
for _outcome in ("accepted", "duplicate", "ignored", "rejected", "refused"):
    ALERTS_RECEIVED.labels(_outcome)
for _stage in Stage:
    for _outcome in ("committed", "dropped", "failed", "retried"):
        STAGE_RESULTS.labels(_stage.value, _outcome)
for _event in Event:
    for _outcome in ("sent", "skipped", "retried", "failed"):
        NOTIFICATIONS.labels(_event.value, _outcome)


def exposition(*more: Collector) -> bytes:
    """Return the metrics in Prometheus' text format, followed by what `more` collect.

    Where the process was started with PROMETHEUS_MULTIPROC_DIR, the former are the sums over all
    processes that share the folder; the latter are told as they are.
    """
    registry = REGISTRY
    if values.ValueClass is not values.MutexValue:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return b"".join(generate_latest(each) for each in (registry, *more))
