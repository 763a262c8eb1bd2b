import pytest
from unit.diagnose.evidence_factory import context, metric, pod, service

from opssage.diagnosis import Finding
from opssage.knowledge import EnhancedContext
from tasks.diagnose.case import Case
from tasks.diagnose.findings import find
from tasks.diagnose.signals.metric import RISES

GIB = 1024**3
WEB = pod("web", "node-7")


def findings(*evidence) -> dict[str, Finding]:
    found = find(Case.of(context(*evidence), EnhancedContext()))
    return {each.signal: each for each in found}


@pytest.mark.parametrize(
    ("signal", "before", "after"),
    [
        ("error_ratio", 0.0, 0.01),
        ("error_ratio", 0.2, 0.25),
        ("latency_p99", 0.001, 0.02),
        ("latency_p99", 2.0, 2.4),
        ("request_rate", 0.01, 0.5),
        ("cpu_usage", 0.001, 0.1),
        ("memory_usage", 1024, 8192),
        ("node_disk", 0.1, 0.6),
    ],
)
def test_metric_below_its_floor_is_no_finding(signal, before, after):
    """A change that is small in absolute terms says nothing, however many sigma it is."""
    subject = {"node": "node-7"} if signal.startswith("node") else service("web")

    assert not [
        name
        for name in findings(metric(signal, subject, before, after))
        if name.startswith("metric")
    ]


@pytest.mark.parametrize("row", RISES, ids=lambda row: row.signal)
def test_metric_far_above_its_floor_is_strong(row):
    """Every row of the table gives full strength far above its floor."""
    subject = {"node": "node-7"} if row.on_node else service("web")

    found = findings(metric(row.reads, subject, 0.0, row.floor * 100))

    assert found[row.signal].strength == 1.0


def test_metric_without_baseline_is_weaker_than_with_one():
    """A rise that can be compared with nothing is believed less."""
    known, unknown = (
        findings(metric("error_ratio", service("web"), before, 0.4))["metric.error_ratio_rise"]
        for before in (0.0, None)
    )

    assert unknown.strength < known.strength


def test_metric_that_was_high_before_is_weaker_than_one_that_rose():
    """A node that was always busy tells less about this incident."""
    rose, always = (
        findings(metric("node_cpu", {"node": "n"}, before, 0.98))["metric.cpu_saturated"]
        for before in (0.3, 0.98)
    )

    assert always.strength < rose.strength


def test_new_pod_is_compared_with_the_pods_before_it():
    """After a rollout the old pods' use is the baseline of the new ones."""
    old, new = ({**WEB, "pod": f"web-{name}-xk4nm"} for name in ("6c5d7f8b9d", "7f9c8d6b5f"))
    before = metric("memory_usage", old, GIB, GIB)

    same = findings(before, metric("memory_usage", new, None, GIB))
    more = findings(before, metric("memory_usage", new, None, 4 * GIB))

    assert "metric.memory_rise" not in same
    assert more["metric.memory_rise"].strength == 1.0


def test_metric_onset_is_the_series_own():
    """A finding begins when its series left the baseline."""
    found = findings(metric("error_ratio", service("web"), 0, 0.4, onset=75))

    assert found["metric.error_ratio_rise"].onset_at.minute == 1


def test_pod_series_count_for_the_service_of_the_pod():
    """What a pod shows is a finding of the service it belongs to."""
    assert findings(metric("cpu_usage", WEB, 0.3, 4))["metric.cpu_rise"].component == "service/web"


def test_edge_errors_are_about_the_called_side():
    """Failed calls are seen at the caller and are about the called service."""
    found = findings(metric("edge_error_ratio", {**service("web"), "peer": "ledger"}, 0, 0.5))

    assert found["metric.edge_errors"].component == "service/web"
    assert found["metric.edge_errors"].about == "service/ledger"


@pytest.mark.parametrize(("use", "is_near"), [(0.5, False), (0.97, True)])
def test_memory_use_is_compared_with_the_limit(use, is_near):
    """Memory use near its limit is a finding that cites both series."""
    found = findings(
        metric("memory_usage", WEB, use * GIB, use * GIB), metric("memory_limit", WEB, GIB, GIB)
    )

    assert ("metric.memory_near_limit" in found) is is_near
    if is_near:
        assert found["metric.memory_near_limit"].evidence_ids == ("E1", "E2")


def test_pod_with_a_limit_is_not_reported_as_unlimited():
    """A pod that dominates its node but has a CPU limit is a hog, not an unlimited one."""
    found = findings(
        metric("node_cpu", {"node": "node-7"}, 0.4, 0.98),
        metric("cpu_usage", WEB, 0.5, 6),
        metric("cpu_limit", WEB, 8, 8),
    )

    assert "metric.cpu_hog" in found
    assert "metric.no_cpu_limit" not in found


def test_pod_on_an_idle_node_is_no_hog():
    """A dominating share of an idle node harms nobody."""
    found = findings(
        metric("node_cpu", {"node": "node-7"}, 0.1, 0.3), metric("cpu_usage", WEB, 0.5, 0.6)
    )

    assert "metric.cpu_hog" not in found


@pytest.mark.parametrize(
    ("reason", "signal"),
    [
        ("Ready/false", "state.node_not_ready"),
        ("Ready/unknown", "state.node_not_ready"),
        ("DiskPressure", "state.disk_pressure"),
        ("MemoryPressure", "state.memory_pressure"),
        ("Ready/true", None),
    ],
)
def test_node_condition_is_read_by_its_status(reason, signal):
    """A condition counts while the status that means trouble is the current one."""
    found = findings(metric("node_condition", {"node": "n"}, 0, 1, reason=reason))

    assert set(found) == ({signal} if signal else set())


def test_termination_of_long_ago_is_weak():
    """Kubernetes keeps the last reason; without a restart in the window it is an old story."""
    fresh = findings(metric("terminated_reason", WEB, 0, 1, reason="OOMKilled"))
    old = findings(metric("terminated_reason", WEB, 1, 1, reason="OOMKilled"))

    assert old["state.oom_killed"].strength < 0.4 < fresh["state.oom_killed"].strength


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing", "Completed"])
def test_waiting_for_normal_reasons_is_no_finding(reason):
    """A container that is starting is not in trouble."""
    assert findings(metric("waiting_reason", WEB, 0, 1, reason=reason)) == {}


def test_target_that_is_down_is_found():
    """A target whose `up` fell to 0 cannot be scraped."""
    assert findings(metric("up", service("web"), 1, 0))["metric.target_down"].strength == 1.0
