"""Pods as evidence: what their containers do, and what is wrong."""

from datetime import timedelta

import pytest
from unit.collect.kubernetes_stand_ins import (
    LONG_AGO,
    ONSET,
    WEB,
    FakeKubernetes,
    ask,
    condition,
    container,
    deployment,
    ended,
    objects,
    pod,
    problems,
    reasons,
    recorded,
    replica_set,
    waiting,
)


def seen(*things, alerts=()):
    (item,) = objects(ask(FakeKubernetes().has(*things), *alerts), "Pod").values()
    return item


def test_pod_that_ran_out_of_memory_says_so_with_the_time():
    """The state of now and how the last run ended are two problems of one container."""
    killed = waiting(
        "CrashLoopBackOff", "back-off", restartCount=14, lastState=ended("OOMKilled", 137)
    )

    item = seen(pod("web-1", killed, ready=False))

    first, second = item.data["problems"]
    assert (first["reason"], first["container"]) == ("CrashLoopBackOff", "app")
    assert second == {
        "reason": "OOMKilled",
        "message": "ended with exit code 137",
        "container": "app",
        "at": "2026-11-23T03:00:00.000000Z",
    }
    assert item.data["as_of"] == "2026-11-23T04:00:00.000000Z"
    assert item.data["facts"]["containers"][0]["last_termination"]["exit_code"] == 137


def test_real_pods_are_read():
    """The answer of a real API server: three kinds of trouble, and one pod that is well."""
    cluster = FakeKubernetes().has(
        *({"kind": "Pod", **each} for each in recorded("pods_list")["body"]["items"])
    )

    found = objects(ask(cluster), "Pod")

    assert {name: reasons(item) for name, item in found.items()} == {
        "checkout-7d9f-crash": ["CrashLoopBackOff", "OOMKilled"],
        "checkout-img": ["ImagePullBackOff"],
        "pay-pending": ["Unschedulable"],
        "checkout-7d9f-ok": [],
    }


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (
            waiting("CreateContainerConfigError", 'secret "db" not found'),
            "CreateContainerConfigError",
        ),
        (waiting("ErrImagePull", "not found"), "ErrImagePull"),
        (container(ready=False, state=ended("Error", 1)), "Error"),
        (container(ready=False, state=ended("", 128)), "Error"),
        (waiting("ContainerCreating"), "ContainerCreating"),
    ],
)
def test_container_that_does_not_run_gives_kubernetes_own_word(status, expected):
    """A creation that has taken minutes is trouble too."""
    assert reasons(seen(pod("web-1", status, ready=False))) == [expected]


def test_pod_that_starts_is_given_a_moment():
    """Every container is created once."""
    item = seen(pod("web-1", waiting("ContainerCreating"), created=ONSET + timedelta(minutes=59)))

    assert reasons(item) == []


def test_end_long_ago_is_a_fact_and_no_problem():
    """A restart of last month explains nothing now."""
    item = seen(pod("web-1", container(restartCount=1, lastState=ended("Error", 1, LONG_AGO))))

    assert reasons(item) == []
    assert item.data["facts"]["containers"][0]["last_termination"]["reason"] == "Error"


def test_pod_whose_probe_fails_is_not_ready():
    """It runs, so only its condition tells."""
    status = {"conditions": [condition("Ready", "False", "ContainersNotReady", "unready: [app]")]}

    item = seen(pod("web-1", ready=False, status=status))

    assert problems(item) == [("NotReady", "unready: [app]")]
    assert item.data["problems"][0]["at"] == "2026-11-23T03:00:00.000000Z"


def test_evicted_pod_says_why():
    """Reason and message stand on the pod, not on a container."""
    status = {"phase": "Failed", "reason": "Evicted", "message": "low on resource: memory"}

    assert problems(seen(pod(status=status)))[0] == ("Evicted", "low on resource: memory")


def test_pod_that_cannot_be_placed_says_why():
    """It has no node, and no container has a state."""
    unplaced = condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available")
    item = seen(pod(status={"phase": "Pending", "conditions": [unplaced], "containerStatuses": []}))

    assert problems(item) == [("Unschedulable", "0/3 nodes are available")]


def test_finished_pod_has_no_problem():
    """A Job's pod ends, and is not ready then."""
    item = seen(pod(ready=False, status={"phase": "Succeeded"}))

    assert reasons(item) == []


def test_init_container_that_waits_is_named_by_the_condition():
    """The pod waits for something that its init container waits for."""
    pending = condition("Initialized", "False", "ContainersNotInitialized", "incomplete: [wait-db]")
    status = {"phase": "Pending", "conditions": [pending], "containerStatuses": []}

    assert problems(seen(pod(status=status))) == [
        ("ContainersNotInitialized", "incomplete: [wait-db]")
    ]


def test_pod_tells_of_limits_probes_and_names_of_its_environment():
    """Values of environment variables are nobody's business."""
    spec = {
        "containers": [
            {
                "name": "app",
                "image": "web:1",
                "resources": {"limits": {"memory": "64Mi"}},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5},
                "env": [{"name": "MODE", "value": "hunter2"}],
            }
        ]
    }

    item = seen(pod(spec=spec))

    (facts,) = item.data["facts"]["containers"]
    assert facts["limits"] == {"memory": "64Mi"}
    assert facts["probes"]["readiness"]["path"] == "/ready"
    assert facts["env"] == ["MODE"]
    assert "hunter2" not in str(item)


def test_pod_belongs_to_the_workload_above_its_replica_set():
    """The owner chain is followed."""
    things = (
        deployment(),
        replica_set("web-7d9f", 1, "web:1", LONG_AGO),
        pod("web-7d9f-x", owner=("ReplicaSet", "web-7d9f")),
    )

    item = seen(*things, alerts=(WEB,))

    assert item.subject == {
        "namespace": "shop",
        "workload": "web",
        "pod": "web-7d9f-x",
        "node": "node-1",
    }
    assert item.data["facts"]["owner"] == {"kind": "Deployment", "name": "web"}


def test_label_tells_of_the_deployment_where_its_replica_set_was_not_seen():
    """Replica sets may be refused, and pods not."""
    labels = {"app": "web", "pod-template-hash": "7d9f"}

    item = seen(pod("web-7d9f-x", owner=("ReplicaSet", "web-7d9f"), labels=labels))

    assert item.subject["workload"] == "web"


def test_many_pods_with_the_same_trouble_are_few_pieces_of_evidence():
    """Fifty replicas that crash say no more than three."""
    crashing = [
        pod(f"web-7d9f-{n}", waiting("CrashLoopBackOff"), owner=("ReplicaSet", "web-7d9f"))
        for n in range(50)
    ]

    assert len(objects(ask(FakeKubernetes().has(*crashing)), "Pod")) == 3
