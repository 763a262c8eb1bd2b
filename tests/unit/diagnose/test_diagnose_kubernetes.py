"""What Kubernetes itself says: objects and events lead to their cause, healthy ones to none."""

import pytest
from unit.diagnose.evidence_factory import (
    ALL_ANSWERED,
    alert,
    at,
    crash_loop,
    diagnosed,
    errors,
    happening,
    log,
    metric,
    pod,
    rollout,
    service,
    thing,
)
from unit.diagnose.kubernetes_stories import (
    CRASHING,
    QUOTA,
    SCHEDULER,
    STORIES,
    WEB,
    at_node,
    of_story,
    of_web,
    pending,
)

from opssage.diagnosis import Verdict
from opssage.evidence import SourceReport, SourceStatus
from opssage.wire import format_time
from tasks.diagnose.signals.reasons import REASONS, meaning


@pytest.mark.parametrize("story", STORIES)
def test_state_or_event_leads_to_its_cause(story):
    """Objects, events and log lines of Kubernetes alone name cause, category and component."""
    cause, category, component = STORIES[story][1]

    report = diagnosed(*of_story(story))

    assert (report.hypotheses[0].cause, report.category) == (cause, category)
    assert (report.verdict, report.root_cause_component) == (Verdict.FAULT, component)


def test_overcommitted_node_is_everyday_life_while_it_hurts_nobody():
    """Limits beyond a node's size matter when the node is short of something."""
    report = diagnosed(*of_story("node overcommitted")[:2])

    assert {each.cause for each in report.hypotheses} == {"something_else"}


WELL = {
    "pods at work": [of_web(restarts=0, ready="1/1"), thing("Deployment", "web")],
    "a node at work": at_node(ready="True"),
    "a policy and pods at work": [thing("NetworkPolicy", "web", denies_ingress=True), of_web()],
    "an autoscaler at its minimum": [
        thing("HorizontalPodAutoscaler", "web", ("TooFewReplicas", "less than the minimum"))
    ],
    "a probe that was late once": [
        of_web(),
        happening("Pod", "web", "Unhealthy", "Readiness probe failed: timeout", count=1),
    ],
    "a pod that was placed at the second try": [
        of_web(),
        happening("Pod", "web", "FailedScheduling", SCHEDULER.format("5 Insufficient cpu")),
    ],
    "trouble that was over long before": [
        happening("Pod", "web", "BackOff", "restarting failed container", first=-1700, last=-900)
    ],
    "a control plane that nobody can scrape": [
        metric("up", {"job": "kube-scheduler"}, 0, 0),
        of_web(),
    ],
    "what events tell of everyday life": [
        happening("Pod", "web", "Pulled", "Container image already present on machine"),
        happening("Pod", "web", "Killing", "Stopping container app"),
        happening("Deployment", "web", "ScalingReplicaSet", "Scaled up replica set web to 1"),
    ],
    "a port that no container declares": [
        thing("Service", "web", ("TargetPortNotExposed", "port 80 leads to 8081")),
        of_web(),
    ],
    "replica sets of former revisions": [
        thing("ReplicaSet", "web", replicas={"desired": 0, "ready": 0}),
        of_web(),
    ],
    "a bad line beside pods at work": [
        of_web(),
        log("web", "invalid value for key 'THEME', using default", after=3),
    ],
}


@pytest.mark.parametrize("name", WELL)
def test_healthy_objects_are_no_fault(name):
    """Ready, without restarts and without complaint: there is nothing to blame."""
    report = diagnosed(WEB, *WELL[name])

    assert report.verdict is not Verdict.FAULT
    assert report.root_cause_component is None


def test_calm_signal_and_healthy_objects_are_healthy():
    """Objects at work do not stand in the way of the verdict that nothing is wrong."""
    calm = metric("alert_signal", service("web"), 0.01, 0.02, threshold={"op": ">", "value": 0.05})

    assert diagnosed(WEB, calm, of_web(), thing("Deployment", "web")).verdict is Verdict.HEALTHY


def test_object_at_work_speaks_against_a_fault_of_it():
    """What metrics remember as a crash loop counts less when the pod is seen at work."""
    killed = [*crash_loop("web"), metric("terminated_reason", pod("web"), 0, 1, reason="OOMKilled")]

    looping, well = diagnosed(WEB, *killed), diagnosed(WEB, *killed, of_web())

    assert well.confidence_score < looping.confidence_score
    assert "is at work" in str(well.hypotheses[0].refutes)


def test_object_at_work_does_not_excuse_measured_errors():
    """Pods that run may answer with errors all the same."""
    evidence = [errors("web"), rollout("web")]

    with_pods = diagnosed(WEB, *evidence, of_web())

    assert with_pods.confidence_score == diagnosed(WEB, *evidence).confidence_score


