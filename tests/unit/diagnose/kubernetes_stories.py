"""Stories that Kubernetes tells, and the cause, category and component each of them leads to."""

from dataclasses import replace

from unit.diagnose.evidence_factory import (
    alert,
    errors,
    happening,
    log,
    metric,
    rollout,
    service,
    thing,
)

from opssage.evidence import Evidence

SELF = "service/web"
WEB = alert("TargetAlert", namespace="shop", service="web")
SCHEDULER = (
    "0/5 nodes are available: {}. preemption: 0/5 nodes are available: "
    "5 Preemption is not helpful for scheduling."
)
QUOTA = 'Error creating: pods "web-7f9c" is forbidden: '
CRASHING = ("CrashLoopBackOff", "back-off 2m40s restarting failed container=app pod=web")


def of_web(*problems: tuple[str, str], **facts: object) -> Evidence:
    return thing("Pod", "web", *problems, **facts)


def said(text: str) -> Evidence:
    """A line that the last run of a container wrote, once."""
    return replace(log("web", text, after=1), source="kubernetes")


def pending(why: str) -> list[Evidence]:
    """A pod that no node takes: the condition and the event say the same."""
    told = SCHEDULER.format(why)
    return [of_web(("Unschedulable", told)), happening("Pod", "web", "FailedScheduling", told)]


def refused(why: str) -> list[Evidence]:
    """A ReplicaSet that may not create its pods."""
    return [
        happening("ReplicaSet", "web", "FailedCreate", QUOTA + why, count=9),
        thing("Deployment", "web", ("FailedCreate", QUOTA + why)),
    ]


def at_node(*problems: tuple[str, str], **facts: object) -> list[Evidence]:
    return [thing("Node", "node-7", *problems, **facts)]


def blocked(**facts: object) -> list[Evidence]:
    """Pods at work that cannot reach others, and a policy that selects them."""
    policy = thing("NetworkPolicy", "web", denies_egress=True, **facts)
    lines = log("web", "lookup ledger: i/o timeout, temporary failure in name resolution")
    return [policy, of_web(), lines, errors("web")]


