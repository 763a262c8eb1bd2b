"""Causes in configuration, images and start commands."""

from opssage.diagnosis import Action
from tasks.diagnose.catalogue.commands import (
    RESTART,
    ROLLOUT_STATUS,
    SPECIFICATION,
    first_of,
    on_deployment,
)
from tasks.diagnose.cause import (
    ACCUSATIONS,
    BROKEN,
    COMMON,
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

ROLL_BACK = Action(
    action="Roll {name} back to what ran before the {rollout}",
    risk="medium",
    command=on_deployment("rollout undo deployment/{deployment}"),
    verify=ROLLOUT_STATUS,
)
TAKE_BACK = Action(
    action="Take back what was changed of {name}: {taken_back}",
    risk="medium",
    verify="the errors of {name} end",
)
_AFTER_A_CHANGE = either(Fact.CHANGE, POSITIVE, "change.rollout_before_onset")

CONFIGURATION = (
    Cause(
        name="config_value_invalid",
        category="configuration",
        kinds=("service", "pod"),
        titles=(
            "Misconfigured environment variable {variable} in {component}",
            "Invalid value of configuration key {key} in {component}",
            "Invalid configuration in {component}",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "log.config_invalid"),
            *either(Fact.EFFECT, POSITIVE, *HARM),
            *_AFTER_A_CHANGE,
            *unless(POSITIVE, "state.oom_killed", "state.image_pull"),
            *unless(SLIGHT, "change.rollout_after_onset"),
        ),
        now=(
            Action(
                action="Compare the value the container gets with what the application expects",
                command=first_of(
                    "set env deployment/{deployment} --list", "set env pod/{pod} --list", "get pods"
                ),
                verify="the value parses as its type: URL with scheme, number, boolean",
            ),
            Action(
                action="Correct the value in its ConfigMap, Secret or manifest and restart {name}",
                risk="medium",
                command=RESTART,
                verify=ROLLOUT_STATUS,
            ),
            ROLL_BACK,
            TAKE_BACK,
        ),
        later=(
            Action(action="Validate configuration in the delivery pipeline, before it is applied"),
            Action(action="Let the application check its settings at start and name the bad key"),
        ),
        next_checks=(
            "Compare ConfigMaps, Secrets and environment of {name} with the last working revision",
        ),
    ),
    Cause(
        name="config_missing",
        category="configuration",
        kinds=("service", "pod"),
        titles=(
            "Environment variable {variable} is not set in {component}",
            "Configuration object {object}, which {component} needs, is missing",
            "Configuration key {key} is missing in {component}",
            "A configuration value or secret that {component} needs is missing",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(
                Fact.TOLD,
                VERY_STRONG,
                "log.env_missing",
                "log.object_missing",
                "state.object_missing",
                "state.config_error",
            ),
            *either(Fact.EFFECT, POSITIVE, *HARM),
            *_AFTER_A_CHANGE,
            *unless(POSITIVE, "state.oom_killed", "state.image_pull"),
            *unless(SLIGHT, "change.rollout_after_onset"),
        ),
        now=(
            Action(
                action="List the ConfigMaps and Secrets that exist and those {name} refers to",
                command="kubectl -n {namespace} get configmap,secret",
                verify="every name and key in the pod template exists",
            ),
            Action(
                action="Create the missing object or key and restart {name}",
                risk="medium",
                command=RESTART,
                verify=ROLLOUT_STATUS,
            ),
            ROLL_BACK,
            TAKE_BACK,
        ),
        later=(
            Action(action="Ship ConfigMaps and Secrets together with the workload that uses them"),
        ),
        next_checks=("Describe a failing pod of {name} and read its events for the missing name",),
    ),
    Cause(
        name="bad_command",
        category="configuration",
        kinds=("service", "pod"),
        titles=(
            "The start command of {component} cannot run: {object} is not there or not executable",
            "The start command of {component} cannot run",
        ),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "log.command_not_found"),
            *either(Fact.TOLD, STRONG, "state.start_error"),
            *either(Fact.EFFECT, POSITIVE, *CRASHING),
            *_AFTER_A_CHANGE,
            *unless(POSITIVE, "state.oom_killed", "state.image_pull", "state.config_error"),
        ),
        now=(
            Action(
                action="Compare command, arguments and image architecture with the image",
                command=SPECIFICATION,
                verify="the command exists in the image and is built for the node's architecture",
            ),
            ROLL_BACK,
            TAKE_BACK,
        ),
        later=(Action(action="Start the image once in the pipeline before it is released"),),
        next_checks=("Read the last termination message and exit code of the container",),
    ),
    Cause(
        name="port_conflict",
        category="configuration",
        kinds=("service", "pod"),
        titles=("{component} cannot listen: its port is already in use",),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "log.port_in_use"),
            *either(Fact.EFFECT, POSITIVE, *CRASHING),
            *_AFTER_A_CHANGE,
        ),
        now=(
            Action(
                action="Find the two processes that claim the port: containers of one pod, or "
                "hostPort and hostNetwork pods of one node",
                command=SPECIFICATION,
                verify="each port of the pod is claimed once",
            ),
            ROLL_BACK,
            TAKE_BACK,
        ),
        later=(Action(action="Avoid hostPort and hostNetwork where a Service would do"),),
        next_checks=("List the ports of all containers in the pod of {name}",),
    ),
    Cause(
        name="image_pull_failure",
        category="deploy",
        kinds=("service", "pod"),
        titles=(
            "The image {image} of {component} cannot be pulled",
            "An image of {component} cannot be pulled",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "state.image_pull", "log.image_pull"),
            *either(Fact.EFFECT, SLIGHT, "state.replicas_unavailable"),
            *_AFTER_A_CHANGE,
            *unless(SLIGHT, "change.rollout_after_onset"),
        ),
        now=(
            Action(
                action="Check that image name and tag exist and that the pull secret is valid",
                command=first_of("describe pod {pod}", "get pods"),
                verify="the event says manifest unknown (tag), unauthorized (secret) or timeout",
            ),
            ROLL_BACK,
            TAKE_BACK,
        ),
        later=(
            Action(action="Deploy images by digest, and only after the registry has them"),
            Action(action="Mirror images that come from a public registry"),
        ),
        next_checks=("Read the pull event of {name}: unknown tag, missing rights or rate limit",),
    ),
    Cause(
        name="deploy_regression",
        category="deploy",
        kinds=("service", "pod"),
        titles=("A change of {component} brought a regression",),
        prior=COMMON,
        needs=(Fact.CHANGE, Fact.HARM),
        signs=(
            *_AFTER_A_CHANGE,
            *either(Fact.HARM, POSITIVE, *BROKEN, "state.terminated_error"),
            *either(Fact.HARM, POSITIVE, *ACCUSATIONS, where=Where.ACCUSED),
            *unless(STRONG, "change.rollout_after_onset"),
            *unless(POSITIVE, *MECHANISMS),
        ),
        now=(ROLL_BACK, TAKE_BACK),
        later=(
            Action(action="Release {name} in steps, with an automatic stop on errors and latency"),
            Action(action="Add the failing request to the tests that gate a release"),
        ),
        next_checks=(
            "Compare errors and latency of the new pods of {name} with those of the old ones",
            "Read what the change of {name} contains",
        ),
    ),
    Cause(
        name="schema_version_mismatch",
        category="deploy",
        kinds=("service", "pod"),
        titles=(
            "{component} and its data do not fit together: {object}",
            "{component} runs with a schema, library or protocol version that does not fit",
        ),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "log.schema_mismatch"),
            *either(Fact.EFFECT, POSITIVE, *HARM),
            *_AFTER_A_CHANGE,
            *unless(SLIGHT, "change.rollout_after_onset"),
        ),
        now=(
            Action(
                action="Compare the versions that are deployed with the schema that is applied",
                verify="the migration the new version needs has run",
            ),
            ROLL_BACK,
            TAKE_BACK,
        ),
        later=(
            Action(action="Make schema changes compatible with the version before and after"),
            Action(action="Run migrations as a step of the deploy that must succeed first"),
        ),
        next_checks=("List applied and pending migrations, and versions of both sides",),
    ),
)
