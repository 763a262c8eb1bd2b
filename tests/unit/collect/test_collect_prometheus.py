"""The Prometheus source: what is asked for an incident, and what it makes of the answers."""

import shlex
from datetime import timedelta
from time import monotonic

import httpx2
import promql_parser
import pytest
from unit.collect.stand_ins import ONSET, make_alert, make_scope, step_at, upstream_to

from opssage.evidence import NO_VALUE, EvidenceKind, SourceStatus
from tasks.collect.prometheus import PrometheusSource
from tasks.collect.promql import selectors

MINUTE = timedelta(minutes=1)
SHOP = make_alert({"alertname": "HighErrorRate", "namespace": "shop", "service": "web"})


def ask(prometheus, scope):
    source = PrometheusSource(upstream_to(prometheus.transport))
    return source.ask(scope, monotonic() + 60)


def found(answer, signal, **subject):
    """The evidence of a signal whose subject has these entries."""
    return [
        item
        for item in answer.evidence
        if item.data.get("signal") == signal and subject.items() <= dict(item.subject).items()
    ]


def test_alerts_signal_is_drawn_with_its_threshold(prometheus):
    """The left side of the expression is asked, the right side is the line it crossed."""
    alert = make_alert(
        {"alertname": "HighErrorRate", "namespace": "shop", "service": "web"},
        firing_condition="sum by (service) (rate(errors[5m])) > 0.5",
    )
    prometheus.on("errors", ({"service": "web"}, step_at(ONSET, 0.1, 4.0)))

    (item,) = found(ask(prometheus, make_scope(alert)), "alert_signal")

    assert item.data["threshold"] == {"op": ">", "value": 0.5}
    assert item.data["onset_at"] == "2026-11-23T03:00:00.000000Z"
    assert (item.data["before"]["median"], item.data["after"]["median"]) == (0.1, 4.0)
    assert item.subject["namespace"] == "shop"
    assert "signal of HighErrorRate of service web (shop) left its baseline" in item.summary


def test_alerts_signal_of_others_is_kept_when_it_left_too(prometheus):
    """The rule may be about to fire for others; those that are fine are left out."""
    alert = make_alert({"alertname": "A", "service": "web"}, firing_condition="errors > 1")
    prometheus.on(
        "errors",
        ({"service": "cart"}, 0.1),
        ({"service": "db"}, step_at(ONSET, 0.1, 9.0)),
        ({"service": "web"}, step_at(ONSET, 0.1, 4.0)),
    )

    items = found(ask(prometheus, make_scope(alert)), "alert_signal")

    assert [item.subject["service"] for item in items] == ["web", "db"]


def test_alert_without_labels_still_has_its_signal(prometheus):
    """Clusterwide rows are asked besides, without matchers."""
    alert = make_alert({"alertname": "Overcommit"}, firing_condition="sum(requests) > 10")
    prometheus.on("requests", ({}, 12.0))
    prometheus.on("node_cpu_seconds_total", ({"instance": "n1:9100"}, 0.9))

    answer = ask(prometheus, make_scope(alert))

    assert found(answer, "alert_signal")[0].data["last"] == 12.0
    assert found(answer, "node_cpu", node="n1")
    assert not any("namespace=" in query for query in prometheus.queries)


def test_expression_nobody_can_read_is_a_line_of_the_ledger(prometheus):
    """The rest of the investigation goes on."""
    alert = make_alert({"alertname": "A", "namespace": "shop"}, firing_condition="sum(rate(x[5m])")

    answer = ask(prometheus, make_scope(alert))

    (report,) = [item for item in answer.reports if item.query == "sum(rate(x[5m])"]
    assert report.status is SourceStatus.SKIPPED
    assert len(answer.reports) > 10


def test_all_services_of_the_namespace_are_read(prometheus):
    """The root of a cascade need not be among the alerts."""
    prometheus.on(
        'http_requests_total{namespace="shop"}',
        ({"namespace": "shop", "service": "web"}, 50.0),
        ({"namespace": "shop", "service": "auth"}, 20.0),
    )

    services = [
        item.subject["service"] for item in found(ask(prometheus, make_scope(SHOP)), "request_rate")
    ]

    assert services == ["web", "auth"]