STORIES = {
    "OOMKilled": (
        [of_web(CRASHING, ("OOMKilled", "ended with exit code 137"))],
        ("memory_limit_exceeded", "resource", SELF),
    ),
    "bad init command": (
        [
            of_web(
                CRASHING,
                ("StartError", 'exec: "wge": executable file not found in $PATH: unknown'),
            )
        ],
        ("bad_command", "configuration", SELF),
    ),
    "exit code 127": (
        [of_web(CRASHING, ("Error", "ended with exit code 127"))],
        ("bad_command", "configuration", SELF),
    ),
    "wrong architecture": (
        [of_web(CRASHING), said("exec /app: exec format error")],
        ("bad_command", "configuration", SELF),
    ),
    "missing variable": (
        [of_web(CRASHING), said("ValueError: DEPLOY_ENV is undefined")],
        ("config_missing", "configuration", SELF),
    ),
    "corrupted secret": (
        [of_web(CRASHING), said("invalid configuration: illegal base64 data")],
        ("config_value_invalid", "configuration", SELF),
    ),
    "certificate expired": (
        [of_web(CRASHING), said("SSL certificate has expired")],
        ("certificate_expired", "certificate", SELF),
    ),
    "image cannot be pulled": (
        [
            of_web(("ImagePullBackOff", 'Back-off pulling image "registry.example/web:9"')),
            happening("Pod", "web", "Failed", 'Failed to pull image "registry.example/web:9"'),
        ],
        ("image_pull_failure", "deploy", SELF),
    ),
    "image for another architecture": (
        [happening("Pod", "web", "Failed", "Failed to pull image: no match for platform")],
        ("image_pull_failure", "deploy", SELF),
    ),
    "ConfigMap missing": (
        [of_web(("CreateContainerConfigError", 'configmap "web-settings" not found'))],
        ("config_missing", "configuration", SELF),
    ),
    "key of a Secret missing": (
        [happening("Pod", "web", "Failed", "Error: couldn't find key url in Secret shop/web-db")],
        ("config_missing", "configuration", SELF),
    ),
    "Secret of a volume missing": (
        [
            happening(
                "Pod",
                "web",
                "FailedMount",
                'MountVolume.SetUp failed for volume "tls" : secret "web-tls" not found',
            )
        ],
        ("config_missing", "configuration", SELF),
    ),
    "ConfigMap that does not exist": (
        [
            replace(
                thing("ConfigMap", "web-settings", exists=False),
                subject={"namespace": "shop", "workload": "web"},
            ),
            of_web(("ContainerCreating", "")),
        ],
        ("config_missing", "configuration", SELF),
    ),
    "service account missing": (
        refused('error looking up service account shop/web: serviceaccount "web" not found'),
        ("config_missing", "configuration", SELF),
    ),
    "GPU": (
        pending("5 Insufficient nvidia.com/gpu"),
        ("insufficient_capacity", "scheduling", SELF),
    ),
    "memory, beside a tainted control plane": (
        pending(
            "1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
            "4 Insufficient memory"
        ),
        ("insufficient_capacity", "scheduling", SELF),
    ),
    "node selector, beside one full node": (
        pending("4 node(s) didn't match Pod's node affinity/selector, 1 Insufficient cpu"),
        ("placement_constraint", "scheduling", SELF),
    ),
    "anti-affinity": (
        pending("5 node(s) didn't match pod anti-affinity rules"),
        ("placement_constraint", "scheduling", SELF),
    ),
    "taint": (
        pending("5 node(s) had untolerated taint {dedicated: gpu}"),
        ("untolerated_taint", "scheduling", SELF),
    ),
    "a reason of a plugin": (
        pending("5 node(s) rejected by an extender"),
        ("not_schedulable", "scheduling", SELF),
    ),
    "pods that are not created": (
        [happening("ReplicaSet", "web", "FailedCreate", "Error creating: timed out", count=9)],
        ("creation_failing", "admission", SELF),
    ),
    "unbound claim": (
        [
            *pending("pod has unbound immediate PersistentVolumeClaims"),
            thing("StatefulSet", "web", ("UnavailableReplicas", "0 of 1 are ready")),
        ],
        ("volume_unbound", "storage", SELF),
    ),
    "StorageClass missing": (
        [
            *pending("pod has unbound immediate PersistentVolumeClaims"),
            replace(
                happening(
                    "PersistentVolumeClaim",
                    "data",
                    "ProvisioningFailed",
                    'storageclass.storage.k8s.io "standard-v2" not found',
                ),
                subject={"namespace": "shop", "workload": "web", "pvc": "data"},
            ),
        ],
        ("storage_class_missing", "storage", SELF),
    ),
    "volume on two nodes": (
        [
            happening(
                "Pod",
                "web",
                "FailedAttachVolume",
                'Multi-Attach error for volume "pvc-1f" Volume is already used by pod(s) web-a',
            )
        ],
        ("volume_in_use", "storage", SELF),
    ),
    "volume that cannot be mounted": (
        [
            happening(
                "Pod", "web", "FailedMount", 'MountVolume.MountDevice failed for volume "pvc-1f"'
            )
        ],
        ("volume_mount_failing", "storage", SELF),
    ),
    "local disk": (
        [happening("Pod", "web", "Evicted", 'Usage of EmptyDir volume "tmp" exceeds the limit')],
        ("ephemeral_storage_exceeded", "storage", SELF),
    ),
    "quota": (
        refused("exceeded quota: compute, requested: pods=1, used: pods=4, limited: pods=4"),
        ("quota_exceeded", "quota", SELF),
    ),
    "quota that demands limits": (
        refused("failed quota: compute: must specify limits.cpu,limits.memory"),
        ("quota_demands_unset", "quota", SELF),
    ),
    "LimitRange": (
        refused("maximum memory usage per Container is 1Gi, but limit is 2Gi"),
        ("limit_range_violated", "quota", SELF),
    ),
    "admission webhook down": (
        [
            happening(
                "ReplicaSet",
                "web",
                "FailedCreate",
                'Error creating: Internal error occurred: failed calling webhook "v.example": '
                "connect: connection refused",
            )
        ],
        ("admission_webhook_failing", "admission", SELF),
    ),
    "admission webhook with a wrong certificate": (
        [
            happening(
                "ReplicaSet",
                "web",
                "FailedCreate",
                'failed calling webhook "v.example": x509: certificate signed by unknown authority',
            )
        ],
        ("admission_webhook_failing", "admission", SELF),
    ),
    "pod security": (
        refused('violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'),
        ("admission_denied", "admission", SELF),
    ),
    "memory limit of a few bytes": (
        [of_web(("CreateContainerError", "Minimum memory limit allowed is 6MB"))],
        ("memory_limit_below_minimum", "resource", SELF),
    ),
    "readiness probe": (
        [
            of_web(("NotReady", "containers with unready status: [app]")),
            happening(
                "Pod",
                "web",
                "Unhealthy",
                "Readiness probe failed: HTTP probe failed with statuscode: 404",
                count=30,
            ),
        ],
        ("readiness_probe_failing", "probe", SELF),
    ),
    "liveness probe on a wrong port": (
        [
            of_web(CRASHING, ("Completed", "ended with exit code 0")),
            happening(
                "Pod",
                "web",
                "Unhealthy",
                "Liveness probe failed: dial tcp 10.0.0.7:9999: connect: connection refused",
                count=12,
            ),
            happening("Pod", "web", "Killing", "Container app failed liveness probe"),
        ],
        ("liveness_probe_failing", "probe", SELF),
    ),
    "IngressClass missing": (
        [thing("Ingress", "web", ("IngressClassNotFound", "IngressClass blue does not exist"))],
        ("ingress_misconfigured", "configuration", SELF),
    ),
    "Ingress to nowhere": (
        [thing("Ingress", "web", ("ServiceNotFound", "Service wbe does not exist"))],
        ("ingress_misconfigured", "configuration", SELF),
    ),
    "selector": (
        [
            thing("Service", "web", ("SelectorMatchesNothing", "no pod has app=wbe")),
            errors("web"),
        ],
        ("service_selector_mismatch", "configuration", SELF),
    ),
    "target port": (
        [
            thing("Service", "web", ("TargetPortNotExposed", "port 80 leads to 8081")),
            of_web(),
            log("front", "connect ECONNREFUSED web:80"),
            errors("front", onset=30),
        ],
        ("service_port_mismatch", "configuration", SELF),
    ),
    "no endpoint": (
        [
            thing("Service", "web", ("NoEndpoints", "none of the 2 pods is ready to be called")),
            log("front", "upstream web: 503 service unavailable"),
        ],
        ("service_without_endpoints", "service", SELF),
    ),
    "no endpoint, and callers that are refused": (
        [
            thing("Service", "web", ("NoEndpoints", "none of the 2 pods is ready to be called")),
            log("front", "connect ECONNREFUSED web:80"),
            errors("front", onset=30),
        ],
        ("dependency_unreachable", "dependency", SELF),
    ),
    "scaled to zero": (
        [
            thing("Deployment", "web", replicas={"desired": 0, "ready": 0}),
            thing("Service", "web", ("SelectorMatchesNothing", "no pod has app=web")),
        ],
        ("scaled_to_zero", "configuration", SELF),
    ),
    "host name": (
        [of_web(CRASHING), said("[Errno -5] No address associated with hostname")],
        ("dns_failure", "dns", SELF),
    ),
    "init container that waits for a service": (
        [
            of_web(("ContainersNotInitialized", "containers with incomplete status: [wait]")),
            log("web", "nslookup: can't resolve 'ledgr': Name or service not known", after=40),
        ],
        ("dns_failure", "dns", SELF),
    ),
    "network policy": (blocked(), ("network_policy_blocks", "network", SELF)),
    "traffic of one node only": (
        [
            thing("Service", "web", traffic_policy="Local"),
            of_web(),
            log("front", "call to http://web: context deadline exceeded"),
            errors("front"),
        ],
        ("node_local_traffic", "network", SELF),
    ),
    "sandbox": (
        [
            happening(
                "Pod",
                "web",
                "FailedCreatePodSandBox",
                "Failed to create pod sandbox: plugin failed to assign an IP address",
            )
        ],
        ("pod_network_failing", "network", SELF),
    ),
    "database of a job": (
        [
            thing("Job", "web", ("BackoffLimitExceeded", "Job has reached the backoff limit")),
            said("connect to prod-db:3333: connection refused"),
        ],
        ("dependency_unreachable", "dependency", "service/prod-db"),
    ),
    "script of a job": (
        [
            thing("Job", "web", ("BackoffLimitExceeded", "Job has reached the backoff limit")),
            said('/bin/sh: syntax error: unexpected "fi"'),
        ],
        ("bad_command", "configuration", SELF),
    ),
    "rights of an account": (
        [
            of_web(CRASHING),
            log("web", 'pods is forbidden: User "system:web" cannot list resource "pods"'),
        ],
        ("permission_denied", "permission", SELF),
    ),
    "segmentation fault": (
        [of_web(CRASHING, ("Error", "ended with exit code 139"))],
        ("code_exception", "code", SELF),
    ),
    "stack overflow": (
        [of_web(CRASHING), said("java.lang.StackOverflowError at Cart.total")],
        ("code_exception", "code", SELF),
    ),
    "split brain of a broker": (
        [errors("web"), log("web", "rabbitmq: partitions_detected true", after=6)],
        ("cluster_partition", "dependency", SELF),
    ),
    "garbage collection": (
        [
            metric("latency_p99", service("web"), 0.1, 3.0),
            log("web", "[gc] Pause Full (Allocation Failure) 7900M->7800M(8192M) 4210.1ms"),
        ],
        ("gc_pressure", "resource", SELF),
    ),
    "database that does not answer": (
        [errors("web"), log("web", "Error: connect ETIMEDOUT orders-db:5432")],
        ("dependency_unreachable", "dependency", "service/orders-db"),
    ),
    "message that no consumer can read": (
        [of_web(CRASHING), said("SerializationException: could not deserialize record at 4711")],
        ("schema_version_mismatch", "deploy", SELF),
    ),
    "driver too old for the database": (
        [of_web(CRASHING), said("MongoError: incompatible wire version 2, needs 6")],
        ("schema_version_mismatch", "deploy", SELF),
    ),
    "autoscaler without requests": (
        [
            thing(
                "HorizontalPodAutoscaler",
                "web",
                (
                    "FailedGetResourceMetric",
                    "failed to get cpu utilization: missing request for cpu",
                ),
            )
        ],
        ("autoscaler_blind", "configuration", SELF),
    ),
    "autoscaler at its maximum": (
        [
            thing("HorizontalPodAutoscaler", "web", ("TooManyReplicas", "more than the maximum")),
            metric("latency_p99", service("web"), 0.1, 1.4),
        ],
        ("autoscaler_at_maximum", "load", SELF),
    ),
    "eviction": (
        [
            happening("Pod", "web", "Evicted", "The node was low on resource: memory."),
            of_web(("Evicted", "The node was low on resource: memory.")),
        ],
        ("evicted", "resource", SELF),
    ),
    "preemption": (
        [happening("Pod", "web", "Preempted", "Preempted by pod 3f on node node-7")],
        ("preempted", "scheduling", SELF),
    ),
    "finalizer": (
        [
            of_web(("Terminating", "it should be gone by then"), finalizers=["example/guard"]),
            thing("Deployment", "web", ("UnavailableReplicas", "1 of 2 are ready")),
        ],
        ("stuck_terminating", "infrastructure", SELF),
    ),
    "disruption budget": (
        [
            happening(
                "Pod",
                "web",
                "FailedEviction",
                "Cannot evict pod as it would violate the pod's disruption budget.",
            ),
            happening("Node", "node-7", "FailedDraining", "failed to drain node"),
        ],
        ("disruption_budget_blocks", "infrastructure", "node/node-7"),
    ),
    "node gone": (
        at_node(("NotReady", "NodeStatusUnknown: Kubelet stopped posting node status.")),
        ("node_not_ready", "infrastructure", "node/node-7"),
    ),
    "memory pressure": (
        [
            *at_node(("MemoryPressure", "KubeletHasInsufficientMemory")),
            happening("Node", "node-7", "EvictionThresholdMet", "Attempting to reclaim memory"),
        ],
        ("node_memory_exhausted", "resource", "node/node-7"),
    ),
    "disk pressure": (
        [
            *at_node(("DiskPressure", "KubeletHasDiskPressure")),
            happening("Pod", "web", "Evicted", "The node was low on resource: ephemeral-storage."),
        ],
        ("node_disk_full", "storage", "node/node-7"),
    ),
    "node overcommitted": (
        [
            *at_node(limits_share={"cpu": 2.4, "memory": 1.63}),
            metric("node_memory", {"node": "node-7"}, 0.8, 0.97),
        ],
        ("node_overcommitted", "resource", "node/node-7"),
    ),
    "rollout that makes no progress, with errors": (
        [
            thing("Deployment", "web", ("ProgressDeadlineExceeded", "has timed out progressing")),
            of_web(("CrashLoopBackOff", "")),
            rollout("web"),
        ],
        ("deploy_regression", "deploy", SELF),
    ),
}


def of_story(name: str) -> tuple[Evidence, ...]:
    """Return the evidence of a story, with an alert on what it is about."""
    evidence, (_, _, component) = STORIES[name]
    kind, _, node = component.partition("/")
    return (alert("NodeAlert", node=node) if kind == "node" else WEB, *evidence)
