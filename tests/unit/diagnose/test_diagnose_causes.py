import pytest
from unit.diagnose.evidence_factory import (
    alert,
    at,
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
from unit.diagnose.kubernetes_stories import STORIES, of_story

from opssage.diagnosis import Verdict
from tasks.diagnose import check_citations
from tasks.diagnose.catalogue import CAUSES

WEB = "web"
GIB = 1024**3
NODE = {"node": "node-7"}
ON_WEB = alert("TargetAlert", namespace="shop", service=WEB)
ON_NODE = alert("NodeAlert", node="node-7")
SLOW = metric("latency_p99", service(WEB), 0.1, 1.2)


def waits(reason: str):
    return metric("waiting_reason", pod(WEB), 0, 1, reason=reason)


def ended(reason: str):
    return metric("terminated_reason", pod(WEB), 0, 1, reason=reason)


CASES = {
    "config_value_invalid": (
        f"service/{WEB}",
        [ON_WEB, *crash_loop(WEB), log(WEB, "invalid value for key 'QUEUE_URL'")],
    ),
    "config_missing": (f"service/{WEB}", [ON_WEB, waits("CreateContainerConfigError")]),
    "bad_command": (
        f"service/{WEB}",
        [ON_WEB, *crash_loop(WEB), log(WEB, 'exec: "sevre": executable file not found in $PATH')],
    ),
    "port_conflict": (
        f"service/{WEB}",
        [ON_WEB, *crash_loop(WEB), log(WEB, "listen tcp :8080: bind: address already in use")],
    ),
    "image_pull_failure": (
        f"service/{WEB}",
        [ON_WEB, waits("ImagePullBackOff"), rollout(WEB)],
    ),
    "deploy_regression": (f"service/{WEB}", [ON_WEB, errors(WEB), SLOW, rollout(WEB)]),
    "schema_version_mismatch": (
        f"service/{WEB}",
        [ON_WEB, errors(WEB), log(WEB, 'column "total" does not exist'), rollout(WEB)],
    ),
    "auth_key_regression": (
        f"service/{WEB}",
        [ON_WEB, errors(WEB), log(WEB, "JWT signature verification failed"), rollout(WEB)],
    ),
    "certificate_expired": (
        f"service/{WEB}",
        [ON_WEB, errors(WEB), log(WEB, "x509: certificate has expired or is not yet valid")],
    ),
    "certificate_untrusted": (
        f"service/{WEB}",
        [ON_WEB, errors(WEB), log(WEB, "x509: certificate signed by unknown authority")],
    ),
    "credentials_rejected": (
        f"service/{WEB}",
        [ON_WEB, errors(WEB), log(WEB, 'password authentication failed for user "web"')],
    ),
    "permission_denied": (
        f"service/{WEB}",
        [ON_WEB, errors(WEB), log(WEB, 'User "web" cannot list resource "pods"')],
    ),
    "memory_limit_exceeded": (f"service/{WEB}", [ON_WEB, ended("OOMKilled"), *crash_loop(WEB)]),
    "memory_leak": (
        f"service/{WEB}",
        [ON_WEB, metric("memory_usage", pod(WEB), GIB, 4 * GIB), SLOW],
    ),
    "node_memory_exhausted": (
        "node/node-7",
        [
            ON_NODE,
            metric("node_memory", NODE, 0.6, 0.99),
            metric("node_condition", NODE, 0, 1, reason="MemoryPressure"),
        ],
    ),
    "node_cpu_exhausted": (
        "node/node-7",
        [
            ON_NODE,
            metric("node_cpu", NODE, 0.4, 0.98),
            metric("cpu_usage", pod("batch", "node-7"), 0.5, 6.0),
            metric("cpu_usage", pod(WEB, "node-7"), 0.5, 0.5),
        ],
    ),
    "cpu_limit_too_low": (
        f"service/{WEB}",
        [ON_WEB, metric("cpu_throttling", pod(WEB), 0.02, 0.7), SLOW],
    ),
    "cpu_runaway": (f"service/{WEB}", [ON_WEB, metric("cpu_usage", pod(WEB), 0.3, 3.0), SLOW]),
    "volume_full": (
        f"service/{WEB}",
        [
            ON_WEB,
            metric("pvc_usage", {"namespace": "shop", "pvc": f"data-{WEB}-0"}, 0.8, 0.99),
            log(WEB, "write /data/wal: no space left on device"),
        ],
    ),
    "disk_full": (
        f"service/{WEB}",
        [ON_WEB, errors(WEB), log(WEB, "write /tmp/upload: no space left on device")],
    ),
    "node_disk_full": (
        "node/node-7",
        [
            ON_NODE,
            metric("node_disk", {**NODE, "mountpoint": "/"}, 0.7, 0.98),
            metric("node_condition", NODE, 0, 1, reason="DiskPressure"),
        ],
    ),
    "handles_exhausted": (
        f"service/{WEB}",
        [ON_WEB, errors(WEB), log(WEB, "accept4: too many open files")],
    ),
    "node_not_ready": (
        "node/node-7",
        [ON_NODE, metric("node_condition", NODE, 0, 1, reason="Ready/unknown")],
    ),
    "telemetry_missing": (
        f"service/{WEB}",
        [ON_WEB, metric("up", service(WEB), 1, 0), metric("request_rate", service(WEB), 40, 40)],
    ),
    "dependency_unreachable": (
        "service/cache",
        [ON_WEB, errors(WEB), log(WEB, "connect ECONNREFUSED cache:6379")],
    ),
    "dns_failure": (
        f"service/{WEB}",
        [ON_WEB, errors(WEB), log(WEB, "getaddrinfo ENOTFOUND ledgr")],
    ),
    "slow_dependency": (
        "service/ledger",
        [
            ON_WEB,
            SLOW,
            log(WEB, "call to http://ledger:8080/pay: context deadline exceeded"),
            metric("latency_p99", service("ledger"), 0.2, 5.0),
        ],
    ),
    "rate_limited": (
        f"service/{WEB}",
        [ON_WEB, errors(WEB), log(WEB, "https://maps.example.com: HTTP 429 Too Many Requests")],
    ),
    "quota_exceeded": (
        f"service/{WEB}",
        [ON_WEB, log(WEB, "is forbidden: exceeded quota: compute"), crash_loop(WEB)[2]],
    ),
    "connection_pool_exhausted": (
        f"service/{WEB}",
        [ON_WEB, SLOW, log(WEB, "QueuePool limit of size 5 overflow 10 reached")],
    ),
    "database_lock_contention": (
        f"service/{WEB}",
        [ON_WEB, SLOW, log(WEB, "ERROR: deadlock detected")],
    ),
    "code_exception": (
        f"service/{WEB}",
        [ON_WEB, errors(WEB), log(WEB, "java.lang.NullPointerException at Cart.total")],
    ),
    "traffic_surge": (
        f"service/{WEB}",
        [ON_WEB, metric("request_rate", service(WEB), 40, 400), SLOW],
    ),
    "service_failing": (
        "service/ledger",
        [
            ON_WEB,
            errors("ledger"),
            errors(WEB, onset=30),
            metric("edge_error_ratio", edge(WEB, "ledger"), 0, 0.4),
        ],
    ),
    "recovered": (
        None,
        [
            ON_WEB,
            metric(
                "alert_signal",
                service(WEB),
                0.01,
                0.01,
                threshold={"op": ">", "value": 0.05},
                points=[
                    [at(15 * step).timestamp(), 0.9 if step < 4 else 0.01] for step in range(16)
                ],
            ),
        ],
    ),
    "noise": (
        None,
        [
            ON_WEB,
            metric("alert_signal", service(WEB), 0.01, 0.02, threshold={"op": ">", "value": 0.05}),
        ],
    ),
}

for _name, (_, (_cause, _, _component)) in STORIES.items():
    CASES.setdefault(_cause, (_component, of_story(_name)))

WITHOUT_FAULT = {"noise": Verdict.HEALTHY, "recovered": Verdict.INSUFFICIENT_EVIDENCE}


def test_every_cause_of_the_catalogue_has_a_case():
    """A cause without a test here is not part of the catalogue."""
    assert {each.name for each in CAUSES} == set(CASES)


@pytest.mark.parametrize("cause", CASES)
def test_cause_is_found_where_its_signs_are(cause):
    """The signs of a cause on a component make it the verdict for that component."""
    component, evidence = CASES[cause]

    report = diagnosed(*evidence)

    assert (report.hypotheses[0].cause, report.root_cause_component) == (cause, component)
    assert report.verdict is WITHOUT_FAULT.get(cause, Verdict.FAULT)


@pytest.mark.parametrize("cause", CASES)
def test_cause_cites_only_evidence_that_exists(cause):
    """Every id in a report is one of its context."""
    evidence = CASES[cause][1]

    check_citations(diagnosed(*evidence), context(*evidence))


@pytest.mark.parametrize("cause", CASES)
def test_cause_is_not_claimed_from_its_alert_alone(cause):
    """Without the evidence beside the alert there is no verdict and next to no confidence."""
    report = diagnosed(CASES[cause][1][0])

    assert report.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert (report.root_cause_component, report.confidence_score <= 0.3) == (None, True)


@pytest.mark.parametrize("cause", [name for name in CASES if CASES[name][0]])
def test_cause_comes_with_something_to_do(cause):
    """Every fault is answered with steps for now and later, and with checks."""
    report = diagnosed(*CASES[cause][1])

    assert report.recommended_remediation.short_term_actions
    assert report.recommended_remediation.long_term_actions
    assert report.next_checks


def test_catalogue_names_nothing_of_any_site():
    """Titles name components only through placeholders."""
    assert all(
        "{component}" in title
        for row in CAUSES
        for title in row.titles
        if row.name not in WITHOUT_FAULT
    )