def test_error_ratio_of_a_service_without_errors_is_zero(prometheus):
    """No series of errors, but requests: that is health, not ignorance."""
    prometheus.on('code=~"5.."')
    prometheus.on("http_requests_total", ({"namespace": "shop", "service": "web"}, 50.0))

    (item,) = found(ask(prometheus, make_scope(SHOP)), "error_ratio")

    assert item.data["last"] == 0.0


def test_error_ratio_is_errors_over_requests(prometheus):
    """The query shown can be run by hand."""
    labels = {"namespace": "shop", "service": "web"}
    prometheus.on('code=~"5.."', (labels, step_at(ONSET, 0.0, 20.0)))
    prometheus.on("http_requests_total", (labels, 50.0))

    (item,) = found(ask(prometheus, make_scope(SHOP)), "error_ratio")

    assert item.data["after"]["median"] == pytest.approx(0.4)
    assert "median 0%, then median 40%" in item.summary
    assert " / sum by (namespace, service) (rate(http_requests_total" in item.query


def test_error_ratio_is_unknown_when_the_errors_were_not_answered(prometheus):
    """A failed numerator must not read as zero errors."""
    prometheus.refuse = lambda query: (
        httpx2.Response(503, json={"errorType": "timeout"}) if 'code=~"5.."' in query else None
    )
    prometheus.on("http_requests_total", ({"namespace": "shop", "service": "web"}, 50.0))

    assert found(ask(prometheus, make_scope(SHOP)), "error_ratio") == []


def test_reason_is_taken_from_the_series(prometheus):
    """One evidence per reason; reasons that never held are left out."""
    prometheus.on(
        "waiting_reason",
        ({"namespace": "shop", "pod": "web-1", "reason": "CrashLoopBackOff"}, step_at(ONSET, 0, 1)),
        ({"namespace": "shop", "pod": "web-1", "reason": "ImagePullBackOff"}, 0.0),
    )

    (item,) = found(ask(prometheus, make_scope(SHOP)), "waiting_reason")

    assert item.data["reason"] == "CrashLoopBackOff"
    assert item.data["before"]["max"] == 0


def test_limits_follow_the_pods_that_are_shown(prometheus):
    """No limit among the evidence then means that the pod has none."""
    pods = [{"namespace": "shop", "pod": f"web-{n}"} for n in range(30)]
    prometheus.on("cpu_usage", *((labels, float(n)) for n, labels in enumerate(pods)))
    prometheus.on('resource="cpu"', *((labels, 2.0) for labels in pods[:-1]))

    answer = ask(prometheus, make_scope(make_alert({"namespace": "shop"})))

    shown = {item.subject["pod"] for item in found(answer, "cpu_usage")}
    assert shown == {f"web-{n}" for n in range(25, 30)}
    assert {item.subject["pod"] for item in found(answer, "cpu_limit")} == shown - {"web-29"}


def test_node_alert_shows_who_uses_the_node(prometheus):
    """Pods of any namespace, with the node and workload they belong to."""
    alert = make_alert({"job": "node", "instance": "10.0.0.5:9100"})
    info = {"namespace": "batch", "pod": "report-1", "node": "n5"}
    owner = {"created_by_kind": "ReplicaSet", "created_by_name": "report-7d9f8b6c5d"}
    prometheus.on("kube_node_info", ({"node": "n5", "internal_ip": "10.0.0.5"}, 1.0))
    prometheus.on('kube_pod_info{node="n5"}', ({**info, **owner}, 1.0))
    prometheus.on(
        "container_cpu_usage", ({"namespace": "batch", "pod": "report-1"}, step_at(ONSET, 0.1, 3.8))
    )

    answer = ask(prometheus, make_scope(alert))

    (item,) = found(answer, "cpu_usage")
    assert item.subject == {
        "namespace": "batch", "pod": "report-1", "node": "n5", "workload": "report",
    }  # fmt: skip
    assert any('namespace="batch",pod="report-1"' in query for query in prometheus.queries)


