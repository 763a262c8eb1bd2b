"""What surrounds pods, as evidence."""

from datetime import timedelta

import pytest
from unit.collect.kubernetes_stand_ins import (
    LONG_AGO,
    ONSET,
    SHOP,
    WEB,
    FakeKubernetes,
    ask,
    condition,
    deployment,
    objects,
    pod,
    problems,
    reasons,
    recorded,
    reply,
    template,
    thing,
    waiting,
)
from unit.collect.stand_ins import make_alert

from tasks.collect.kubernetes.quantities import number

NODE = {"alertname": "KubeNodePressure", "node": "node-1"}


def seen(kind, *things, alert=SHOP):
    (item,) = objects(ask(FakeKubernetes().has(*things), alert), kind).values()
    return item


def service(**spec):
    return thing("Service", "web", spec={"selector": {"app": "web"}, "ports": [], **spec})


def endpoints(*, ready):
    labels = {"kubernetes.io/service-name": "web"}
    each = {"addresses": ["10.1.0.5"], "conditions": {"ready": ready}}
    return thing("EndpointSlice", "web-x", labels=labels, endpoints=[each])


def test_rollout_that_stalls_is_the_deployments_problem():
    """Both conditions tell, each with the time since when it has been so."""
    stalled = condition("Progressing", "False", "ProgressDeadlineExceeded", "timed out")
    lacking = condition("Available", "False", "MinimumReplicasUnavailable", "no minimum")

    item = seen("Deployment", deployment("web", stalled, lacking, ready=0))

    assert problems(item) == [
        ("ProgressDeadlineExceeded", "timed out"),
        ("MinimumReplicasUnavailable", "no minimum"),
    ]
    assert item.data["facts"]["replicas"] == {"desired": 1, "ready": 0, "updated": 0}


def test_deployment_scaled_to_nothing_is_well_and_says_so():
    """Nobody else can tell that zero is meant."""
    item = seen("Deployment", deployment(ready=0, spec={"replicas": 0}))

    assert reasons(item) == []
    assert item.data["facts"]["replicas"]["desired"] == 0


def test_refusal_to_make_pods_brings_the_bounds_of_the_namespace():
    """A quota is of interest where pods cannot be made, even if it has room for others."""
    refused = condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota: small")
    quota = thing("ResourceQuota", "small", status={"hard": {"pods": "9"}, "used": {"pods": "1"}})
    cluster = FakeKubernetes().has(deployment("web", refused, ready=0), quota)

    found = ask(cluster, WEB)

    assert reasons(objects(found, "Deployment")["web"]) == ["FailedCreate"]
    assert objects(found, "ResourceQuota")["small"].data["facts"]["used"] == {"pods": "1"}


def test_used_up_quota_names_the_resource():
    """Quantities are compared as numbers."""
    status = {"hard": {"cpu": "2", "memory": "1Gi"}, "used": {"cpu": "2000m", "memory": "1Mi"}}

    item = seen("ResourceQuota", thing("ResourceQuota", "small", status=status))

    assert problems(item) == [("QuotaExceeded", "cpu: 2000m of 2 used")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("250m", 0.25), ("64Mi", 67108864), ("1e3", 1000), ("2k", 2000), (3, 3), ("1.5", 1.5)],
)
def test_quantities_are_numbers(text, expected):
    """Decimal and binary suffixes, exponents."""
    assert number(text) == expected


@pytest.mark.parametrize("text", ["", "many", "1Q", None])
def test_what_is_no_quantity_is_no_number(text):
    """Nothing is guessed."""
    assert number(text) is None


def test_replicas_of_a_stateful_set_that_are_missing_are_counted():
    """It has no conditions that would tell."""
    things = thing("StatefulSet", "db", spec={"replicas": 3}, status={"readyReplicas": 1})

    assert problems(seen("StatefulSet", things)) == [("ReplicasUnavailable", "1 of 3 are ready")]


def test_job_that_gave_up_says_so():
    """The alert names the Job by a label of kube-state-metrics."""
    failed = condition("Failed", "True", "BackoffLimitExceeded", "too often")
    job = thing("Job", "report", status={"conditions": [failed], "failed": 7})
    alert = make_alert({"alertname": "A", "namespace": "shop", "job_name": "report"})

    item = seen("Job", job, alert=alert)

    assert (problems(item), item.data["facts"]["failed"]) == (
        [("BackoffLimitExceeded", "too often")],
        7,
    )


def test_autoscaler_at_its_most_says_so():
    """It is about the workload it scales."""
    limited = condition("ScalingLimited", "True", "TooManyReplicas", "more than the maximum")
    spec = {"maxReplicas": 5, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}

    item = seen(
        "HorizontalPodAutoscaler",
        thing("HorizontalPodAutoscaler", "web", spec=spec, status={"conditions": [limited]}),
    )

    assert reasons(item) == ["TooManyReplicas"]
    assert item.subject == {"namespace": "shop", "workload": "web"}