def test_one_fact_from_two_sources_counts_once():
    """kube-state-metrics and the API server tell of the same container: that is one witness."""
    told = of_web(CRASHING, ("OOMKilled", "ended with exit code 137"))
    measured = [
        *crash_loop("web"),
        metric("terminated_reason", pod("web"), 0, 1, reason="OOMKilled"),
    ]

    once, twice = diagnosed(WEB, *measured), diagnosed(WEB, *measured, told)

    assert twice.hypotheses[0].probability == once.hypotheses[0].probability
    assert twice.confidence_score == once.confidence_score
    assert "E6" in {each.evidence_id for each in twice.supporting_evidence}


def test_state_and_event_of_one_reason_count_once():
    """The condition of a pod and the scheduler's event are one fact."""
    both = pending("5 Insufficient cpu")

    assert diagnosed(WEB, *both).confidence_score == diagnosed(WEB, both[0]).confidence_score


def test_termination_before_the_time_looked_at_counts_little():
    """The last termination keeps its reason until the next one, days later."""
    old = of_web(("OOMKilled", "ended with exit code 137"))
    old.data["problems"][0].update(at=format_time(at(-86_400)), container="app")

    assert diagnosed(WEB, old).verdict is Verdict.INSUFFICIENT_EVIDENCE


def test_pod_that_waits_since_long_ago_counts_less():
    """A wait has no time of its own, but the pod has."""
    pull = ("ImagePullBackOff", "Back-off pulling image web:9")
    fresh, old = (
        diagnosed(WEB, of_web(pull, restarts=0, created_at=format_time(at(seconds))))
        for seconds in (-60, -86_400)
    )

    assert old.hypotheses[0].probability < fresh.hypotheses[0].probability


@pytest.mark.parametrize(
    "facts",
    [
        {"ready": "0/1", "phase": "Pending"},
        {"replicas": {"desired": 2, "ready": 1}},
        {"replicas": {"desired": 0, "ready": 0}},
    ],
)
def test_object_that_is_not_ready_yet_is_not_at_work(facts):
    """Only what is up speaks against a fault."""
    killed = metric("terminated_reason", pod("web"), 0, 1, reason="OOMKilled")

    report = diagnosed(WEB, killed, of_web(**facts))

    assert "is at work" not in str(report.hypotheses[0].refutes)


SILENT = [
    *(
        SourceReport(source=name, status=SourceStatus.FAILED, query="q", error="no connection")
        for name in ("alertmanager", "loki", "prometheus")
    ),
    SourceReport(source="kubernetes", status=SourceStatus.OK, query="GET pods"),
]


def test_cause_that_kubernetes_states_needs_no_other_source():
    """The image is said to be missing: metrics and logs could hardly tell otherwise."""
    evidence = STORIES["image cannot be pulled"][0]

    alone, whole = diagnosed(WEB, *evidence, sources=SILENT), diagnosed(WEB, *evidence)

    assert alone.verdict is Verdict.FAULT
    assert alone.confidence_score < whole.confidence_score


def test_place_without_a_reason_is_not_enough_while_sources_are_silent():
    """That a node does not answer says nothing of why; the silent sources might."""
    report = diagnosed(alert("A", node="node-7"), *STORIES["node gone"][0], sources=SILENT)

    assert report.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert report.hypotheses[0].cause == "node_not_ready"


def test_confidence_hardly_needs_those_who_tell_of_surroundings():
    """Without Alertmanager little is lost; without Prometheus much."""
    evidence = [WEB, errors("web"), rollout("web")]

    def without(name: str) -> float:
        report = SourceReport(source=name, status=SourceStatus.FAILED, error="no connection")
        return diagnosed(*evidence, sources=[*ALL_ANSWERED, report]).confidence_score

    assert without("kubernetes") < without("alertmanager") < diagnosed(*evidence).confidence_score


@pytest.mark.parametrize(
    ("reason", "message", "details"),
    [
        ("Unschedulable", SCHEDULER.format("3 Insufficient cpu"), {"resource": "cpu"}),
        ("FailedCreate", QUOTA + "exceeded quota: compute, used: 4", {"object": "compute"}),
        ("Failed", 'Failed to pull image "r.example/web:9": x', {"image": "r.example/web:9"}),
        ("CreateContainerConfigError", 'secret "db" not found', {"object": 'secret "db"'}),
        ("Evicted", "The node was low on resource: memory.", {"resource": "memory"}),
    ],
)
def test_message_names_what_is_missing(reason, message, details):
    """What a message names is there for the diagnosis to say."""
    meant = meaning(reason, message, "Pod")

    assert meant is not None
    assert meant.details == details


def test_reason_without_trouble_means_nothing():
    """Everyday events are no signals, nor are reasons of kinds they do not fit."""
    assert meaning("Scheduled", "Successfully assigned shop/web to node-7", "Pod") is None
    assert meaning("Failed", "Job failed", "Job") is None
    assert meaning("NodeNotReady", "Node is not ready", "Pod") is None


def test_every_reason_can_be_met():
    """No row of the table is hidden by one before it."""
    plain = {(row.words, row.kinds) for row in REASONS if not row.says}

    assert len(plain) == sum(not row.says for row in REASONS)