def test_rollout_joins_replica_sets_with_their_deployment(prometheus):
    """Only what was created since the baseline began; the one before it is what it replaced."""
    created = ONSET - 4 * MINUTE
    for_set = {"namespace": "shop"}
    prometheus.on(
        "kube_replicaset_created",
        ({**for_set, "replicaset": "web-old"}, (ONSET - timedelta(days=3)).timestamp()),
        ({**for_set, "replicaset": "web-new"}, created.timestamp()),
    )
    prometheus.on(
        "kube_replicaset_owner",
        ({**for_set, "replicaset": "web-old", "owner_name": "web"}, 1.0),
        ({**for_set, "replicaset": "web-new", "owner_name": "web"}, 1.0),
    )
    prometheus.on("http_requests_total", ({"namespace": "shop", "service": "web"}, 50.0))

    answer = ask(prometheus, make_scope(SHOP))

    (item,) = [item for item in answer.evidence if item.kind is EvidenceKind.CHANGE]
    assert item.subject == {"namespace": "shop", "workload": "web", "service": "web"}
    assert (item.data["from"], item.data["to"]) == ("web-old", "web-new")
    assert item.data["seconds_before_onset"] == 240
    assert item.observed_at == created


def test_queries_are_bounded_and_asked_once(prometheus):
    """Whatever the alerts, Prometheus is not asked more than 40 things."""
    storm = [
        make_alert(
            {"alertname": f"A{n}", "namespace": f"ns{n}", "node": f"n{n}", "pod": f"p-{n}"},
            firing_condition=f"m{n} > 1",
        )
        for n in range(30)
    ]
    prometheus.on("kube_pod_info{node", ({"namespace": "x", "pod": "y", "node": "n1"}, 1.0))

    answer = ask(prometheus, make_scope(*storm))

    assert len(prometheus.queries) == len(set(prometheus.queries)) <= 40
    left_out = [item for item in answer.reports if item.status is SourceStatus.SKIPPED]
    assert any("more than 40 queries" in report.error for report in left_out)
    assert len(left_out) == 41
    assert left_out[-1].error.endswith("further queries were left out like the ones before")
    assert all(report.by_hand for report in left_out[:-1])


def test_labels_of_an_attacker_stay_values(prometheus):
    """The hostile namespace is one matcher's value in every query that has it."""
    namespace = 'x"} or vector(1) or up{a="'

    ask(prometheus, make_scope(make_alert({"namespace": namespace})))

    parsed = [promql_parser.parse(query) for query in prometheus.queries if "vector" in query]
    values = {
        matcher.value
        for expr in parsed
        for selector in selectors(expr)
        for matcher in selector.matchers.matchers
        if "namespace" in matcher.name
    }
    assert len(parsed) > 15
    assert values == {namespace}


def test_cut_series_are_noted_in_the_ledger(prometheus):
    """A reader sees that there was more."""
    pods = [({"namespace": "shop", "pod": f"web-{n}"}, float(n)) for n in range(30)]
    prometheus.on("memory_working_set", *pods)

    answer = ask(prometheus, make_scope(make_alert({"namespace": "shop"})))

    (report,) = [item for item in answer.reports if "working_set" in item.query]
    assert report.error == "kept 5 of 30 series"
    assert report.truncated


@pytest.mark.parametrize("fault", [httpx2.ConnectError, httpx2.ReadTimeout])
def test_dead_prometheus_is_not_asked_further(fault):
    """Whether it refuses or hangs, the first questions are enough to know."""
    asked = []

    def fail(request):
        asked.append(request)
        raise fault("gone", request=request)

    transport = httpx2.MockTransport(fail)
    source = PrometheusSource(upstream_to(transport))
    answer = source.ask(make_scope(SHOP), monotonic() + 60)

    assert len(asked) <= 3
    assert answer.reports[-1].error == "all other queries: none of these answered"


def test_activity_is_read_from_the_rules_own_series(prometheus):
    """`for` is what lies between that time and `startsAt`."""
    alert = make_alert({"alertname": "A", "namespace": "shop", "cluster": "lab"})
    active = ONSET - 15 * MINUTE
    prometheus.on(
        "ALERTS_FOR_STATE",
        (
            {"__name__": "ALERTS_FOR_STATE", "alertname": "A", "namespace": "shop"},
            active.timestamp(),
        ),
        ({"__name__": "ALERTS_FOR_STATE", "alertname": "A", "namespace": "other"}, 1.0),
    )
    source = PrometheusSource(upstream_to(prometheus.transport))

    facts = source.rule_facts((alert,), monotonic() + 60)

    assert facts.active_since == {alert.fingerprint: active}
    assert facts.reports[0].query == 'ALERTS_FOR_STATE{alertname="A"}'


