"""Causes in nodes and in the telemetry itself, and the case that nothing is wrong."""

from opssage.diagnosis import Action
from tasks.diagnose.cause import (
    OCCASIONAL,
    POSITIVE,
    STRONG,
    VERY_STRONG,
    Cause,
    Fact,
    either,
    unless,
)
from tasks.diagnose.scene import Where
from tasks.diagnose.signals.alert import INCIDENT

FALSE_ALARM = 1 / 10
"""Odds of an alert that was noise: alerts that resolve by themselves are frequent."""

_OUT_OF_ORDER = ("metric.*", "state.*", "log.*")

INFRASTRUCTURE = (
    Cause(
        name="node_not_ready",
        category="infrastructure",
        kinds=("node",),
        explains=False,
        titles=("{component} is not ready or cannot be reached",),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "state.node_not_ready", "state.network_unavailable"),
            *either(Fact.TOLD, STRONG, "state.pid_pressure", "state.node_rebooted"),
            *either(
                Fact.EFFECT,
                POSITIVE,
                "state.replicas_unavailable",
                "metric.target_down",
                "metric.traffic_drop",
                where=Where.PODS,
            ),
            *unless(STRONG, "metric.cpu_saturated", "metric.node_memory_high", "metric.disk_full"),
            *unless(STRONG, "state.memory_pressure", "state.disk_pressure"),
        ),
        now=(
            Action(
                action="Read the node's conditions and the kubelet's log",
                command="kubectl describe node {node}",
                verify="the condition that is false names its reason",
            ),
            Action(
                action="Move its pods elsewhere if it does not come back",
                risk="high",
                command="kubectl drain {node} --ignore-daemonsets --delete-emptydir-data",
                verify="kubectl get pods -A --field-selector spec.nodeName={node}",
            ),
        ),
        later=(Action(action="Spread replicas over nodes and zones"),),
        next_checks=(
            "Tell a dead kubelet from a dead network: can {name} be reached from its neighbours?",
        ),
    ),
    Cause(
        name="telemetry_missing",
        category="telemetry",
        kinds=("service", "pod", "node"),
        titles=("{component} cannot be scraped, and nothing else shows that it fails",),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, STRONG, "metric.target_down"),
            *either(Fact.SERVES, POSITIVE, "calm.serving"),
            *unless(STRONG, "state.*", "log.*", "metric.restarts", "metric.error_ratio_rise"),
            *unless(STRONG, *("metric.edge_errors", "log.*"), where=Where.ACCUSED),
        ),
        now=(
            Action(
                action="Open the target's metrics address from inside the cluster",
                command="kubectl -n {namespace} get endpoints",
                verify="the address answers with metrics and up returns to 1",
            ),
        ),
        later=(Action(action="Alert on missing targets apart from failing services"),),
        next_checks=(
            "Ask the service itself: does it answer requests while its target is down?",
            "Compare port, path and network policy of the scrape with the pod",
        ),
    ),
    Cause(
        name="noise",
        category="none",
        kinds=(INCIDENT,),
        titles=(
            "Nothing is seen out of order: what the alert watches never crossed its threshold",
        ),
        prior=FALSE_ALARM,
        needs=(Fact.CALM,),
        signs=(
            *either(Fact.CALM, STRONG, "signal.never_crossed"),
            *unless(VERY_STRONG, "signal.over_threshold"),
            *unless(STRONG, *_OUT_OF_ORDER),
        ),
        later=(
            Action(
                action="Give the alert a longer `for`, or a threshold that normal peaks respect"
            ),
        ),
        next_checks=("Watch whether the alert comes back",),
    ),
    Cause(
        name="recovered",
        category="unknown",
        kinds=(INCIDENT,),
        titles=(
            "The trouble has passed: what the alert watches crossed its threshold, no longer does",
        ),
        prior=FALSE_ALARM,
        needs=(Fact.OVER,),
        signs=(
            *either(Fact.OVER, STRONG, "signal.back_to_normal"),
            *unless(VERY_STRONG, "signal.over_threshold"),
            *unless(STRONG, *_OUT_OF_ORDER),
        ),
        next_checks=(
            "Look at logs and changes of the minutes in which the alert's signal was out of bounds",
        ),
    ),
)