def test_real_node_under_pressure_is_seen():
    """The answer of a real API server: pressure on memory, and a taint."""
    item = seen("Node", {"kind": "Node", **recorded("node_get")["body"]}, alert=make_alert(NODE))

    assert reasons(item) == ["MemoryPressure"]
    assert item.data["facts"]["taints"] == ["node.kubernetes.io/not-ready:NoSchedule"]
    assert item.subject == {"node": "node-1"}


def test_node_tells_how_much_of_it_is_promised():
    """Of all pods on it, in whatever namespace; those that ended count no more."""
    spec = {"containers": [{"resources": {"requests": {"cpu": "1500m"}, "limits": {"cpu": "4"}}}]}
    node = thing("Node", "node-1", namespace="", status={"allocatable": {"cpu": "2"}})
    over = pod("b", namespace="other", spec=spec, status={"phase": "Succeeded"})

    item = seen("Node", node, pod("a", spec=spec), over, alert=make_alert(NODE))

    facts = item.data["facts"]
    assert (facts["pods"], facts["requests_share"]) == (1, {"cpu": 0.75})
    assert facts["limits_share"] == {"cpu": 2.0}


def test_node_that_is_lost_is_not_ready():
    """Its kubelet does not tell any more."""
    lost = condition("Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting.")
    node = thing("Node", "node-1", namespace="", status={"conditions": [lost]})

    item = seen("Node", node, alert=make_alert(NODE))

    assert problems(item) == [("NotReady", "NodeStatusUnknown: Kubelet stopped posting.")]


def test_claim_of_a_class_that_is_not_there_says_so():
    """Classes are asked for because the claim waits."""
    claim = thing(
        "PersistentVolumeClaim",
        "data",
        spec={"storageClassName": "fast"},
        status={"phase": "Pending"},
    )

    item = seen("PersistentVolumeClaim", claim)

    assert problems(item) == [("ProvisioningFailed", 'storageclass "fast" not found')]


def test_claim_that_waits_for_a_pod_is_well():
    """It is bound with the first pod that mounts it."""
    late = thing("StorageClass", "late", namespace="", volumeBindingMode="WaitForFirstConsumer")
    claim = thing(
        "PersistentVolumeClaim",
        "data",
        spec={"storageClassName": "late"},
        status={"phase": "Pending"},
    )

    assert reasons(seen("PersistentVolumeClaim", late, claim)) == []


def test_service_whose_selector_chooses_nothing_says_so():
    """The labels of its pods are others."""
    item = seen("Service", service(), pod(labels={"app": "web-v2"}))

    assert problems(item) == [("SelectorMatchesNothing", "no pod has app=web")]


@pytest.mark.parametrize(("ready", "expected"), [(True, []), (False, ["NoEndpoints"])])
def test_service_without_ready_endpoints_says_so(ready, expected):
    """It leads to one workload, which it is about."""
    item = seen("Service", service(), endpoints(ready=ready), pod(owner=("StatefulSet", "web")))

    assert reasons(item) == expected
    assert item.subject == {"namespace": "shop", "workload": "web"}


def test_service_says_nothing_of_endpoints_it_could_not_see():
    """Old clusters have no endpoint slices."""
    cluster = FakeKubernetes().has(service(), pod())
    cluster.refuse("/endpointslices", reply("unknown_group_404"))

    item = objects(ask(cluster), "Service")["web"]

    assert (reasons(item), "endpoints" in item.data["facts"]) == ([], False)


def test_service_that_leads_to_a_port_nobody_tells_of_says_so():
    """Ports are compared where pods tell of any."""
    ports = {"ports": [{"port": 80, "targetPort": 9000}]}
    spec = {"containers": [{"name": "app", "ports": [{"containerPort": 8080}]}]}

    item = seen("Service", service(**ports), endpoints(ready=True), pod(spec=spec))

    assert problems(item) == [
        ("TargetPortMatchesNothing", "port 80 leads to 9000; its pods expose 8080")
    ]


def test_ingress_names_what_it_lacks():
    """Its class and the Service behind it."""
    backend = {"service": {"name": "shop-web", "port": {"number": 80}}}
    spec = {
        "ingressClassName": "outer",
        "rules": [{"host": "shop.example", "http": {"paths": [{"backend": backend}]}}],
    }

    item = seen("Ingress", thing("Ingress", "web", spec=spec))

    assert reasons(item) == ["IngressClassNotFound", "ServiceNotFound"]
    assert item.data["facts"]["hosts"] == ["shop.example"]


def test_network_policy_tells_what_it_denies():
    """It is context, not a problem."""
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"]}

    item = seen("NetworkPolicy", thing("NetworkPolicy", "deny", spec=spec), pod(), alert=SHOP)

    assert item.data["facts"]["default_deny"] == ["Egress"]
    assert reasons(item) == []


def test_objects_of_others_are_told_only_when_they_are_in_trouble():
    """The alert is about one workload of the namespace."""
    cluster = FakeKubernetes().has(
        deployment("web"), deployment("calm"), deployment("ill", ready=0)
    )

    assert set(objects(ask(cluster, WEB), "Deployment")) == {"web", "ill"}