def test_a_prometheus_that_is_silent_about_the_alerts_is_not_asked_for_their_rules():
    """It was waited for as long as for any answer; the ledger has what was asked."""
    asked = []

    def wait(request):
        asked.append(request)
        raise httpx2.ReadTimeout("")

    source = PrometheusSource(upstream_to(httpx2.MockTransport(wait), timeout_seconds=1e-9))

    facts = source.rule_facts((SHOP,), monotonic() + 60)

    assert facts.is_silent
    assert len(asked) <= 1
    (report,) = facts.reports
    assert (report.status, report.error[:8]) == (SourceStatus.FAILED, "too slow")
    assert report.query.startswith("ALERTS_FOR_STATE{")


def test_a_prometheus_that_fails_at_once_is_asked_for_the_rules(prometheus):
    """Nobody was waited for."""
    prometheus.refuse = lambda _: httpx2.Response(500, text="boom")
    source = PrometheusSource(upstream_to(prometheus.transport))

    facts = source.rule_facts((SHOP,), monotonic() + 60)

    assert not facts.is_silent
    assert prometheus.about == ["/api/v1/rules"]
    assert {report.status for report in facts.reports} == {SourceStatus.FAILED}


def test_evidence_is_the_same_whoever_answers_first(prometheus):
    """Order comes from the plan and the data, not from the network."""
    prometheus.on(
        "namespace",
        *(({"namespace": "shop", "pod": f"w-{n}", "service": f"s{n}"}, 1.0) for n in range(4)),
    )
    scope = make_scope(SHOP)

    assert ask(prometheus, scope).evidence == ask(prometheus, scope).evidence


def test_only_metrics_that_exist_are_asked_for(prometheus):
    """The ledger says how much was left out, and what is missing at the site."""
    prometheus.metrics = {"http_requests_total": ["code"], "node_load1": [], "kube_pod_info": []}

    answer = ask(prometheus, make_scope(SHOP))

    assert {query for query in prometheus.queries if "container_" in query} == set()
    assert any("http_requests_total" in query for query in prometheus.queries)
    discovery = answer.reports[0]
    assert discovery.status is SourceStatus.OK
    assert "queries of the plan were left out" in discovery.error
    assert discovery.error.endswith("nothing was found of a service mesh, cAdvisor")


def test_metrics_are_asked_for_once_in_a_while(prometheus):
    """A storm of incidents does not ask for the same lists again and again."""
    prometheus.metrics = {"up": []}
    source = PrometheusSource(upstream_to(prometheus.transport))

    for _ in range(3):
        source.ask(make_scope(SHOP), monotonic() + 60)

    assert prometheus.about == ["/api/v1/label/__name__/values", "/api/v1/labels"]


def test_objects_are_found_where_the_scraper_took_the_place_of_their_labels(prometheus):
    """kube-state-metrics without honor_labels says exported_namespace."""
    scraper = {"namespace": "monitoring", "pod": "ksm-0"}
    prometheus.metrics = {
        "kube_pod_info": ["exported_namespace", "exported_pod", "namespace", "pod"],
        "kube_pod_container_status_restarts_total": [],
        "container_memory_working_set_bytes": [],
    }
    own = {"exported_namespace": "shop", "exported_pod": "web-1"}
    prometheus.on('kube_pod_info{exported_namespace="shop"}', ({**scraper, **own, "node": "n1"}, 1))
    prometheus.on("restarts_total", (own, step_at(ONSET, 0.0, 3.0)))
    prometheus.on("container_memory", ({"namespace": "shop", "pod": "web-1"}, 1.0))

    answer = ask(prometheus, make_scope(SHOP))

    (item,) = found(answer, "restarts")
    assert item.subject == {"namespace": "shop", "pod": "web-1", "node": "n1"}
    assert found(answer, "memory_usage", node="n1")


def test_site_without_kubernetes_is_asked_by_job(prometheus):
    """A machine's service is known by its job and instance."""
    prometheus.metrics = {
        "http_requests_total": ["job", "instance", "status"],
        "process_open_fds": [],
        "process_max_fds": [],
    }
    alert = make_alert({"alertname": "A", "job": "api", "instance": "10.0.0.7:8080"})
    prometheus.on('status=~"5.."', ({"job": "api"}, step_at(ONSET, 0.0, 5.0)))
    prometheus.on("http_requests_total", ({"job": "api"}, 10.0))

    answer = ask(prometheus, make_scope(alert))

    (item,) = found(answer, "error_ratio", service="api")
    assert item.data["after"]["median"] == 0.5
    assert any('process_open_fds{job="api"}' in query for query in prometheus.queries)


