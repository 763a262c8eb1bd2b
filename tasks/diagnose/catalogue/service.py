"""Causes inside a service: its code, its load, or something the evidence does not show."""

from opssage.diagnosis import Action
from tasks.diagnose.catalogue.commands import LOGS, on_deployment
from tasks.diagnose.catalogue.configuration import ROLL_BACK
from tasks.diagnose.cause import (
    ACCUSATIONS,
    CRASHING,
    HARM,
    MECHANISMS,
    OCCASIONAL,
    POSITIVE,
    SLIGHT,
    STRONG,
    Cause,
    Fact,
    either,
    unless,
)
from tasks.diagnose.scene import Where

_STRAIN = (
    "metric.latency_rise",
    "metric.error_ratio_rise",
    "metric.cpu_rise",
    "metric.cpu_throttled",
    "metric.cpu_near_limit",
    "log.timeout",
)

SERVICE = (
    Cause(
        name="code_exception",
        category="code",
        kinds=("service", "pod"),
        titles=(
            "An error in the code of {component}: {exception}",
            "An error in the code of {component}",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, STRONG, "log.exception", "state.crashed"),
            *either(Fact.EFFECT, POSITIVE, *CRASHING, "metric.error_ratio_rise"),
            *unless(POSITIVE, "change.rollout_before_onset"),
            *unless(POSITIVE, *MECHANISMS),
        ),
        now=(
            Action(
                action="Read the stack trace and find the input that triggers it",
                command=LOGS,
                verify="the same input fails again in a test",
            ),
        ),
        later=(Action(action="Fix the fault and keep the input as a test"),),
        next_checks=("Look for a new kind of input, flag or data since onset",),
    ),
    Cause(
        name="traffic_surge",
        category="load",
        kinds=("service", "pod"),
        titles=("{component} gets more requests than it can serve",),
        flows_down=True,
        prior=OCCASIONAL,
        needs=(Fact.TOLD, Fact.STRAIN),
        signs=(
            *either(Fact.TOLD, STRONG, "metric.traffic_surge"),
            *either(Fact.STRAIN, POSITIVE, *_STRAIN),
            *unless(POSITIVE, "metric.traffic_surge", where=Where.CALLERS),
            *unless(POSITIVE, *MECHANISMS),
        ),
        now=(
            Action(
                action="Scale {name} out",
                risk="medium",
                command=on_deployment("scale deployment/{deployment} --replicas=<replicas>"),
                verify="latency and errors return to normal",
            ),
            Action(action="Limit the rate of the clients that send most", risk="medium"),
        ),
        later=(Action(action="Autoscale {name} on the signal that saturates first"),),
        next_checks=("Find out who sends the requests: users, a retry storm, a job or a crawler",),
    ),
    Cause(
        name="service_failing",
        category="service",
        kinds=("service", "pod"),
        explains=False,
        titles=("The fault lies in {component}; the evidence does not show why it fails",),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, POSITIVE, *HARM),
            *either(Fact.ACCUSED, POSITIVE, *ACCUSATIONS, where=Where.ACCUSED),
            *either(Fact.ACCUSED, SLIGHT, *HARM, where=Where.CALLERS),
            *unless(POSITIVE, *MECHANISMS, "change.rollout_before_onset"),
            *unless(POSITIVE, "metric.traffic_surge"),
            *unless(POSITIVE, *ACCUSATIONS, where=Where.COMPLAINTS),
        ),
        now=(
            Action(
                action="Read the log of {name} around onset",
                command=LOGS,
                verify="the first error names its reason",
            ),
            ROLL_BACK,
        ),
        later=(Action(action="Let {name} log the reason of each failed request"),),
        next_checks=("Get logs, events and recent changes of {name}",),
    ),
)
