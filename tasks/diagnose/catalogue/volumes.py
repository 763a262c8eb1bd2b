"""Causes in volumes and their claims."""

from opssage.diagnosis import Action
from tasks.diagnose.catalogue.commands import first_of
from tasks.diagnose.cause import (
    NOT_UP,
    OCCASIONAL,
    POSITIVE,
    RARE,
    SLIGHT,
    VERY_STRONG,
    Cause,
    Fact,
    Sign,
    either,
    unless,
)

_STARTS = "the pods of {name} mount the volume and become ready"
_CLAIMS = "kubectl -n {namespace} describe pvc"
_PODS = first_of("describe pod {pod}", "get pods")


def _says(*signals: str) -> tuple[Sign, ...]:
    return (
        *either(Fact.TOLD, VERY_STRONG, *signals),
        *either(Fact.EFFECT, SLIGHT, "state.replicas_unavailable", *NOT_UP),
        *unless(POSITIVE, "calm.at_work"),
    )


VOLUMES = (
    Cause(
        name="storage_class_missing",
        category="storage",
        kinds=("service", "pod"),
        titles=(
            "StorageClass {object}, which a claim of {component} names, does not exist",
            "The StorageClass that a claim of {component} names does not exist",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=_says("state.storage_class_missing"),
        now=(
            Action(
                action="Compare the class the claim names with those there are",
                command="kubectl get storageclass",
                verify="the class of the claim is in the list",
            ),
            Action(
                action="Make the class, or make the claim anew with one that exists",
                risk="medium",
                verify=_STARTS,
            ),
        ),
        later=(Action(action="Keep names of StorageClasses the same in all clusters"),),
        next_checks=("Find out whether the class was renamed or never made here",),
    ),
    Cause(
        name="volume_unbound",
        category="storage",
        kinds=("service", "pod"),
        titles=("A volume claim of {component} is not bound to a volume",),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(*_says("state.volume_unbound"), *unless(POSITIVE, "state.storage_class_missing")),
        now=(
            Action(
                action="Read why the claim is not bound",
                command=_CLAIMS,
                verify="the event says what is missing: class, provisioner, size, zone",
            ),
            Action(
                action="Provide the volume, or correct the claim", risk="medium", verify=_STARTS
            ),
        ),
        later=(Action(action="Alert on claims that stay pending"),),
        next_checks=("See whether the provisioner of the claim's class runs",),
    ),
    Cause(
        name="volume_in_use",
        category="storage",
        kinds=("service", "pod"),
        titles=(
            "Volume {object} of {component} is attached elsewhere and can be used by one node only",
            "A volume of {component} is attached elsewhere and can be used by one node only",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=_says("state.volume_busy"),
        now=(
            Action(
                action="See which pod and node hold the volume",
                command="kubectl get volumeattachments",
                verify="the node it is attached to is known",
            ),
            Action(
                action="Let one pod use the claim: end the other one, or scale to one replica",
                risk="medium",
                verify=_STARTS,
            ),
        ),
        later=(
            Action(
                action="Give each replica a claim of its own, or a volume that many may mount; "
                "replace the only pod instead of rolling"
            ),
        ),
        next_checks=("Tell two replicas on one claim from a node that was lost with the volume",),
    ),
    Cause(
        name="volume_mount_failing",
        category="storage",
        kinds=("service", "pod"),
        titles=(
            "Volume {object} of {component} cannot be mounted",
            "A volume of {component} cannot be mounted",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *_says("state.volume_mount_failed"),
            *unless(
                POSITIVE,
                *("state.volume_busy", "state.object_missing", "state.volume_unbound"),
                "state.storage_class_missing",
            ),
        ),
        now=(
            Action(
                action="Read the mount error",
                command=_PODS,
                verify="the event says what the storage answered",
            ),
        ),
        later=(Action(action="Watch the storage driver's pods and its errors"),),
        next_checks=("See whether other pods of the node mount volumes of the same class",),
    ),
    Cause(
        name="ephemeral_storage_exceeded",
        category="storage",
        kinds=("service", "pod"),
        titles=("{component} writes more to its local disk than it may, and is evicted",),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=_says("state.storage_limit_exceeded"),
        now=(
            Action(
                action="Find what it writes: logs, caches, temporary files",
                command=first_of(
                    "exec deployment/{deployment} -- df -h", "exec {pod} -- df -h", "get pods"
                ),
                verify="the growing directory is known",
            ),
        ),
        later=(Action(action="Bound what is written, or give it a volume"),),
        next_checks=("Compare use with the limit on ephemeral-storage or on the emptyDir",),
    ),
)
