"""Causes that keep pods from being placed, created or moved."""

from opssage.diagnosis import Action
from tasks.diagnose.catalogue.commands import SPECIFICATION, first_of, on_deployment
from tasks.diagnose.catalogue.configuration import ROLL_BACK
from tasks.diagnose.cause import (
    NOT_UP,
    OCCASIONAL,
    POSITIVE,
    RARE,
    SLIGHT,
    STRONG,
    VERY_STRONG,
    Cause,
    Fact,
    Sign,
    either,
    unless,
)

_PODS = first_of("describe pod {pod}", "get pods", "get events")
_REQUESTS = "set resources deployment/{deployment} --requests=<requests>"
_PLACED = "the pods of {name} are scheduled and become ready"
_MISSING = ("state.replicas_unavailable", *NOT_UP)


def _says(*signals: str) -> tuple[Sign, ...]:
    """Return the signs of a cause that the control plane words itself."""
    return (
        *either(Fact.TOLD, VERY_STRONG, *signals),
        *either(Fact.EFFECT, SLIGHT, *_MISSING),
        *either(Fact.CHANGE, SLIGHT, "change.rollout_before_onset"),
        *unless(POSITIVE, "calm.at_work"),
    )


PLACEMENT = (
    Cause(
        name="insufficient_capacity",
        category="scheduling",
        kinds=("service", "pod"),
        titles=(
            "No node has enough {resource} for {component}",
            "No node has room for {component}",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=_says("state.unschedulable_resources"),
        now=(
            Action(
                action="Compare what the pods request with what nodes have left",
                command="kubectl describe nodes",
                verify="the request of {name} fits into what one node has left",
            ),
            Action(
                action="Lower the requests of {name} if they are more than it uses",
                risk="medium",
                command=on_deployment(_REQUESTS),
                verify=_PLACED,
            ),
            Action(action="Add a node that has what is missing", risk="medium", verify=_PLACED),
        ),
        later=(Action(action="Autoscale the node pool, and alert on requests near capacity"),),
        next_checks=("See which requests leave no room, and whether they are used",),
    ),
    Cause(
        name="placement_constraint",
        category="scheduling",
        kinds=("service", "pod"),
        titles=("No node matches the node selector, affinity or spread rules of {component}",),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=_says("state.unschedulable_constraint"),
        now=(
            Action(
                action="Compare the selector and affinity of the pod with the nodes' labels",
                command="kubectl get nodes --show-labels",
                verify="at least one node carries every label that is asked for",
            ),
            Action(
                action="Correct the selector or affinity of {name}, or label a node",
                risk="medium",
                verify=_PLACED,
            ),
            ROLL_BACK,
        ),
        later=(Action(action="Prefer soft affinity, and test it with the labels nodes have"),),
        next_checks=("Read nodeSelector, affinity and topologySpreadConstraints of {name}",),
    ),
    Cause(
        name="untolerated_taint",
        category="scheduling",
        kinds=("service", "pod"),
        titles=(
            "Nodes are tainted with {object}, which {component} does not tolerate",
            "Nodes are tainted or cordoned, which {component} does not tolerate",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=_says("state.unschedulable_taint"),
        now=(
            Action(
                action="List the taints and find out who put them there",
                command="kubectl get nodes -o custom-columns="
                "NAME:.metadata.name,TAINTS:.spec.taints,CORDONED:.spec.unschedulable",
                verify="the taint is meant to keep {name} away, or it is not",
            ),
            Action(
                action="Remove the taint, or let {name} tolerate it",
                risk="medium",
                verify=_PLACED,
            ),
        ),
        later=(Action(action="Keep enough nodes without taints for ordinary workloads"),),
        next_checks=("Look whether nodes are drained, unhealthy or reserved on purpose",),
    ),
    Cause(
        name="not_schedulable",
        category="scheduling",
        kinds=("service", "pod"),
        titles=("Pods of {component} cannot be placed on any node",),
        prior=RARE,
        needs=(Fact.TOLD,),
        explains=False,
        signs=_says("state.unschedulable"),
        now=(
            Action(
                action="Read why each node does not take the pod",
                command=_PODS,
                verify="the event counts nodes by reason",
            ),
        ),
        later=(Action(action="Alert on pods that stay pending"),),
        next_checks=("Read the scheduler's events of the pods of {name}",),
    ),
    Cause(
        name="preempted",
        category="scheduling",
        kinds=("service", "pod"),
        titles=("Pods of {component} have to make way for pods of a higher priority",),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=_says("state.preempted"),
        now=(
            Action(
                action="Find out which workload of a higher priority took the room",
                command="kubectl get events -A --field-selector reason=Preempted",
                verify="the event names the pod that was placed instead",
            ),
            Action(
                action="Add capacity, or scale the other workload down",
                risk="medium",
                verify=_PLACED,
            ),
        ),
        later=(Action(action="Review PriorityClasses: few workloads need a high one"),),
        next_checks=("Compare the PriorityClass of {name} with that of its new neighbours",),
    ),
    Cause(
        name="limit_range_violated",
        category="quota",
        kinds=("service", "pod"),
        titles=(
            "The {object} set by a LimitRange forbids the pods of {component}",
            "A LimitRange forbids the pods of {component}",
        ),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=_says("state.limit_range"),
        now=(
            Action(
                action="Compare requests and limits of {name} with the LimitRange",
                command="kubectl -n {namespace} describe limitrange",
                verify="each value lies between minimum and maximum",
            ),
            Action(
                action="Set requests and limits of {name} within its bounds",
                risk="medium",
                command=on_deployment(
                    "set resources deployment/{deployment} --requests=<requests> --limits=<limits>"
                ),
                verify="no new FailedCreate event appears",
            ),
        ),
        later=(Action(action="Check manifests against LimitRanges before they are applied"),),
        next_checks=("Find out whether the LimitRange or the requests of {name} changed",),
    ),
    Cause(
        name="quota_demands_unset",
        category="quota",
        kinds=("service", "pod"),
        titles=(
            "Quota {object} demands requests or limits that {component} does not set",
            "A quota demands requests or limits that {component} does not set",
        ),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=_says("state.quota_demands"),
        now=(
            Action(
                action="See which values the quota demands",
                command="kubectl -n {namespace} describe resourcequota,limitrange",
                verify="every resource the quota counts is set by {name} or by a default",
            ),
            Action(
                action="Set them for {name}, or give the namespace defaults by a LimitRange",
                risk="medium",
                verify="no new FailedCreate event appears",
            ),
        ),
        later=(Action(action="Ship each quota with a LimitRange that sets defaults"),),
        next_checks=("Find out when the quota was made",),
    ),
    Cause(
        name="admission_webhook_failing",
        category="admission",
        kinds=("service", "pod"),
        titles=(
            "Admission webhook {object} cannot be called, so pods of {component} are not created",
            "An admission webhook cannot be called, so pods of {component} are not created",
        ),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=_says("state.webhook_failing"),
        now=(
            Action(
                action="See whether what serves the webhook runs, and whether its certificate is "
                "the one its configuration trusts",
                command="kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations",
                verify="its Service has ready endpoints and its caBundle fits",
            ),
            Action(
                action="Let the webhook fail open until it is back, if it only guards conventions",
                risk="high",
                verify="no new FailedCreate event appears",
            ),
        ),
        later=(
            Action(
                action="Run webhooks with several replicas, a short timeout and a scope that "
                "leaves their own namespace out"
            ),
        ),
        next_checks=(
            "Read the event: refused means that it is down, x509 that its certificate is wrong",
        ),
    ),
    Cause(
        name="admission_denied",
        category="admission",
        kinds=("service", "pod"),
        titles=(
            "{object} does not admit the pods of {component}",
            "The cluster does not admit what {component} asks for",
        ),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=_says("state.admission_denied", "state.security_refused"),
        now=(
            Action(
                action="Read which rule refuses what",
                command=_PODS,
                verify="the event names the rule and the field",
            ),
            Action(
                action="Change the pod of {name} so that the rule is met",
                risk="medium",
                verify="no new FailedCreate event appears",
            ),
            ROLL_BACK,
        ),
        later=(Action(action="Run the cluster's policies on manifests before they are applied"),),
        next_checks=("Find out whether the policy or the manifest of {name} changed",),
    ),
    Cause(
        name="creation_failing",
        category="admission",
        kinds=("service", "pod"),
        titles=("The controller of {component} cannot create its pods",),
        prior=RARE,
        needs=(Fact.TOLD,),
        explains=False,
        signs=_says("state.create_failed"),
        now=(Action(action="Read why", command=_PODS, verify="the event says what was refused"),),
        later=(Action(action="Alert on FailedCreate events"),),
        next_checks=("Read the events of the ReplicaSet of {name}",),
    ),
    Cause(
        name="scaled_to_zero",
        category="configuration",
        kinds=("service", "pod"),
        titles=("{component} is scaled to zero replicas",),
        prior=RARE,
        needs=(Fact.TOLD, Fact.HARM),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "set.to_zero"),
            *either(
                Fact.HARM,
                POSITIVE,
                "state.no_endpoints",
                "state.selector_mismatch",
                "metric.target_down",
                "metric.traffic_drop",
            ),
            *either(Fact.CHANGE, SLIGHT, "change.rollout_before_onset"),
        ),
        now=(
            Action(
                action="Find out who or what scaled it down, and whether that was meant",
                command=SPECIFICATION,
                verify="spec.replicas is what it should be",
            ),
            Action(
                action="Scale {name} up again",
                risk="medium",
                command=on_deployment("scale deployment/{deployment} --replicas=<replicas>"),
                verify=_PLACED,
            ),
        ),
        later=(Action(action="Guard the least number of replicas by policy"),),
        next_checks=("Look for a scaling change, an autoscaler or a job that switches {name} off",),
    ),
    Cause(
        name="stuck_terminating",
        category="infrastructure",
        kinds=("service", "pod"),
        titles=(
            "An object of {component} is not deleted: finalizer {object} is not removed",
            "An object of {component} stays in deletion",
        ),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, STRONG, "state.stuck_terminating"),
            *either(Fact.EFFECT, POSITIVE, *_MISSING),
        ),
        now=(
            Action(
                action="See who is to remove the finalizer, and whether it runs; whether the node "
                "of the pod still answers",
                command=first_of("get pod {pod} -o yaml", "get pods"),
                verify="what has to clean up is known",
            ),
            Action(
                action="Remove the finalizer by hand if nobody is left to do so",
                risk="high",
                verify="the object is gone",
            ),
        ),
        later=(Action(action="Remove objects before the controller that finalises them"),),
        next_checks=("Tell a missing controller from a node that does not answer",),
    ),
    Cause(
        name="disruption_budget_blocks",
        category="infrastructure",
        kinds=("service", "pod", "node"),
        titles=("A disruption budget keeps pods of {component} from being moved",),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(*either(Fact.TOLD, VERY_STRONG, "state.disruption_blocked"),),
        now=(
            Action(
                action="Compare healthy and wanted pods of each budget",
                command="kubectl get poddisruptionbudgets -A",
                verify="ALLOWED DISRUPTIONS is at least 1",
            ),
            Action(
                action="Scale the workload up, so that one pod may go",
                risk="medium",
                verify="the drain goes on",
            ),
        ),
        later=(Action(action="Never let a budget demand as many pods as there are replicas"),),
        next_checks=("See whether the pods the budget counts are ready",),
    ),
)
