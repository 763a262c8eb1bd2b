"""Causes between a service and its callers: Services, Ingresses, policies, probes, scaling."""

from opssage.diagnosis import Action
from tasks.diagnose.catalogue.commands import LOGS, SPECIFICATION, first_of, on_deployment
from tasks.diagnose.catalogue.configuration import ROLL_BACK
from tasks.diagnose.cause import (
    ACCUSATIONS,
    CRASHING,
    HARM,
    MECHANISMS,
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

_REQUESTS = "set resources deployment/{deployment} --requests=<requests>"
_ENDPOINTS = "kubectl -n {namespace} get services,endpointslices,pods --show-labels"
_CREATION = ("state.quota*", "state.limit_range", "state.create_failed", "state.webhook_failing")
_UNREACHED = ("log.timeout", "log.connection_refused", "log.connection_reset", "log.dns_failure")
_PROBE = Action(
    action="Compare path, port and timeout of the probe with what the application serves",
    command=SPECIFICATION,
    verify="the probe's address answers in time from inside the pod",
)

EXPOSURE = (
    Cause(
        name="service_selector_mismatch",
        category="configuration",
        kinds=("service", "pod"),
        titles=("The Service of {component} selects no pod: its selector matches no labels",),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "state.selector_mismatch"),
            *either(Fact.EFFECT, POSITIVE, *HARM),
            *either(Fact.ACCUSED, POSITIVE, *ACCUSATIONS, where=Where.ACCUSED),
            *unless(STRONG, "set.to_zero", *_CREATION),
        ),
        now=(
            Action(
                action="Compare the Service's selector with the pods' labels",
                command=_ENDPOINTS,
                verify="every pair of the selector stands among the labels of the pods",
            ),
            Action(
                action="Correct the selector or the labels",
                risk="medium",
                verify="the EndpointSlice lists ready addresses",
            ),
        ),
        later=(Action(action="Render selector and labels from one place"),),
        next_checks=("Find out whether the labels or the selector changed",),
    ),
    Cause(
        name="service_port_mismatch",
        category="configuration",
        kinds=("service", "pod"),
        titles=(
            "The Service of {component} leads to port {port}, on which no container listens",
            "The Service of {component} leads to a port on which no container listens",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD, Fact.ACCUSED),
        signs=(
            # Containers need not declare their ports, so the mismatch alone proves little.
            *either(Fact.TOLD, POSITIVE, "set.port_mismatch"),
            *either(Fact.EFFECT, SLIGHT, *HARM),
            *either(Fact.ACCUSED, STRONG, *_UNREACHED, where=Where.ACCUSED),
            *either(Fact.ACCUSED, POSITIVE, *ACCUSATIONS, where=Where.ACCUSED),
            *either(Fact.SERVES, POSITIVE, "calm.at_work"),
        ),
        now=(
            Action(
                action="Compare the Service's targetPort with the port the application listens on",
                command=_ENDPOINTS,
                verify="a request to the Service's address is answered",
            ),
            Action(action="Correct targetPort", risk="medium", verify="callers are answered"),
        ),
        later=(Action(action="Refer to ports by name, in Service and container alike"),),
        next_checks=("Connect to the pod's port and to the Service's, and compare",),
    ),
    Cause(
        name="service_without_endpoints",
        category="service",
        kinds=("service", "pod"),
        titles=("The Service of {component} has no ready endpoint",),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        explains=False,
        signs=(
            *either(Fact.TOLD, STRONG, "state.no_endpoints"),
            *either(Fact.ACCUSED, POSITIVE, *ACCUSATIONS, where=Where.ACCUSED),
            *unless(POSITIVE, *CRASHING, *MECHANISMS, "state.readiness_failing"),
            *unless(POSITIVE, "state.selector_mismatch", "set.to_zero", *_CREATION),
        ),
        now=(
            Action(
                action="See which pods the Service selects and why none is ready",
                command=_ENDPOINTS,
                verify="the EndpointSlice lists ready addresses",
            ),
        ),
        later=(Action(action="Alert on Services without endpoints"),),
        next_checks=("Describe a pod that the Service of {name} selects",),
    ),
    Cause(
        name="ingress_misconfigured",
        category="configuration",
        kinds=("service", "pod"),
        titles=(
            "The Ingress of {component} leads to what is not there: {object}",
            "The Ingress of {component} leads to what is not there",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "state.ingress_class_missing", "state.backend_missing"),
            *either(Fact.EFFECT, SLIGHT, *HARM),
        ),
        now=(
            Action(
                action="Compare class and backends of the Ingress with those there are",
                command="kubectl -n {namespace} describe ingress && kubectl get ingressclass",
                verify="class, Service and port exist by these names",
            ),
            Action(action="Correct the Ingress", risk="medium", verify="its host is answered"),
        ),
        later=(Action(action="Check references of Ingresses before they are applied"),),
        next_checks=("Find out whether the Ingress or what it leads to changed",),
    ),
    Cause(
        name="network_policy_blocks",
        category="network",
        kinds=("service", "pod"),
        titles=(
            "NetworkPolicy {policy} blocks the traffic of {component}",
            "A NetworkPolicy blocks the traffic of {component}",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD, Fact.HARM),
        signs=(
            *either(Fact.TOLD, STRONG, "policy.denies"),
            *either(Fact.HARM, STRONG, *_UNREACHED),
            *either(Fact.HARM, STRONG, *_UNREACHED, where=Where.COMPLAINTS),
            *either(Fact.HARM, STRONG, *_UNREACHED, where=Where.ACCUSED),
            *unless(POSITIVE, *CRASHING, "state.no_endpoints", where=Where.CALLERS),
        ),
        now=(
            Action(
                action="Compare the rules with the traffic that fails: address, port, and DNS",
                command="kubectl -n {namespace} describe networkpolicy",
                verify="a rule lets the failing traffic through",
            ),
            Action(
                action="Allow what is needed, DNS on port 53 included",
                risk="medium",
                verify="the connection succeeds from a pod of {name}",
            ),
        ),
        later=(Action(action="Test policies with the calls a service makes before they apply"),),
        next_checks=("Find out when the policy was made, and try the connection from {name}",),
    ),
    Cause(
        name="node_local_traffic",
        category="network",
        kinds=("service", "pod"),
        titles=("{component} is reached only from nodes that run a pod of it",),
        prior=RARE,
        needs=(Fact.TOLD, Fact.HARM),
        signs=(
            *either(Fact.TOLD, STRONG, "set.local_traffic"),
            *either(Fact.HARM, STRONG, *_UNREACHED, where=Where.ACCUSED),
        ),
        now=(
            Action(
                action="Compare the nodes of the callers with those of {name}",
                command="kubectl -n {namespace} get pods -o wide",
                verify="callers on a node without {name} fail, the others do not",
            ),
            Action(
                action="Set internalTrafficPolicy to Cluster",
                risk="medium",
                verify="callers on every node are answered",
            ),
        ),
        later=(Action(action="Use Local with DaemonSets only"),),
        next_checks=("See whether failing callers share a node without {name}",),
    ),
    Cause(
        name="liveness_probe_failing",
        category="probe",
        kinds=("service", "pod"),
        titles=(
            "The {probe} probe of {component} fails, so its containers are restarted",
            "A probe of {component} fails, so its containers are restarted",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, STRONG, "state.liveness_failing"),
            *either(Fact.EFFECT, POSITIVE, *HARM),
            *either(Fact.CHANGE, SLIGHT, "change.rollout_before_onset"),
            *unless(POSITIVE, *MECHANISMS),
            *unless(POSITIVE, "metric.cpu_throttled", "calm.at_work"),
        ),
        now=(_PROBE, ROLL_BACK),
        later=(
            Action(
                action="Let a liveness probe depend on the process alone, with time to start "
                "(startupProbe)"
            ),
        ),
        next_checks=("Tell a wrong probe from a process that hangs: ask its address by hand",),
    ),
    Cause(
        name="readiness_probe_failing",
        category="probe",
        kinds=("service", "pod"),
        titles=("The readiness probe of {component} fails, so it gets no traffic",),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, STRONG, "state.readiness_failing"),
            *either(Fact.EFFECT, POSITIVE, *HARM),
            *either(Fact.CHANGE, SLIGHT, "change.rollout_before_onset"),
            *unless(POSITIVE, *MECHANISMS, *CRASHING[:2]),
            *unless(POSITIVE, *ACCUSATIONS, where=Where.COMPLAINTS),
            *unless(POSITIVE, "metric.cpu_throttled", "calm.at_work"),
        ),
        now=(
            _PROBE,
            Action(
                action="Read what the application says while it is not ready",
                command=LOGS,
                verify="it names what it waits for",
            ),
        ),
        later=(Action(action="Let the readiness probe test what a request needs, no more"),),
        next_checks=("Tell a wrong probe from an application that is not ready",),
    ),
    Cause(
        name="pod_network_failing",
        category="network",
        kinds=("service", "pod"),
        titles=("Pods of {component} get no network: their sandbox cannot be set up",),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "state.sandbox_failed"),
            *either(Fact.EFFECT, SLIGHT, "state.replicas_unavailable", "state.not_ready"),
            *unless(POSITIVE, "calm.at_work"),
        ),
        now=(
            Action(
                action="Read what the network plugin answers, and see whether its pods run",
                command=first_of("describe pod {pod}", "get events"),
                verify="the event names the plugin's error: no address left, no contact",
            ),
        ),
        later=(Action(action="Alert on the address pool of the network plugin"),),
        next_checks=("See whether pods on one node only are concerned",),
    ),
    Cause(
        name="autoscaler_at_maximum",
        category="load",
        kinds=("service", "pod"),
        titles=("{component} needs more replicas than its autoscaler may make",),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, STRONG, "state.autoscaler_at_max"),
            *either(
                Fact.STRAIN,
                POSITIVE,
                "metric.latency_rise",
                "metric.error_ratio_rise",
                "metric.cpu_throttled",
                "metric.cpu_near_limit",
                "log.timeout",
            ),
            *either(Fact.LOAD, POSITIVE, "metric.traffic_surge"),
        ),
        now=(
            Action(
                action="Raise maxReplicas of the autoscaler, if what {name} calls can bear it",
                risk="medium",
                command="kubectl -n {namespace} get hpa",
                verify="desired replicas stay below the maximum",
            ),
        ),
        later=(Action(action="Alert when the autoscaler stays at its maximum"),),
        next_checks=("Tell more users from slower requests: compare load per replica",),
    ),
    Cause(
        name="autoscaler_blind",
        category="configuration",
        kinds=("service", "pod"),
        titles=(
            "The autoscaler of {component} cannot work: its pods set no request for {resource}",
            "The autoscaler of {component} cannot read its metrics",
        ),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "state.autoscaler_blind"),
            *either(Fact.STRAIN, SLIGHT, *HARM),
        ),
        now=(
            Action(
                action="Read what the autoscaler misses",
                command="kubectl -n {namespace} describe hpa",
                verify="its metrics show values instead of <unknown>",
            ),
            Action(
                action="Set the requests it measures against, or bring the metrics API back",
                risk="medium",
                command=on_deployment(_REQUESTS),
                verify="its metrics show values instead of <unknown>",
            ),
        ),
        later=(Action(action="Alert on autoscalers without metrics"),),
        next_checks=("See whether other autoscalers have metrics: if none has, the API is down",),
    ),
)
