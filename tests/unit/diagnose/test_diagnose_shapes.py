"""Whole incidents: one alert, several alerts of one node, a cascade over three services."""

from dataclasses import replace
from itertools import permutations

import pytest
from unit.diagnose.evidence_factory import (
    ALL_ANSWERED,
    alert,
    context,
    crash_loop,
    diagnosed,
    edge,
    errors,
    log,
    metric,
    pod,
    rollout,
    service,
)

from opssage.diagnosis import Diagnosis, Verdict
from opssage.evidence import EvidenceCollected, SourceStatus
from opssage.knowledge import EnhancedContext
from opssage.settings import DiagnoseSettings
from opssage.wire import canonical, to_json
from tasks.diagnose import check_citations, diagnose

NODE = "node-7"
CRASH_ALERT = alert("KubePodCrashLooping", namespace="shop", pod=pod("checkout")["pod"])
CRASH = [
    CRASH_ALERT,
    *crash_loop("checkout"),
    log("checkout", "FATAL: invalid value for key 'DATABASE_URL': missing scheme", after=4),
    rollout("checkout", before_onset=95),
]
NODE_ALERTS = [
    alert("NodeCPUHigh", node=NODE),
    alert("KubeNodeNotReady", node=NODE, starts=120),
    alert("CPUThrottlingHigh", namespace="shop", node=NODE, pod=pod("search", NODE)["pod"]),
]
NODE_EVIDENCE = [
    metric("node_cpu", {"node": NODE}, 0.45, 0.99),
    metric("node_condition", {"node": NODE}, 0, 1, onset=60, reason="Ready/false"),
    metric("cpu_usage", pod("reports", NODE), 0.3, 6.8, onset=-30),
    metric("cpu_usage", pod("search", NODE), 0.4, 0.5),
    metric("cpu_limit", pod("search", NODE), 1, 1),
    metric("cpu_throttling", pod("search", NODE), 0.01, 0.6, onset=30),
    metric("latency_p99", service("search"), 0.1, 0.9, onset=45),
]
CASCADE_ALERTS = [
    alert("ServiceDown", service="auth-service"),
    alert("ErrorRateHigh", service="auth-service", starts=70),
    alert("HTTP500RateIncrease", service="order-service", starts=80),
    alert("DependencyFailure", service="payment-service", dependency="auth-service", starts=90),
]
CASCADE_EVIDENCE = [
    errors("auth-service"),
    errors("order-service", onset=30),
    errors("payment-service", onset=45),
    metric("edge_error_ratio", edge("order-service", "auth-service"), 0, 0.4, onset=15),
    metric("edge_error_ratio", edge("payment-service", "auth-service"), 0, 0.4, onset=30),
    log("auth-service", "JWT signature verification failed: unknown key id 2026-11"),
    log("order-service", "call to auth-service failed: status 500", first=30),
    rollout("auth-service", before_onset=95),
]
SHAPES = {
    "crash": CRASH,
    "node": [*NODE_ALERTS, *NODE_EVIDENCE],
    "cascade": [*CASCADE_ALERTS, *CASCADE_EVIDENCE],
}


def test_crash_loop_names_the_variable_and_the_rollout():
    """A crash loop after a bad value names the variable, the component and the rollout."""
    report = diagnosed(*CRASH)

    assert (report.verdict, report.category) == (Verdict.FAULT, "configuration")
    assert report.root_cause_component == "service/checkout"
    assert "environment variable DATABASE_URL" in report.root_cause
    assert "95 s after the rollout" in report.root_cause


def test_node_exhaustion_names_the_node_and_the_unlimited_pod():
    """Three alerts of one node are answered with the node and the pod that takes its CPU."""
    report = diagnosed(*SHAPES["node"])

    assert (report.verdict, report.root_cause_component) == (Verdict.FAULT, f"node/{NODE}")
    assert f"{pod('reports')['pod']}, which runs without a CPU limit" in report.root_cause
    assert report.propagation == (f"node/{NODE}", "service/search")


def test_cascade_names_the_service_that_the_others_call():
    """Four alerts over three services are answered with the regression in the called one."""
    report = diagnosed(*SHAPES["cascade"])

    assert (report.category, report.root_cause_component) == ("credentials", "service/auth-service")
    assert report.propagation == (
        "service/auth-service",
        "service/order-service",
        "service/payment-service",
    )
    spread = [each for each in report.reasoning_steps if each.startswith("It spreads from")]
    assert [each.partition(" [")[0] for each in spread] == [
        "It spreads from service/auth-service to service/order-service",
        "It spreads from service/auth-service to service/payment-service",
    ]


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5])
def test_cascade_does_not_depend_on_the_order_of_alerts(order):
    """Whichever alert comes first, root and way are the same."""
    alerts = [CASCADE_ALERTS[index] for index in order]

    report = diagnosed(*alerts, *CASCADE_EVIDENCE)

    assert report.root_cause == diagnosed(*SHAPES["cascade"]).root_cause
    assert report.propagation == diagnosed(*SHAPES["cascade"]).propagation


