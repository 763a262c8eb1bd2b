"""States that Kubernetes names: why a container waits or ended, what a node's condition is."""

from collections.abc import Iterator, Mapping

from opssage.diagnosis import Finding
from opssage.evidence import Evidence
from tasks.diagnose.case import Case
from tasks.diagnose.component import label_of
from tasks.diagnose.signals.finding import finding
from tasks.diagnose.signals.reading import Reading, read

WAITING: Mapping[str, str] = {
    "CrashLoopBackOff": "state.crash_loop",
    "ImagePullBackOff": "state.image_pull",
    "ErrImagePull": "state.image_pull",
    "ErrImageNeverPull": "state.image_pull",
    "InvalidImageName": "state.image_pull",
    "ImageInspectError": "state.image_pull",
    "RegistryUnavailable": "state.image_pull",
    "CreateContainerConfigError": "state.config_error",
    "CreateContainerError": "state.start_error",
    "RunContainerError": "state.start_error",
    "PreStartHookError": "state.start_error",
    "PostStartHookError": "state.start_error",
}
"""Waiting reasons as the kubelet spells them (kubernetes, pkg/kubelet)."""

TERMINATED: Mapping[str, str] = {
    "OOMKilled": "state.oom_killed",
    "ContainerCannotRun": "state.start_error",
    "StartError": "state.start_error",
    "Error": "state.terminated_error",
    "Evicted": "state.evicted",
}

CONDITIONS: Mapping[str, str] = {
    "memorypressure": "state.memory_pressure",
    "diskpressure": "state.disk_pressure",
    "pidpressure": "state.pid_pressure",
    "networkunavailable": "state.network_unavailable",
}

_AS_BEFORE = 0.5  # the same reason was there before onset
_LONG_AGO = 0.3  # the last termination keeps its reason until the next one


def waiting(case: Case) -> Iterator[Finding]:
    """Find containers that cannot start."""
    for item in case.metrics("waiting_reason"):
        signal = WAITING.get(str(item.data.get("reason")))
        reading, component = read(item, case.onset), case.component(item)
        if signal and reading and component and reading.peak > 0:
            said = f"a container of {label_of(component)} waits in {item.data['reason']}"
            strength = _AS_BEFORE if reading.base else 1.0
            yield _state(signal, component, strength, said, item, reading)


def terminated(case: Case) -> Iterator[Finding]:
    """Find why containers ended; a reason that was there before needs a restart to count."""
    restarted = {
        case.component(item)
        for item in case.metrics("restarts")
        if (reading := read(item, case.onset)) and reading.peak > 0
    }
    for item in case.metrics("terminated_reason"):
        signal = TERMINATED.get(str(item.data.get("reason")))
        reading, component = read(item, case.onset), case.component(item)
        if signal and reading and component and reading.peak > 0:
            said = f"a container of {label_of(component)} ended with {item.data['reason']}"
            old = bool(reading.base) and component not in restarted
            yield _state(signal, component, _LONG_AGO if old else 1.0, said, item, reading)


def node_conditions(case: Case) -> Iterator[Finding]:
    """Find nodes that are not ready or under pressure."""
    for item in case.metrics("node_condition"):
        reading, node = read(item, case.onset), case.names.node(item.subject)
        if reading is None or node is None:
            continue
        signal = _condition(str(item.data.get("reason")), holds=reading.last > 0)
        if signal:
            said = f"node {label_of(node)} reports {signal.partition('.')[2].replace('_', ' ')}"
            strength = _AS_BEFORE if _was_so(reading) else 1.0
            yield _state(signal, node, strength, said, item, reading)


def _condition(reason: str, *, holds: bool) -> str | None:
    """Return the signal of a condition such as `DiskPressure`, `Ready` or `Ready/false`.

    The series of a status (`/true`, `/false`, `/unknown`) is 1 while that status is the current
    one; without a status the series is the condition itself.
    """
    name, _, status = reason.lower().partition("/")
    current = status or "true"
    if name == "ready":
        down = holds if current in {"false", "unknown"} else not holds
        return "state.node_not_ready" if down else None
    return CONDITIONS.get(name) if holds and current == "true" else None


def _was_so(reading: Reading) -> bool:
    """Tell whether the state of now was there before onset."""
    return reading.base is not None and (reading.base > 0) == (reading.last > 0)


def _state(
    signal: str, component: str, strength: float, said: str, item: Evidence, reading: Reading
) -> Finding:
    return finding(signal, component, strength, said, [item], onset_at=reading.onset_at)
