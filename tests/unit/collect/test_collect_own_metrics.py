"""Metrics of a site that the plan has no row for."""

from time import monotonic

import pytest
from unit.collect.stand_ins import ONSET, make_alert, make_scope, step_at, upstream_to

from tasks.collect.prometheus import PrometheusSource
from tasks.collect.telling_names import told

SHOP = make_alert({"alertname": "Slow", "namespace": "shop", "service": "web"})
CLOUD = make_alert({"alertname": "Slow", "service": "web"})


def ask(prometheus, scope):
    source = PrometheusSource(upstream_to(prometheus.transport))
    return source.ask(scope, monotonic() + 60)


def knows(prometheus, metric, *labels, scrapes=240):
    """Let a site have one metric besides `up`, scraped so often in an hour."""
    prometheus.metrics = {"up": ["job"], metric: labels}
    prometheus.on("count by (__name__)", ({"__name__": metric}, 2))
    prometheus.on("count_over_time", ({}, scrapes))


def of(answer, signal):
    return [item for item in answer.evidence if item.data.get("signal") == signal]


def test_gauge_is_found_by_the_label_that_names_the_service(prometheus):
    """Its sort is read off its name, its statistic off its label."""
    knows(prometheus, "shop_latency_seconds", "namespace", "service", "quantile")
    labels = {"__name__": "shop_latency_seconds", "namespace": "shop", "quantile": "0.99"}
    prometheus.on(
        "shop_latency_seconds",
        ({**labels, "service": "cart"}, step_at(ONSET, 0.1, 2.0)),
        ({**labels, "service": "web"}, 0.1),
    )

    moved, still = of(ask(prometheus, make_scope(SHOP)), "latency_p99")[::-1]

    assert moved.subject == {"namespace": "shop", "service": "cart"}
    assert moved.data["onset_at"]
    assert moved.data["reason"] == "quantile=0.99"
    assert still.data["onset_at"] is None


def test_counter_of_unknown_name_is_read_as_a_rate(prometheus):
    """As its ending says."""
    knows(prometheus, "shop_orders_failed_total", "namespace", "app")
    prometheus.on("rate(", ({"namespace": "shop", "app": "cart"}, step_at(ONSET, 0.0, 9.0)))

    (item,) = of(ask(prometheus, make_scope(SHOP)), "errors")

    assert item.data["unit"] == "per_second"
    assert item.query.startswith('rate({app!="",__name__="shop_orders_failed_total"')


@pytest.mark.parametrize(("other", "found"), [("web", 2), ("disk", 0)])
def test_vague_label_counts_where_a_known_service_is_among_its_values(prometheus, other, found):
    """`node` may be a machine as well, and every series has a job."""
    named = [({"__name__": "cloud_metric"}, 1)] if other == "web" else []
    prometheus.on('__name__="cloud_metric",node="web"', *named)
    prometheus.on('__name__="cloud_metric",job="web"')
    knows(prometheus, "cloud_metric", "node", "metric")
    values = {"__name__": "cloud_metric", "metric": "latency"}
    prometheus.on(
        "cloud_metric",
        ({**values, "node": "search"}, step_at(ONSET, 0.1, 2.0)),
        ({**values, "node": other}, 0.1),
    )

    assert len(of(ask(prometheus, make_scope(CLOUD)), "latency")) == found


def test_slow_scrapes_get_a_longer_history(prometheus):
    """Normal life is more than six samples."""
    knows(prometheus, "shop_latency", "namespace", "service", scrapes=12)
    ask(prometheus, make_scope(SHOP))

    (form,) = [form for form in prometheus.asked if "last_over_time" in form["query"]]
    assert form["step"] == "300"
    assert ONSET.timestamp() - float(form["start"]) >= 36 * 300


def test_what_the_plan_reads_is_not_read_twice(prometheus):
    """Nor is the rest of a histogram."""
    request = "http_request_duration_seconds"
    prometheus.metrics = {f"{request}_bucket": ["service"], f"{request}_sum": ["service"]}
    prometheus.on("histogram_quantile", ({"namespace": "shop", "service": "web"}, 1.0))

    ask(prometheus, make_scope(SHOP))

    assert not [query for query in prometheus.queries if "__name__" in query]


@pytest.mark.parametrize(
    ("metric", "labels", "is_rate", "signal", "value"),
    [
        ("cloud", {"metric": "availability", "stat": "Average"}, False, "error_ratio", 0.75),
        ("service_success_rate", {}, False, "error_ratio", 0.75),
        ("requestDuration_ms", {"quantile": "0.5"}, False, "latency", 0.025),
        ("latency", {"stat": "p99"}, False, "latency_p99", 25),
        ("orders_requests_total", {}, True, "request_rate", 25),
        ("jobs_failed_total", {}, True, "errors", 25),
        ("basket_size", {}, False, "basket_size", 25),
    ],
)
def test_names_tell_what_is_measured(metric, labels, is_rate, signal, value):
    """In the plan's words where they fit, and in its units."""
    what = told(metric, labels, is_rate=is_rate)

    assert (what.signal, what.values([25.0])(25.0)) == (signal, pytest.approx(value))
