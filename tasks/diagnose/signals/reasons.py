"""What Kubernetes' own words for trouble mean: reasons of states, conditions and events.

The words are those of the kubelet, the scheduler and the controllers (kubernetes, `pkg/kubelet`,
`pkg/scheduler`, `pkg/controller`). One word may mean several things; then its message decides.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from tasks.diagnose.signals.pattern import captured, expressions


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """A row of the table: the first one that fits a reason and its message is the signal."""

    signal: str
    words: str  #: reasons, as Kubernetes spells them
    says: str = ""  #: one regular expression a line, of which the message has to match one
    names: str = ""  #: the same, for what the message names; it need not
    kinds: str = ""  #: kinds of object; empty: any
    often: int = 1  #: an event counts in full from so many times on


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """What a reason and its message mean."""

    row: Reason
    details: Mapping[str, str] = field(default_factory=dict)


_STARTING = (
    Reason(
        signal="state.image_pull",
        words="ErrImagePull ImagePullBackOff ErrImageNeverPull InvalidImageName ImageInspectError"
        " InspectFailed RegistryUnavailable",
        names=r"image ['\"]?@image",
    ),
    Reason(
        signal="state.image_pull",
        words="Failed BackOff",
        says=r"pull(?:ing)? image|ErrImage|ImagePullBackOff|InvalidImageName",
        names=r"image ['\"]?@image",
    ),
    Reason(
        signal="state.object_missing",
        words="CreateContainerConfigError Failed FailedMount FailedCreate",
        says=r"""
        (?P<object>(?:secret|configmap)s? ['\"]?[\w./-]+['\"]?) not found
        (?P<object>serviceaccount ['\"]?[\w./-]+['\"]?) (?:was )?not found
        error looking up (?P<object>service account \S+?):
        couldn't find key (?P<object>\S+ in (?:secret|configmap) [\w./-]+)
        references non-existent (?:secret|config) key:? (?P<object>[\w.-]+)
        no PriorityClass with name (?P<object>\S+)
        """,
    ),
    Reason(
        signal="state.security_refused",
        words="CreateContainerConfigError Failed",
        says=r"runAsNonRoot|will run as root|non-numeric user",
    ),
    Reason(signal="state.config_error", words="CreateContainerConfigError"),
    Reason(
        signal="state.limit_too_small",
        words="CreateContainerError RunContainerError StartError Failed FailedCreatePodSandBox"
        " ContainerCannotRun CrashLoopBackOff",
        says=r"minimum memory limit|memory limit (?:is )?too (?:low|small)",
    ),
    Reason(
        signal="state.start_error",
        words="CreateContainerError RunContainerError PreStartHookError PostStartHookError"
        " FailedPostStartHook ContainerCannotRun StartError",
        names=r"exec: ['\"]?@path['\"]?:",
    ),
    Reason(
        signal="state.start_error",
        words="Failed CrashLoopBackOff Error",
        says=r"""
        executable file not found|exec format error|OCI runtime|no such file or directory
        exit(?:ed)?(?: with)? ?(?:code|status)?:? ?12[678]\b
        """,
        names=r"exec: ['\"]?@path['\"]?:",
    ),
    Reason(
        signal="state.sandbox_failed",
        words="FailedCreatePodSandBox FailedPodSandBoxStatus NetworkNotReady",
    ),
)

_RUNNING = (
    Reason(signal="state.memory_pressure", words="SystemOOM OOMKilling", kinds="Node"),
    Reason(signal="state.oom_killed", words="OOMKilled OOMKilling"),
    Reason(
        signal="state.crashed",
        words="Error CrashLoopBackOff",
        says=r"exit(?:ed)?(?: with)? ?(?:code|status)?:? ?13[49]\b|SIGSEGV|SIGABRT",
    ),
    Reason(
        signal="state.liveness_failing",
        words="Unhealthy",
        says=r"(?:liveness|startup) probe (?:failed|errored)",
        names=r"(?P<probe>liveness|startup) probe",
        often=3,
    ),
    Reason(
        signal="state.liveness_failing",
        words="Killing",
        says=r"failed (?:liveness|startup) probe",
        names=r"failed (?P<probe>liveness|startup) probe",
    ),
    Reason(
        signal="state.readiness_failing",
        words="Unhealthy",
        says=r"readiness probe (?:failed|errored)",
        often=3,
    ),
    Reason(signal="state.crash_loop", words="CrashLoopBackOff"),
    Reason(signal="state.crash_loop", words="BackOff", says=r"restarting failed container"),
    Reason(
        signal="state.storage_limit_exceeded",
        words="Evicted",
        says=r"ephemeral (?:local )?storage (?:usage|limit)|EmptyDir volume",
    ),
    Reason(
        signal="state.evicted",
        words="Evicted",
        names=r"""
        low on resource: (?P<resource>[\w-]+)
        node (?:had )?condition: \[?(?P<resource>\w+)
        """,
    ),
    Reason(signal="state.preempted", words="Preempted Preempting PreemptionByScheduler"),
    Reason(signal="state.terminated_error", words="Error"),
    Reason(
        signal="state.stuck_terminating",
        words="Terminating FailedKillPod FailedDelete SomeFinalizersRemain",
        names=r"finalizers?:? ['\"\[]*(?P<object>[\w./-]+)",
    ),
    Reason(
        signal="state.disruption_blocked",
        words="FailedEviction CannotEvict InsufficientPods FailedDraining ScaleDownFailed"
        " DisruptionBlocked",
    ),
    Reason(
        signal="state.not_ready",
        words="NotReady ContainersNotReady ContainersNotInitialized ReadinessGatesNotReady Failed"
        " ContainerCreating PodInitializing",
        kinds="Pod",
    ),
)

_PLACING = (
    Reason(
        signal="state.storage_class_missing",
        words="Unschedulable FailedScheduling ProvisioningFailed FailedBinding Pending Unbound",
        says=r"""
        storageclass(?:\.storage\.k8s\.io)? ['\"]?@name['\"]? (?:not found|does not exist)
        no default StorageClass
        """,
    ),
    Reason(
        signal="state.volume_unbound",
        words="Unschedulable FailedScheduling",
        says=r"""
        unbound (?:immediate )?PersistentVolumeClaims?|volume node affinity conflict
        persistentvolumeclaim ['\"]?@name['\"]? (?:not found|bound to non-existent)
        didn't find available persistent volumes|no available persistent volumes
        """,
    ),
    Reason(
        signal="state.volume_unbound",
        words="ProvisioningFailed FailedBinding Pending Unbound Lost ClaimLost ClaimMisbound",
        kinds="PersistentVolumeClaim",
    ),
    Reason(
        signal="state.unschedulable_resources",
        words="Unschedulable FailedScheduling",
        says=r"""
        Insufficient (?P<resource>[\w./-]*\w)
        Too many (?P<resource>pods)
        max node group size reached
        """,
    ),
    Reason(
        signal="state.unschedulable_constraint",
        words="Unschedulable FailedScheduling NodeAffinity",
        says=r"""
        didn't match (?:Pod's )?node (?:affinity|selector)|node\(s\) didn't match
        (?:anti-)?affinity|topology spread|free ports|no nodes available
        """,
    ),
    Reason(
        signal="state.unschedulable_taint",
        words="Unschedulable FailedScheduling",
        says=r"taints?\b|were unschedulable",
        names=r"taints? \{(?P<object>[^}]*\S)\s*\}",
    ),
    Reason(
        signal="state.unschedulable_resources",
        words="OutOfcpu OutOfmemory OutOfpods OutOfephemeral-storage",
        names=r"Node didn't have enough resource: (?P<resource>[\w./-]*\w)",
    ),
    Reason(signal="state.unschedulable", words="Unschedulable FailedScheduling", kinds="Pod"),
    Reason(
        signal="state.volume_busy",
        words="FailedAttachVolume FailedMount",
        says=r"Multi-Attach|already (?:exclusively )?attached|already used by",
        names=r"volume ['\"]@name['\"]",
    ),
    Reason(
        signal="state.volume_mount_failed",
        words="FailedAttachVolume FailedMount FailedMapVolume VolumeResizeFailed",
        names=r"volume ['\"]@name['\"]",
    ),
)

_CREATING = (
    Reason(
        signal="state.quota_demands",
        words="FailedCreate ReplicaFailure",
        says=r"failed quota: ?@name: must specify|must specify (?:limits|requests)",
    ),
    Reason(
        signal="state.quota",
        words="FailedCreate ReplicaFailure",
        says=r"exceeded quota:? ['\"]?@name|exceeded quota",
    ),
    Reason(
        signal="state.limit_range",
        words="FailedCreate ReplicaFailure",
        says=r"""
        (?P<object>(?:maximum|minimum) [\w./-]+ usage per (?:container|pod|PersistentVolumeClaim))
        limit to request ratio|must be less than or equal to \w+ limit
        """,
    ),
    Reason(
        signal="state.webhook_failing",
        words="FailedCreate ReplicaFailure FailedUpdate",
        says=r"failed calling webhook ['\"]?@name|failed calling webhook",
    ),
    Reason(
        signal="state.admission_denied",
        words="FailedCreate ReplicaFailure",
        says=r"""
        admission webhook ['\"]?@name['\"]? denied
        violates (?P<object>PodSecurity ['\"]?[\w:.-]+\b['\"]?)
        is forbidden:|denied (?:by|the request)
        """,
    ),
    Reason(signal="state.create_failed", words="FailedCreate ReplicaFailure"),
    Reason(signal="state.job_failed", words="BackoffLimitExceeded PodFailurePolicy"),
    Reason(signal="state.job_deadline", words="DeadlineExceeded", kinds="Job Pod"),
    Reason(signal="state.rollout_stuck", words="ProgressDeadlineExceeded"),
    Reason(
        signal="state.replicas_unavailable",
        words="MinimumReplicasUnavailable UnavailableReplicas",
    ),
)

_SERVING = (
    Reason(signal="state.selector_mismatch", words="SelectorMatchesNothing"),
    Reason(
        signal="set.port_mismatch",
        words="TargetPortNotExposed",
        names=r"leads to (?P<port>[\w-]+)",
    ),
    Reason(signal="state.no_endpoints", words="NoEndpoints"),
    Reason(
        signal="state.ingress_class_missing",
        words="IngressClassNotFound",
        names=r"class ['\"]?@name",
    ),
    Reason(
        signal="state.backend_missing",
        words="ServiceNotFound ServicePortNotFound",
        names=r"(?P<object>service \S+(?: has no port \S+)?)",
        kinds="Ingress",
    ),
    Reason(
        signal="state.autoscaler_at_max",
        words="TooManyReplicas",
    ),
    Reason(
        signal="state.autoscaler_blind",
        words="FailedGetResourceMetric FailedGetContainerResourceMetric FailedGetPodsMetric"
        " FailedGetObjectMetric FailedGetExternalMetric FailedComputeMetricsReplicas"
        " FailedGetScale InvalidSelector InvalidMetricSourceType AmbiguousSelector",
        names=r"missing request for (?P<resource>\w+)",
        often=3,
    ),
)

_NODES = (
    Reason(
        signal="state.node_not_ready",
        words="NotReady NodeNotReady KubeletNotReady NodeStatusUnknown NodeLost Unreachable",
        kinds="Node",
    ),
    Reason(signal="state.node_rebooted", words="Rebooted NodeShutdown", kinds="Node"),
    Reason(
        signal="state.memory_pressure",
        words="MemoryPressure NodeHasInsufficientMemory KubeletHasInsufficientMemory",
        kinds="Node",
    ),
    Reason(
        signal="state.memory_pressure",
        words="EvictionThresholdMet",
        says=r"reclaim memory",
        kinds="Node",
    ),
    Reason(
        signal="state.disk_pressure",
        words="DiskPressure NodeHasDiskPressure KubeletHasDiskPressure FreeDiskSpaceFailed"
        " ImageGCFailed EvictionThresholdMet",
        kinds="Node",
    ),
    Reason(
        signal="state.pid_pressure",
        words="PIDPressure NodeHasInsufficientPID KubeletHasInsufficientPID",
        kinds="Node",
    ),
    Reason(
        signal="state.network_unavailable",
        words="NetworkUnavailable NetworkPluginNotReady NoRouteCreated",
        kinds="Node",
    ),
)

REASONS: tuple[Reason, ...] = (
    *_NODES,
    *_STARTING,
    *_RUNNING,
    *_PLACING,
    *_CREATING,
    *_SERVING,
)

_CLAUSES = re.compile(r"nodes are available: (?P<clauses>.+?)(?:\. [Pp]reemption:|$)", re.DOTALL)
_CLAUSE = re.compile(r"(?P<nodes>\d+) (?P<why>[^,]+(?:,(?! ?\d+ )[^,]*)*)")
_CONTROL_PLANE = re.compile(r"node-role\.kubernetes\.io/(?:control-plane|master)")


def meaning(reason: str, message: str, kind: str) -> Meaning | None:
    """Return what a reason means for an object of a kind; None when it tells of no trouble."""
    for told in _told_by_nodes(message):
        for row in _rows(reason):
            if row.kinds and kind not in row.kinds.split():
                continue
            found = _first(row.says, told) if row.says else None
            if row.says and found is None:
                continue
            named = _first(row.names, message) if row.names else None
            details = {**(captured(named) if named else {}), **(captured(found) if found else {})}
            return Meaning(row=row, details=details)
    return None


@cache
def _rows(reason: str) -> tuple[Reason, ...]:
    return tuple(row for row in REASONS if reason in row.words.split())


def _first(text: str, message: str) -> re.Match[str] | None:
    matches = (regex.search(message) for regex in expressions(text))
    return next(filter(None, matches), None)


def _told_by_nodes(message: str) -> Iterator[str]:
    """Yield why nodes do not take a pod, what keeps most of them first; other messages whole.

    Nodes of the control plane are tainted on purpose.
    """
    found = _CLAUSES.search(message)
    if found is None:
        yield message
        return
    clauses = [
        (int(each["nodes"]), each["why"])
        for each in _CLAUSE.finditer(found["clauses"])
        if not _CONTROL_PLANE.search(each["why"])
    ]
    yield from (why for _, why in sorted(clauses, key=lambda each: -each[0]))
    yield message