def test_cascade_is_found_without_the_callers_alerts():
    """The alert of the deepest victim alone leads to the same root."""
    report = diagnosed(CASCADE_ALERTS[2], *CASCADE_EVIDENCE)

    assert report.root_cause_component == "service/auth-service"


def test_cascade_without_logs_still_names_the_changed_service():
    """Without log lines the rollout and the edges point to the same service, less surely."""
    metrics_only = [each for each in CASCADE_EVIDENCE if each.kind.value != "log"]

    report = diagnosed(*CASCADE_ALERTS, *metrics_only)

    assert (report.category, report.root_cause_component) == ("deploy", "service/auth-service")
    assert report.confidence_score < diagnosed(*SHAPES["cascade"]).confidence_score


@pytest.mark.parametrize("shape", SHAPES)
def test_report_is_the_same_to_the_byte_whatever_the_order_of_evidence(shape):
    """The same evidence in another order, and a second run, give the same bytes."""
    collected = context(*SHAPES[shape])
    turned = EvidenceCollected.by_kind(tuple(reversed(list(collected.evidence_collected))))
    shuffled = replace(collected, evidence_collected=turned)

    reports = [
        canonical(to_json(diagnose(each, EnhancedContext(), DiagnoseSettings())))
        for each in (collected, collected, shuffled)
    ]

    assert reports[0] == reports[1] == reports[2]


def test_report_does_not_depend_on_which_of_two_equal_lines_came_first():
    """Two lines of one template that name different objects are told in the same words."""
    lines = [
        replace(line, data={**line.data, "template": "secret <*> not found"})
        for line in (log("web", 'secret "a" not found'), log("web", 'secret "b" not found'))
    ]

    first, second = (diagnosed(*each) for each in (lines, lines[::-1]))

    assert first.hypotheses[0].title == second.hypotheses[0].title


@pytest.mark.parametrize("shape", SHAPES)
def test_report_cites_only_what_its_context_holds(shape):
    """Every statement of the three shapes points to existing evidence."""
    check_citations(diagnosed(*SHAPES[shape]), context(*SHAPES[shape]))


@pytest.mark.parametrize("alerts", [[CRASH_ALERT], NODE_ALERTS, CASCADE_ALERTS])
def test_alerts_without_evidence_are_not_enough(alerts):
    """With everything but the alerts gone nothing is claimed."""
    report = diagnosed(*alerts)

    assert report.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert (report.root_cause_component, report.supporting_evidence) == (None, ())
    assert report.confidence_score <= 0.3


@pytest.mark.parametrize("index", range(len(CRASH)))
def test_removing_cited_evidence_lowers_the_answer(index):
    """Each cited item carries weight: without it the probability falls or the answer changes."""
    whole = diagnosed(*CRASH)
    gone = f"E{index + 1}"
    part = diagnosed(*(each for place, each in enumerate(CRASH) if place != index))

    if gone in {each.evidence_id for each in whole.supporting_evidence}:
        assert part.hypotheses[0].probability < whole.hypotheses[0].probability or (
            part.hypotheses[0].supports != whole.hypotheses[0].supports
        )
    assert part.confidence_score <= whole.confidence_score


def test_empty_answer_about_limits_is_not_read_as_no_limits():
    """Where no pod's limit was seen they may not be scraped; the hog is still named."""
    evidence = [each for each in SHAPES["node"] if each.data.get("signal") != "cpu_limit"]

    report = diagnosed(*evidence)

    assert f"exhausted by pod {pod('reports')['pod']};" in report.root_cause
    assert "no CPU limit" not in " ".join([*report.reasoning_steps, *_shown(report)])


def test_failed_question_about_limits_is_not_read_as_no_limit():
    """The limit of the heavy pod may be in the answer that did not come."""
    failed = replace(ALL_ANSWERED[1], status=SourceStatus.FAILED)

    report = diagnosed(*SHAPES["node"], sources=[*ALL_ANSWERED, failed])

    assert "without a CPU limit" not in report.root_cause


def test_missing_limit_cites_a_limit_that_was_read():
    """That a pod has none is shown by the limit of another one, not by its CPU use."""
    report = diagnosed(*SHAPES["node"])

    (cited,) = [each for each in report.supporting_evidence if "no CPU limit" in each.statement]
    limit = next(
        each
        for each in context(*SHAPES["node"]).evidence_collected
        if each.evidence_id == cited.evidence_id
    )
    assert limit.data["signal"] == "cpu_limit"
    assert limit.subject["pod"] in cited.statement


def test_use_of_a_hog_is_told_once_and_of_its_own_evidence():
    """The node's CPU does not show what one of its pods uses."""
    report = diagnosed(*SHAPES["node"])

    (told,) = [each for each in report.supporting_evidence if "cores" in each.statement]
    assert told.evidence_id == "E6"
    assert told.statement == (
        f"{pod('reports')['pod']} uses 6.8 cores (0.3 cores before), "
        "93% of the CPU that the pods seen on node-7 use"
    )


def _shown(report: Diagnosis) -> list[str]:
    return [each.statement for each in report.supporting_evidence]