def test_what_is_in_trouble_comes_first_and_the_alerts_own_before_others():
    """Of things that are well only few are kept."""
    well = [deployment(f"well-{n}") for n in range(9)]
    cluster = FakeKubernetes().has(*well, deployment("ill", ready=0))

    names = list(objects(ask(cluster), "Deployment"))

    assert (names[0], len(names)) == ("ill", 6)


def test_pod_of_the_alert_that_is_gone_is_told_and_its_workload_looked_at():
    """A pod's name tells of its Deployment."""
    gone = make_alert({"alertname": "A", "namespace": "shop", "pod": "web-7d9f8b6c5d-x2x1z"})

    found = ask(FakeKubernetes().has(deployment("web")), gone)

    item = objects(found, "Pod")["web-7d9f8b6c5d-x2x1z"]
    assert (item.data["exists"], item.data["problems"]) == (False, [])
    assert "web" in objects(found, "Deployment")


def test_config_map_that_is_not_there_is_told_with_who_needs_it():
    """It is asked for by name, for its metadata only."""
    cluster = FakeKubernetes().has(
        pod("web-1", waiting("CreateContainerConfigError"), spec=needs("configMap"))
    )

    item = objects(ask(cluster), "ConfigMap")["settings"]

    assert (item.data["exists"], problems(item)) == (
        False,
        [("NotFound", "pod web-1 needs it (container app, env MODE)")],
    )
    (request,) = (r for r in cluster.asked if "configmaps" in r.url.path)
    assert "PartialObjectMetadata" in request.headers["Accept"]


def needs(what):
    reference = {f"{what}KeyRef": {"name": "settings", "key": "mode"}}
    return {"containers": [{"name": "app", "env": [{"name": "MODE", "valueFrom": reference}]}]}


def test_missing_secret_is_what_the_kubelet_says_and_never_asked_for():
    """To see that a Secret exists takes the right to read it."""
    told = waiting("CreateContainerConfigError", 'secret "settings" not found')
    cluster = FakeKubernetes().has(pod("web-1", told, spec=needs("secret")))

    item = objects(ask(cluster), "Secret")["settings"]

    assert item.data["exists"] is False
    assert not any("secret" in path for path in cluster.paths)


def test_claim_that_a_pod_mounts_and_that_is_not_there_is_told():
    """The list of claims was whole, so it is missing."""
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    unplaced = condition("PodScheduled", "False", "Unschedulable", "claim not found")
    status = {"phase": "Pending", "conditions": [unplaced]}

    item = seen("PersistentVolumeClaim", pod(spec={"volumes": volumes}, status=status))

    assert (item.data["exists"], problems(item)) == (False, [("NotFound", "pod web-1 mounts it")])


def test_optional_content_may_be_missing():
    """A pod starts without it."""
    source = {"configMapRef": {"name": "settings", "optional": True}}
    cluster = FakeKubernetes().has(pod(spec={"containers": [{"name": "app", "envFrom": [source]}]}))

    assert objects(ask(cluster), "ConfigMap") == {}


def test_order_of_answers_changes_nothing():
    """The same cluster, listed in another order, gives the same evidence."""
    things = [deployment("web", ready=0), service(), pod("web-1"), pod("web-2", ready=False)]
    things += [deployment("other", ready=0, created=LONG_AGO), thing("Job", "j", spec={})]

    one = ask(FakeKubernetes().has(*things)).evidence
    other = ask(FakeKubernetes().has(*reversed(things))).evidence

    assert one == other


def test_cron_job_tells_when_it_ran():
    """A CronJob that is suspended explains what is missing."""
    spec = {"schedule": "0 3 * * *", "suspend": True}
    ran = (ONSET - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")

    item = seen("CronJob", thing("CronJob", "nightly", spec=spec, status={"lastScheduleTime": ran}))

    assert item.data["facts"] == {
        "schedule": "0 3 * * *",
        "suspended": True,
        "last_run_at": "2026-11-22T03:00:00.000000Z",
    }


def test_limit_range_is_told_for_an_alert_about_its_namespace():
    """It demands something of every container."""
    limits = [{"type": "Container", "max": {"memory": "64Mi"}}]

    item = seen("LimitRange", thing("LimitRange", "small", spec={"limits": limits}))

    assert item.data["facts"]["limits"] == limits


def test_replica_set_that_cannot_make_pods_is_about_its_deployment():
    """Where the Deployment's own condition is not there yet."""
    refused = condition("ReplicaFailure", "True", "FailedCreate", "forbidden")
    things = thing(
        "ReplicaSet",
        "web-7d9f",
        owner=("Deployment", "web"),
        spec={"replicas": 1, "template": template("web:1")},
        status={"conditions": [refused]},
    )

    item = seen("ReplicaSet", things)

    assert (reasons(item), item.subject["workload"]) == (["FailedCreate"], "web")


def test_daemon_set_counts_where_it_should_run():
    """Its wishes stand in its status."""
    status = {"desiredNumberScheduled": 3, "numberReady": 2, "numberUnavailable": 1}

    item = seen("DaemonSet", thing("DaemonSet", "agent", spec={}, status=status))

    assert problems(item) == [("ReplicasUnavailable", "2 of 3 are ready")]
