"""Commands of the catalogue's actions.

A command may have several lines: the first is taken whose objects (see `wording`) are all known.
"""

_IN_NAMESPACE = "kubectl -n {namespace} "
_OWNER = "get pod {pod} -o jsonpath='{.metadata.ownerReferences}'"
_WORKLOADS = "get pods,deployments,statefulsets,daemonsets,jobs"


def first_of(*commands: str) -> str:
    """Return kubectl commands of which the first that can be filled in is taken."""
    return "\n".join(_IN_NAMESPACE + each for each in commands)


def on_deployment(command: str) -> str:
    """Return a command that changes a Deployment; else one that tells what owns the pod."""
    return first_of(command, _OWNER, _WORKLOADS)


RESTART = on_deployment("rollout restart deployment/{deployment}")
ROLLOUT_STATUS = first_of("rollout status deployment/{deployment}", "get pods")
LOGS = first_of("logs deployment/{deployment} --since=1h", "logs {pod} --since=1h", "get pods")
SPECIFICATION = first_of("get deployment {deployment} -o yaml", "get pod {pod} -o yaml", _WORKLOADS)
