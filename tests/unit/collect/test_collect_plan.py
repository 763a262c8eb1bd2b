"""The query plan."""

import re

import promql_parser
import pytest

from tasks.collect.places import Places
from tasks.collect.plan import ALERT_SIGNAL, ROWS
from tasks.collect.promql import Matcher, build, selectors
from tasks.collect.questions import Row, questions
from tasks.collect.series import Tolerance

SIGNALS = {
    "restarts", "waiting_reason", "terminated_reason", "replicas_unavailable", "cpu_usage",
    "cpu_limit", "memory_limit", "cpu_throttling", "memory_usage", "node_cpu", "node_memory",
    "node_disk", "node_condition", "request_rate", "error_ratio", "latency_p99",
    "edge_error_ratio", "pvc_usage", "up",
}  # fmt: skip
FAMILY = {"rate", "increase", "histogram_quantile"}


def row(**changes):
    values = {
        "signal": "s", "title": "t", "promql": "m{$M}", "labels": {}, "names": (), "unit": "",
        "tolerance": Tolerance(floor=1),
    }  # fmt: skip
    return Row(**{**values, **changes})


def test_plan_reads_every_signal():
    """The diagnosis relies on these names."""
    assert {item.signal for item in ROWS} == SIGNALS


@pytest.mark.parametrize("item", ROWS, ids=[f"{n}-{item.signal}" for n, item in enumerate(ROWS)])
def test_plan_stays_within_the_small_family(item):
    """A replayed outage can answer every planned query."""
    for template in filter(None, (item.promql, item.over)):
        query = build(template, [Matcher(label="namespace", values=("shop",))])
        calls = set(re.findall(r"\b([a-z_]+) ?\(", query)) - {"by"}
        assert calls <= FAMILY | {"sum", "max", "avg", "min", "count"}
        assert all(
            any(matcher.name == "namespace" for matcher in selector.matchers.matchers)
            for selector in selectors(promql_parser.parse(query))
        )


def test_plan_matches_places_that_exist():
    """A typing error in a row would ask nothing, silently."""
    fields = set(Places.__dataclass_fields__)

    assert {place for item in ROWS for match in item.match for place in match.values()} <= fields


def test_alert_signal_is_not_asked_by_the_plan():
    """Its query comes from the alert."""
    assert ALERT_SIGNAL.promql == ""


def test_question_is_asked_once_for_each_place_that_is_known():
    """A row without a known place is not asked."""
    table = (row(match=({"namespace": "namespaces"}, {"node": "nodes"}, {"job": "jobs"})),)

    asked = questions(table, Places(namespaces=("a", "b"), jobs=("j",)))

    assert [item.query for item in asked] == ['m{namespace=~"a|b"}', 'm{job="j"}']


def test_question_about_hosts_allows_for_a_port():
    """An instance label is a host with or without port."""
    table = (row(match=({"instance": "hosts"},)),)

    (asked,) = questions(table, Places(hosts=("10.0.0.5",)))

    assert asked.query == r'm{instance=~"(?:10\\.0\\.0\\.5)(?::[0-9]+)?"}'


def test_question_goes_to_the_whole_cluster_when_no_place_is_known():
    """Only for the rows that make sense there."""
    table = (row(cluster=True), row(promql="n{$M}"))

    assert [item.query for item in questions(table, Places())] == ["m{}"]
