"""Causes in what a service calls: other services, databases, names, limits of others."""

from opssage.diagnosis import Action
from tasks.diagnose.catalogue.commands import RESTART, first_of
from tasks.diagnose.cause import (
    HARM,
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

_BREAKER = Action(
    action="Put timeouts, retries with back-off and a circuit breaker around the call"
)
_NO_WAY = ("policy.denies", "set.local_traffic", "set.port_mismatch")
"""What keeps traffic from a service that is well."""
_DOWN = (
    "state.no_endpoints",
    "metric.target_down",
    "state.replicas_unavailable",
    "metric.traffic_drop",
)

DEPENDENCY = (
    Cause(
        name="dependency_unreachable",
        category="dependency",
        kinds=("service", "pod"),
        titles=(
            "{component} cannot be reached: {caller} is refused or cut off",
            "A dependency of {component} cannot be reached",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "log.connection_refused", where=Where.ACCUSED),
            *either(Fact.TOLD, STRONG, "log.connection_refused"),
            *either(Fact.TOLD, POSITIVE, "log.connection_reset", where=Where.ACCUSED),
            *either(Fact.TOLD, POSITIVE, "log.connection_reset"),
            *either(Fact.DOWN, POSITIVE, *_DOWN),
            *either(Fact.EFFECT, SLIGHT, *HARM, where=Where.CALLERS),
            *unless(POSITIVE, *("state.oom_killed", "state.image_pull", "state.crash_loop")),
            *unless(POSITIVE, *_NO_WAY),
        ),
        now=(
            Action(
                action="See whether {name} runs and whether its Service has endpoints",
                command="kubectl -n {namespace} get pods,endpoints",
                verify="the Service has at least one ready address and the port matches",
            ),
            Action(
                action="Restart or scale {name} if it is down",
                risk="medium",
                command=RESTART,
                verify="a connection from the caller succeeds",
            ),
        ),
        later=(_BREAKER, Action(action="Run the dependency with more than one replica")),
        next_checks=(
            "Connect to {name} from a caller's pod: refused means nobody listens",
            "If there is no answer at all, look at network policies and the node of {name}",
            "Check that address and port configured in the caller are right",
        ),
    ),
    Cause(
        name="dns_failure",
        category="dns",
        kinds=("service", "pod"),
        titles=(
            "{component} cannot resolve the host name {host}",
            "{component} cannot resolve host names",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "log.dns_failure"),
            *either(Fact.EFFECT, POSITIVE, *HARM),
            *either(Fact.CHANGE, SLIGHT, "change.rollout_before_onset"),
            *unless(POSITIVE, *_NO_WAY),
        ),
        now=(
            Action(
                action="Resolve the name from a pod of {name}",
                command=first_of(
                    "exec deployment/{deployment} -- nslookup {host}",
                    "exec {pod} -- nslookup {host}",
                    "get pods",
                ),
                verify="the name resolves",
            ),
            Action(
                action="If no name resolves, look at the cluster's DNS pods",
                command="kubectl -n kube-system get pods -l k8s-app=kube-dns",
                verify="the pods are ready and their log is free of errors",
            ),
        ),
        later=(Action(action="Check host names in configuration when it is applied"),),
        next_checks=(
            "Resolve another name from the same pod: if that works, the name itself is wrong",
            "See whether a network policy blocks port 53",
        ),
    ),
    Cause(
        name="slow_dependency",
        category="dependency",
        kinds=("service", "pod"),
        titles=(
            "{component} answers too slowly: {caller} waits for it",
            "A dependency of {component} answers too slowly",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, STRONG, "log.timeout", "log.slow_call", where=Where.ACCUSED),
            *either(Fact.TOLD, POSITIVE, "log.timeout", "log.slow_call"),
            *either(Fact.SLOW, POSITIVE, "metric.latency_rise"),
            *either(Fact.EFFECT, POSITIVE, *HARM, where=Where.CALLERS),
            *unless(POSITIVE, "log.connection_refused", where=Where.ACCUSED),
            *unless(POSITIVE, *_NO_WAY),
        ),
        now=(
            Action(
                action="Find the slow operation of {name} in its traces or slow query log",
                verify="one operation explains most of the time",
            ),
            Action(
                action="Shed load: shorten the callers' timeout and stop their retries",
                risk="medium",
                verify="callers answer again, if only with an error",
            ),
        ),
        later=(_BREAKER, Action(action="Give the slow operation an index, a cache or a limit")),
        next_checks=(
            "Compare the latency callers see with the one {name} measures: a gap is the network",
        ),
    ),
    Cause(
        name="rate_limited",
        category="quota",
        kinds=("service", "pod"),
        titles=(
            "{component} is rate limited by {host}",
            "{component} is rate limited by a service it calls",
        ),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "log.rate_limited"),
            *either(Fact.EFFECT, POSITIVE, *HARM),
            *either(Fact.LOAD, SLIGHT, "metric.traffic_surge"),
        ),
        now=(
            Action(
                action="Lower the call rate of {name}: back off as the answer's Retry-After says",
                risk="medium",
                verify="status 429 no longer appears",
            ),
        ),
        later=(Action(action="Batch, cache and budget the calls; ask for a higher limit"),),
        next_checks=("Compare the number of calls with the limit the provider grants",),
    ),
    Cause(
        name="quota_exceeded",
        category="quota",
        kinds=("service", "pod"),
        titles=(
            "Quota {object} is exceeded for {component}",
            "A quota is exceeded for {component}",
        ),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "log.quota", "state.quota"),
            *either(Fact.EFFECT, POSITIVE, *HARM),
        ),
        now=(
            Action(
                action="Compare what is used with what is granted",
                command="kubectl -n {namespace} describe resourcequota,limitrange",
                verify="the refused resource is below its bound",
            ),
        ),
        later=(Action(action="Alert at 80% of each quota"),),
        next_checks=("Find what used the quota up",),
    ),
    Cause(
        name="connection_pool_exhausted",
        category="dependency",
        kinds=("service", "pod"),
        titles=(
            "The connection pool of {component} towards {host} is exhausted",
            "The connection pool of {component} is exhausted",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "log.pool_exhausted"),
            *either(Fact.EFFECT, POSITIVE, *HARM),
            *either(Fact.LOAD, SLIGHT, "metric.traffic_surge", "change.rollout_before_onset"),
        ),
        now=(
            Action(
                action="Count connections by state at the server and end idle ones",
                risk="medium",
                verify="free connections are available again",
            ),
            Action(
                action="Restart {name} if connections are held by no running request",
                risk="medium",
                command=RESTART,
                verify="the pool's use falls",
            ),
        ),
        later=(
            Action(action="Close connections on every path, and bound pool size × replicas by "
                   "what the server allows"),
        ),
        next_checks=(
            "Tell a leak (connections idle) from slow queries (connections busy) and from load",
        ),
    ),
    Cause(
        name="cluster_partition",
        category="dependency",
        kinds=("service", "pod"),
        titles=("The members of {component} have lost each other: it is partitioned",),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "log.split_brain"),
            *either(Fact.EFFECT, POSITIVE, *HARM),
            *either(Fact.EFFECT, POSITIVE, *HARM, where=Where.CALLERS),
        ),
        now=(
            Action(
                action="Ask every member of {name} whom it sees",
                command="kubectl -n {namespace} get pods -o wide",
                verify="the sides of the partition and the way between them are known",
            ),
            Action(
                action="Heal the network, then restart the members of the smaller side",
                risk="high",
                verify="all members name the same leader",
            ),
        ),
        later=(Action(action="Run an odd number of members, spread over zones"),),
        next_checks=("Look for lost nodes and network policies between members of {name}",),
    ),
    Cause(
        name="database_lock_contention",
        category="database",
        kinds=("service", "pod"),
        titles=("Transactions of {component} block each other in the database",),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "log.deadlock", "log.lock_timeout"),
            *either(Fact.EFFECT, POSITIVE, *HARM),
            *either(Fact.CHANGE, SLIGHT, "change.rollout_before_onset"),
        ),
        now=(
            Action(
                action="List blocking transactions and end the oldest one",
                risk="high",
                command="SELECT pid, pg_blocking_pids(pid), query FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock'",
                verify="no session waits for a lock",
            ),
        ),
        later=(Action(action="Take locks in one order and keep transactions short"),),
        next_checks=("Look for a migration, batch job or long transaction since onset",),
    ),
)  # fmt: skip
