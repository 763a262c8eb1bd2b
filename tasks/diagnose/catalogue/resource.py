"""Causes in memory, CPU, disks and other limits."""

from opssage.diagnosis import Action
from tasks.diagnose.catalogue.commands import RESTART, first_of, on_deployment
from tasks.diagnose.cause import (
    CRASHING,
    OCCASIONAL,
    POSITIVE,
    RARE,
    SLIGHT,
    STRONG,
    VERY_STRONG,
    Cause,
    Fact,
    either,
    unless,
)
from tasks.diagnose.scene import Where

_SLOW = ("metric.latency_rise", "metric.error_ratio_rise", "log.timeout")
_LIMITS = Action(
    action="Set requests and limits of {name} from what it uses in normal operation",
    risk="medium",
    command=on_deployment(
        "set resources deployment/{deployment} --requests=<requests> --limits=<limits>"
    ),
    verify="kubectl -n {namespace} top pod",
)
_PODS_OF_NODE = "kubectl get pods -A -o wide --field-selector spec.nodeName={node}"
_DRAIN = Action(
    action="Keep new pods away from the node while it recovers",
    risk="medium",
    command="kubectl cordon {node}",
    verify="kubectl describe node {node}",
)

RESOURCE = (
    Cause(
        name="memory_limit_exceeded",
        category="resource",
        kinds=("service", "pod"),
        titles=("{component} exceeds its memory limit and is killed (OOM)",),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "state.oom_killed"),
            *either(Fact.TOLD, STRONG, "log.oom", "metric.memory_near_limit"),
            *either(Fact.GROWTH, POSITIVE, "metric.memory_rise"),
            *either(Fact.EFFECT, SLIGHT, *CRASHING),
        ),
        now=(
            Action(
                action="Raise the memory limit of {name} to what it needs",
                risk="medium",
                command=on_deployment(
                    "set resources deployment/{deployment} --limits=memory=<limit>"
                ),
                verify="kubectl -n {namespace} top pod; no new OOMKilled",
            ),
        ),
        later=(
            Action(action="Find what holds the memory with a heap profile under load"),
            Action(action="Alert on memory use against the limit before it is reached"),
        ),
        next_checks=(
            "Look whether memory grows with traffic, with time (leak) or since the last change",
        ),
    ),
    Cause(
        name="memory_limit_below_minimum",
        category="resource",
        kinds=("service", "pod"),
        titles=("The memory limit of {component} is too small for a container to start at all",),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "state.limit_too_small"),
            *either(Fact.EFFECT, SLIGHT, *CRASHING, "state.not_ready"),
            *either(Fact.CHANGE, SLIGHT, "change.rollout_before_onset"),
        ),
        now=(_LIMITS,),
        later=(
            Action(action="Check units of limits before they are applied: 6 is bytes, 6Mi is not"),
        ),
        next_checks=("Read the memory limit of {name} with its unit",),
    ),
    Cause(
        name="evicted",
        category="resource",
        kinds=("service", "pod"),
        titles=(
            "Pods of {component} are evicted because their node is low on {resource}",
            "Pods of {component} are evicted because their node is short of something",
        ),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "state.evicted"),
            *either(Fact.EFFECT, POSITIVE, *CRASHING, "state.not_ready"),
            *either(Fact.GROWTH, POSITIVE, "metric.memory_rise"),
        ),
        now=(
            Action(
                action="See which node evicts, and which pods use more than they request",
                command="kubectl get events -A --field-selector reason=Evicted",
                verify="the event names the resource and who used it",
            ),
        ),
        later=(Action(action="Request what is used: those who use more are evicted first"),),
        next_checks=("Compare use and request of {name} with those of its neighbours",),
    ),
    Cause(
        name="node_overcommitted",
        category="resource",
        kinds=("node",),
        titles=("{component} is overcommitted: its pods may use far more than it has",),
        prior=OCCASIONAL,
        needs=(Fact.TOLD, Fact.HARM),
        signs=(
            *either(Fact.TOLD, STRONG, "set.overcommitted"),
            *either(Fact.HARM, POSITIVE, "state.memory_pressure", "metric.node_memory_high"),
            *either(Fact.HARM, POSITIVE, "metric.cpu_saturated"),
            *either(Fact.HARM, POSITIVE, "state.evicted", "state.oom_killed", where=Where.PODS),
            *unless(STRONG, "metric.cpu_hog", "metric.memory_rise", where=Where.PODS),
        ),
        now=(
            Action(
                action="Compare requests and limits of its pods with what the node has",
                command="kubectl describe node {node}",
                verify="Allocated resources shows limits near 100%",
            ),
            _DRAIN,
        ),
        later=(Action(action="Bound the ratio of limit to request by LimitRange"),),
        next_checks=("See which pods of {name} use more than they request",),
    ),
    Cause(
        name="memory_leak",
        category="resource",
        kinds=("service", "pod"),
        titles=("Memory use of {component} keeps growing",),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, STRONG, "metric.memory_rise"),
            *either(Fact.EFFECT, POSITIVE, *_SLOW, *CRASHING),
            *either(Fact.CHANGE, SLIGHT, "change.rollout_before_onset"),
            *unless(POSITIVE, "metric.traffic_surge", "state.oom_killed"),
        ),
        now=(
            Action(
                action="Restart {name} to win time",
                risk="medium",
                command=RESTART,
                verify="kubectl -n {namespace} top pod",
            ),
        ),
        later=(Action(action="Take heap profiles an hour apart and compare them"),),
        next_checks=("Compare memory of old and fresh pods of {name} under the same traffic",),
    ),
    Cause(
        name="gc_pressure",
        category="resource",
        kinds=("service", "pod"),
        titles=("{component} spends its time on garbage collection",),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, STRONG, "log.gc_pressure"),
            *either(Fact.EFFECT, POSITIVE, *_SLOW, *CRASHING),
            *either(Fact.GROWTH, POSITIVE, "metric.memory_rise", "metric.memory_near_limit"),
        ),
        now=(
            Action(
                action="Take a heap profile of {name}, then restart it to win time",
                risk="medium",
                command=RESTART,
                verify="pauses in its log are short again",
            ),
            _LIMITS,
        ),
        later=(Action(action="Size heap and memory limit together, and watch pause times"),),
        next_checks=("Tell a heap that is too small from one that leaks: compare after each GC",),
    ),
    Cause(
        name="node_memory_exhausted",
        category="resource",
        kinds=("node",),
        titles=("Memory of {component} is exhausted",),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, STRONG, "metric.node_memory_high"),
            *either(Fact.TOLD, VERY_STRONG, "state.memory_pressure"),
            *either(Fact.EFFECT, POSITIVE, "state.oom_killed", "state.evicted", where=Where.PODS),
            *either(Fact.EFFECT, SLIGHT, "state.node_not_ready"),
            *either(Fact.GROWTH, POSITIVE, "metric.memory_rise", where=Where.PODS),
        ),
        now=(
            Action(
                action="Find the pods of the node that use most memory",
                command=f"{_PODS_OF_NODE} && kubectl top pods -A --sort-by=memory",
                verify="the pods to limit or to move are known",
            ),
            _DRAIN,
        ),
        later=(Action(action="Give every pod a memory request and limit, by LimitRange"),),
        next_checks=("Compare the sum of memory limits on {name} with its capacity",),
    ),
    Cause(
        name="node_cpu_exhausted",
        category="resource",
        kinds=("node",),
        titles=(
            "CPU of {component} is exhausted by pod {unlimited}, which runs without a CPU limit",
            "CPU of {component} is exhausted by pod {hog}",
            "CPU of {component} is exhausted",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, STRONG, "metric.cpu_saturated"),
            *either(Fact.HOG, STRONG, "metric.cpu_hog", where=Where.PODS),
            *either(Fact.UNLIMITED, SLIGHT, "metric.no_cpu_limit", where=Where.PODS),
            *either(Fact.EFFECT, POSITIVE, "state.node_not_ready"),
            *either(Fact.EFFECT, POSITIVE, *_SLOW, "metric.cpu_throttled", where=Where.PODS),
        ),
        now=(
            Action(
                action="See what pod {hog} runs and who owns it: it takes the largest share",
                command="kubectl -n {hog_namespace} describe pod {hog}",
                verify="`Controlled By` names a Deployment, a Job or another owner to act on",
            ),
            Action(
                action="Limit, move or stop pod {hog} by way of its owner",
                risk="medium",
                command="kubectl -n {hog_namespace} set resources deployment/{hog_deployment} "
                "--limits=cpu=<limit>\n"
                "kubectl -n {hog_namespace} get pod {hog} "
                "-o jsonpath='{.metadata.ownerReferences}'",
                verify="CPU use of {node} falls below 80%",
            ),
            Action(
                action="List the pods of the node by CPU use",
                command=f"{_PODS_OF_NODE} && kubectl top pods -A --sort-by=cpu",
                verify="no pod uses more than the others together",
            ),
            _DRAIN,
        ),
        later=(
            Action(action="Set CPU requests and limits for every workload, by LimitRange"),
            Action(action="Scale out with a HorizontalPodAutoscaler, or add nodes to the pool"),
            Action(action="Find out what the workload computes and whether it can be made cheaper"),
        ),
        next_checks=(
            "List CPU use by pod on {name} and compare it with requests and limits",
            "Look whether the heavy pod is a batch job that could run elsewhere or later",
        ),
    ),
    Cause(
        name="cpu_limit_too_low",
        category="resource",
        kinds=("service", "pod"),
        titles=("The CPU limit of {component} is too low: it is throttled",),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, STRONG, "metric.cpu_throttled"),
            *either(Fact.NEAR, POSITIVE, "metric.cpu_near_limit"),
            *either(Fact.EFFECT, POSITIVE, *_SLOW),
        ),
        now=(_LIMITS,),
        later=(
            Action(action="Size CPU limits from the peak of normal operation, or leave them off"),
        ),
        next_checks=("Compare CPU use of {name} with its limit over a normal day",),
    ),
    Cause(
        name="cpu_runaway",
        category="resource",
        kinds=("service", "pod"),
        titles=("{component} uses far more CPU than before",),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, STRONG, "metric.cpu_rise"),
            *either(Fact.EFFECT, POSITIVE, *_SLOW, "metric.cpu_throttled"),
            *either(Fact.EFFECT, POSITIVE, *_SLOW, where=Where.CALLERS),
            *either(Fact.CHANGE, SLIGHT, "change.rollout_before_onset"),
            *unless(STRONG, "metric.traffic_surge"),
        ),
        now=(
            Action(
                action="Profile {name} while it is busy, then restart it to win time",
                risk="medium",
                command=RESTART,
                verify="kubectl -n {namespace} top pod",
            ),
            _LIMITS,
        ),
        later=(Action(action="Watch CPU per request, not only CPU"),),
        next_checks=("Compare CPU per request of {name} before and after onset",),
    ),
    Cause(
        name="volume_full",
        category="storage",
        kinds=("service", "pod"),
        titles=("A volume of {component} is full",),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, STRONG, "metric.volume_full"),
            *either(Fact.SAYS, STRONG, "log.disk_full"),
            *either(Fact.EFFECT, SLIGHT, *CRASHING, "metric.error_ratio_rise"),
        ),
        now=(
            Action(
                action="Expand the claim or delete what is no longer needed",
                risk="medium",
                command="kubectl -n {namespace} get pvc",
                verify="the volume has at least 20% free",
            ),
        ),
        later=(Action(action="Bound the data by retention and alert at 80% of the volume"),),
        next_checks=("List the largest directories on the volume of {name}",),
    ),
    Cause(
        name="disk_full",
        category="storage",
        kinds=("service", "pod"),
        titles=("{component} cannot write: the disk is full",),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "log.disk_full"),
            *either(Fact.EFFECT, POSITIVE, *CRASHING, "metric.error_ratio_rise"),
            *unless(POSITIVE, "metric.volume_full"),
        ),
        now=(
            Action(
                action="See which file system of the pod is full",
                command=first_of(
                    "exec deployment/{deployment} -- df -h", "exec {pod} -- df -h", "get pods"
                ),
                verify="one file system has no space or no inodes left",
            ),
        ),
        later=(Action(action="Limit ephemeral storage and rotate logs"),),
        next_checks=("Tell a full volume of {name} from a full disk of its node",),
    ),
    Cause(
        name="node_disk_full",
        category="storage",
        kinds=("node",),
        titles=("The disk of {component} is full",),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, STRONG, "metric.disk_full"),
            *either(Fact.TOLD, VERY_STRONG, "state.disk_pressure"),
            *either(Fact.EFFECT, POSITIVE, "log.disk_full", "state.evicted", where=Where.PODS),
            *either(Fact.EFFECT, SLIGHT, "state.node_not_ready"),
        ),
        now=(
            Action(
                action="Free space on the node: unused images, old logs",
                risk="medium",
                command="crictl rmi --prune",
                verify="kubectl describe node {node} shows no DiskPressure",
            ),
            _DRAIN,
        ),
        later=(
            Action(action="Lower the kubelet's image garbage collection threshold, rotate logs"),
        ),
        next_checks=("List the largest directories under /var/lib and /var/log on {name}",),
    ),
    Cause(
        name="handles_exhausted",
        category="resource",
        kinds=("service", "pod"),
        titles=("{component} runs out of file descriptors or ports",),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "log.too_many_files", "log.ports_exhausted"),
            *either(Fact.EFFECT, POSITIVE, *_SLOW, *CRASHING),
        ),
        now=(
            Action(
                action="Count the open handles, then restart {name} to win time",
                risk="medium",
                command=RESTART,
                verify="the error no longer appears in the log",
            ),
        ),
        later=(Action(action="Reuse connections and close what is opened; raise the limit"),),
        next_checks=("Watch the number of open descriptors and connections of {name}",),
    ),
)
