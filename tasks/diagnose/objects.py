"""What stands behind a component in Kubernetes, so that commands name what is there."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opssage.evidence import Evidence, EvidenceKind
from opssage.graph import parts_of
from opssage.places import deployment_of
from tasks.diagnose.case import Case, subject_of
from tasks.diagnose.component import label_of

# A CronJob appends the minute to its Jobs' names (kubernetes, pkg/controller/cronjob), which looks
# like the hash of a ReplicaSet to anyone who does not mind that it is all digits.
_OF_A_CRON_JOB = re.compile(r"-\d{8,}-[a-z\d]{5}$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Objects:
    """What of a component was seen in one namespace."""

    namespace: str = ""
    deployment: str = ""  #: empty where none is known, or several are
    pods: tuple[str, ...] = ()

    def names(self, pod: str) -> dict[str, str]:
        """Return what is known for use in commands; of the pods `pod`, if it is one of them."""
        one = pod if pod in self.pods else next(iter(self.pods), "")
        found = {"namespace": self.namespace, "deployment": self.deployment, "pod": one}
        return {key: name for key, name in found.items() if name}


def objects_behind(case: Case, namespace: str) -> dict[str, Objects]:
    """Return the objects of each component; of one name in several namespaces those in `namespace`.

    Where that one is not among them nothing is known.
    """
    seen: dict[str, list[Evidence]] = {}
    for item in case.evidence:
        if component := case.component(item):
            seen.setdefault(component, []).append(item)
    return {each: _settled(each, seen[each], namespace) for each in sorted(seen)}


def deployment_in(item: Evidence) -> str | None:
    """Return the Deployment that evidence shows; None where the owner may be of another kind."""
    if owner := _owner_in(item):
        return owner.get("name") if owner.get("kind") == "Deployment" else None
    subject = subject_of(item)
    if _is_about_deployments(item):
        return subject.get("workload")
    if label := (item.data.get("labels") or {}).get("deployment"):
        return str(label)
    pod = subject.get("pod", "")
    named = None if _OF_A_CRON_JOB.search(pod) else deployment_of(pod)
    return named if named == subject.get("workload", named) else None


def _owner_in(item: Evidence) -> Mapping[str, str]:
    """Return kind and name of the workload that Kubernetes itself says it is."""
    details = item.data.get("details") or {}
    there: Mapping[str, str] = item.data.get("object") or details.get("object") or {}
    if there.get("kind") == "Pod":
        there = (item.data.get("facts") or {}).get("owner") or {}
    return there


def _is_about_deployments(item: Evidence) -> bool:
    """Tell what collect reads off ReplicaSets that a Deployment owns, or off Deployments."""
    rolled_out = item.kind is EvidenceKind.CHANGE and item.data.get("change") == "rollout"
    return rolled_out or item.data.get("signal") == "replicas_unavailable"


def _settled(component: str, items: Sequence[Evidence], namespace: str) -> Objects:
    namespaces = {place for item in items if (place := subject_of(item).get("namespace"))}
    if len(namespaces) > 1:
        namespaces &= {namespace}
        items = [item for item in items if subject_of(item).get("namespace") in namespaces]
    deployments = {name for item in items if (name := deployment_in(item))}
    own = deployments & {parts_of(label_of(component))[1]} or deployments
    return Objects(
        namespace=next(iter(namespaces), ""),
        deployment=own.pop() if len(own) == 1 else "",
        pods=tuple(sorted({pod for item in items if (pod := subject_of(item).get("pod"))})),
    )