def test_question_without_answer_comes_with_a_command(prometheus):
    """A person can run it as it stands in the ledger."""
    prometheus.refuse = lambda query: (
        httpx2.Response(503, text="busy") if "working_set" in query else None
    )

    answer = ask(prometheus, make_scope(SHOP))

    (report,) = [item for item in answer.reports if "working_set" in item.query]
    assert report.by_hand.startswith(
        'curl -s "$PROMETHEUS_URL/api/v1/query_range" --data-urlencode '
    )
    assert shlex.split(report.by_hand)[4] == f"query={report.query}"
    assert all(item.by_hand for item in answer.reports if item.status is SourceStatus.FAILED)


def test_rule_tells_what_the_alert_does_not(prometheus):
    """Its expression, and by its `for` since when the condition has held."""
    alert = make_alert({"alertname": "A", "namespace": "shop", "severity": "page"})
    prometheus.rules = [
        {"type": "alerting", "name": "A", "query": "other", "labels": {"severity": "info"}},
        {
            "type": "alerting",
            "name": "A",
            "query": "m > 1",
            "duration": 900,
            "labels": {"severity": "page", "team": "{{ $labels.team }}"},
        },
    ]
    source = PrometheusSource(upstream_to(prometheus.transport))
    alert = make_alert({**alert.labels, "team": "a"})

    facts = source.rule_facts((alert,), monotonic() + 60)

    assert facts.conditions == {alert.fingerprint: "m > 1"}
    assert facts.active_since == {alert.fingerprint: ONSET - 15 * MINUTE}
    assert [report.status for report in facts.reports] == [SourceStatus.EMPTY, SourceStatus.OK]


def test_rules_are_not_read_when_the_alert_tells_all(prometheus):
    """The expression came with it, and Prometheus remembers since when it has held."""
    alert = make_alert({"alertname": "A"}, firing_condition="m > 1")
    prometheus.on("ALERTS_FOR_STATE", ({"alertname": "A"}, ONSET.timestamp()))
    source = PrometheusSource(upstream_to(prometheus.transport))

    assert len(source.rule_facts((alert,), monotonic() + 60).reports) == 1
    assert prometheus.about == []


def test_rules_that_cannot_be_told_apart_say_nothing(prometheus):
    """Two rules of one name and one severity: either may have fired."""
    alert = make_alert({"alertname": "A"})
    prometheus.rules = [
        {"type": "alerting", "name": "A", "query": query} for query in ("m > 1", "n > 1")
    ]
    source = PrometheusSource(upstream_to(prometheus.transport))

    assert source.rule_facts((alert,), monotonic() + 60).conditions == {}


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_prometheus_that_lets_nobody_in_is_not_asked_on(status):
    """Fifty refusals are noise in its log, and may lock an account."""
    asked = []

    def refuse(request):
        asked.append(request.url.path)
        return httpx2.Response(status)

    source = PrometheusSource(upstream_to(httpx2.MockTransport(refuse)))

    answer = source.ask(make_scope(SHOP), monotonic() + 60)

    assert len(asked) < 10
    assert answer.reports[-1].error == "all other queries: none of these answered"


def test_an_alert_whose_own_expression_has_no_value_is_told(prometheus):
    """The Prometheus of another cluster answers everything with nothing."""
    alert = make_alert({"alertname": "A", "service": "web"}, firing_condition="errors > 1")

    answer = ask(prometheus, make_scope(alert))

    (own,) = [item for item in answer.reports if item.query == "errors"]
    assert (own.status, own.error) == (SourceStatus.EMPTY, NO_VALUE)


def test_one_side_of_an_expression_may_have_no_value(prometheus):
    """An alert on one thing or another fires on either."""
    alert = make_alert({"alertname": "A"}, firing_condition="errors > 1 or faults > 1")
    prometheus.on("errors", ({"service": "web"}, 2.0))

    answer = ask(prometheus, make_scope(alert))

    assert NO_VALUE not in {item.error for item in answer.reports}
