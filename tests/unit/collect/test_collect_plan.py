"""The query plan."""

import re

import promql_parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.collect.places import Places
from tasks.collect.plan import ALERT_SIGNAL, ROWS
from tasks.collect.promql import Matcher, build, selectors
from tasks.collect.questions import Row, left_out, questions
from tasks.collect.series import Tolerance
from tasks.collect.site import Site

DIAGNOSED = {
    "restarts", "waiting_reason", "terminated_reason", "replicas_unavailable", "cpu_usage",
    "cpu_limit", "memory_limit", "cpu_throttling", "memory_usage", "node_cpu", "node_memory",
    "node_disk", "node_condition", "request_rate", "error_ratio", "latency_p99",
    "edge_error_ratio", "pvc_usage", "up",
}  # fmt: skip
FIELDS_OF_NAMES = (
    "namespaces", "stray_services", "node_pods", "node_pod_namespaces", "bare_nodes", "nodes",
    "hosts", "instances", "jobs", "service_names", "neighbours", "neighbour_namespaces",
    "stray_neighbours",
)  # fmt: skip
COMPLETE = Site(metrics=frozenset(name for item in ROWS for name in item.metrics))
FAMILY = {"rate", "increase", "histogram_quantile"}


def row(**changes):
    values = {
        "signal": "s", "title": "t", "promql": "m{$M}", "labels": {}, "names": (), "unit": "",
        "tolerance": Tolerance(floor=1),
    }  # fmt: skip
    return Row(**{**values, **changes})


def test_plan_reads_every_signal():
    """The diagnosis relies on these names."""
    assert {item.signal for item in ROWS} >= DIAGNOSED


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


@settings(max_examples=10, deadline=None)
@given(value=st.text(alphabet=st.sampled_from("\"\\{}()[]|.*+?^$,=~! \n\t`'#$Mab1-ü"), max_size=30))
def test_plan_keeps_its_shape_whatever_the_labels_say(value):
    """Quotes, braces, newlines and regex characters stay inside the matcher they came in."""
    shapes = {}
    for text in ("plain", value):
        named = Places(**dict.fromkeys(FIELDS_OF_NAMES, (text,)))
        asked = [
            text for item in questions(ROWS, named, COMPLETE) for text in (item.query, item.over)
        ]
        shapes[text] = [shape_of(query) for query in asked if query]

    assert shapes["plain"] == shapes[value]


def shape_of(query):
    """The query's selectors with the names of their matchers."""
    return [
        (selector.name, tuple(matcher.name for matcher in selector.matchers.matchers))
        for selector in selectors(promql_parser.parse(query))
    ]


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


SHOP = Places(namespaces=("shop",))


def test_question_is_left_out_where_its_metrics_do_not_exist():
    """What is asked for want of nothing else is nothing but time."""
    table = (row(match=({"namespace": "namespaces"},)), row(promql="n{$M}", cluster=True))
    site = Site(metrics=frozenset({"other"}))

    assert questions(table, SHOP, site) == ()
    assert left_out(table, SHOP, site, ()) == table[:1]


def test_unusual_question_is_asked_only_where_its_metrics_are_known():
    """Where nobody knows, a dozen ways to count requests would use up all queries."""
    table = (row(match=({"namespace": "namespaces"},), usual=False),)

    assert questions(table, SHOP) == ()
    assert len(questions(table, SHOP, Site(metrics=frozenset({"m"})))) == 1


def test_question_about_a_label_is_asked_only_where_requests_carry_it():
    """The status of a request is in `code`, `status` or `status_code`."""
    table = (row(match=({"namespace": "namespaces"},), label="status", usual=False),)
    metrics = frozenset({"m"})

    assert questions(table, SHOP, Site(metrics=metrics, request_labels=frozenset({"code"}))) == ()
    assert questions(table, SHOP, Site(metrics=metrics, request_labels=frozenset({"status"})))


def test_question_on_the_alerts_topic_comes_first_and_needs_no_place():
    """An alert of etcd is about etcd, wherever it runs."""
    table = (row(match=({"namespace": "namespaces"},)), row(promql="n{$M}", topic=("etcd",)))

    on_topic = questions(table, SHOP, topics=("etcd_server_has_leader",))

    assert [item.query for item in on_topic] == ["n{}", 'm{namespace="shop"}']
    assert [item.query for item in questions(table, SHOP)] == ['m{namespace="shop"}']


def test_question_about_a_dependency_is_asked_once_for_all_places():
    """The database may be in a namespace no alert names."""
    table = (row(anywhere=True, match=({"namespace": "namespaces"},)),)

    assert [item.query for item in questions(table, SHOP)] == ["m{}"]


def test_question_is_spelled_as_the_scraper_left_the_labels():
    """Without honor_labels the objects' own labels are in the exported ones."""
    table = (
        row(
            promql="sum by (namespace, pod) (kube_pod_x{$M})", match=({"namespace": "namespaces"},)
        ),
        row(match=({"namespace": "namespaces"},)),
    )
    site = Site(metrics=frozenset({"kube_pod_x", "m"}), exported=frozenset({"namespace", "pod"}))

    assert [item.query for item in questions(table, SHOP, site)] == [
        'sum by (exported_namespace, exported_pod) (kube_pod_x{exported_namespace="shop"})',
        'm{namespace="shop"}',
    ]


def test_neighbours_are_asked_for_by_name_in_their_own_namespace():
    """Only they: the rest of their namespace is not what the alerts are about."""
    near = SHOP.with_neighbours((("shop", "cart"), ("db", "orders")))

    asked = [item.query for item in questions(ROWS, near) if "istio_requests_total" in item.query]

    assert any(
        'destination_workload_namespace="db",destination_workload="orders"' in query
        for query in asked
    )
    assert not any("cart" in query for query in asked)
