"""Is it alive, is it ready, and how is it doing."""

from collections.abc import Callable, Mapping

from flask import Blueprint, Response, jsonify
from prometheus_client.registry import Collector

from opssage import metrics
from opssage.log import get_logger

log = get_logger(__name__)

Probe = Callable[[], str | None]
"""Asks one part; returns what is wrong with it, or None. May raise."""

_DISPENSABLE = frozenset({"broker"})
"""Without these alerts are taken and answered 202 all the same: the database is the queue."""


def blueprint(probes: Mapping[str, Probe], gauges: Collector) -> Blueprint:
    """Return `/livez`, `/readyz` and `/metrics`.

    `probes` are what readiness asks; it is `degraded`, and still 200, when only the broker is
    away. `gauges` are collected at each scrape.
    """
    routes = Blueprint("health", __name__)

    @routes.get("/livez")
    def livez() -> Response:
        return jsonify(status="alive")

    @routes.get("/readyz")
    def readyz() -> tuple[Response, int]:
        checks = {name: _ask(name, probe) for name, probe in probes.items()}
        status = _status({name for name, fault in checks.items() if fault})
        answer = jsonify(
            status=status, checks={name: fault or "ok" for name, fault in checks.items()}
        )
        return answer, 503 if status == "not ready" else 200

    @routes.get("/metrics")
    def show_metrics() -> Response:
        return Response(metrics.exposition(gauges), content_type="text/plain; version=0.0.4")

    return routes


def _status(broken: set[str]) -> str:
    if broken - _DISPENSABLE:
        return "not ready"
    return "degraded" if broken else "ready"


def _ask(name: str, probe: Probe) -> str | None:
    try:
        fault = probe()
    except Exception as error:  # noqa: BLE001 - whatever a probe meets is what is wrong
        # the route is public, so the answer does not tell hosts and users
        log.warning("probe_failed", probe=name, error=str(error))
        return f"{type(error).__name__}; the log says more"
    if fault:
        log.warning("probe_failed", probe=name, error=fault)
    return fault
