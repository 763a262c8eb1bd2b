"""Logs of containers as the kubelet serves them: the current run, or the one before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cli.replay.kubernetes.pods import runs, waiting
from cli.replay.pods import Pod
from cli.replay.recording import Capture
from opssage.errors import OpsSageError
from opssage.wire import parse_time

_SECOND = 1_000_000_000

Line = tuple[int, str]


class LogRequestError(OpsSageError):
    """There is no such log."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LogWanted:
    """What of a log is wanted."""

    container: str = ""
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None  #: lines
    limit: int | None = None  #: bytes
    since: int = 0  #: nanoseconds since the epoch
    since_seconds: int | None = None

    @classmethod
    def of(cls, values: Mapping[str, str]) -> "LogWanted":
        """Read the parameters of a request. Raises LogRequestError."""
        try:
            since = values.get("sinceTime")
            return cls(
                container=values.get("container", ""),
                previous=values.get("previous") in {"true", "1"},
                timestamps=values.get("timestamps") in {"true", "1"},
                tail=_number(values.get("tailLines")),
                limit=_number(values.get("limitBytes")),
                since=int(parse_time(since).timestamp() * _SECOND) if since else 0,
                since_seconds=_number(values.get("sinceSeconds")),
            )
        except ValueError as error:
            raise LogRequestError(f"invalid parameter: {error}") from error


def _number(text: str | None) -> int | None:
    return int(text) if text else None


class ContainerLogs:
    """The lines of all containers of a recording."""

    def __init__(self, pods: Sequence[Pod], capture: Capture) -> None:
        """Serve what was written until the capture's moment."""
        self._now = capture.now
        self._pods = {(pod.namespace, pod.name): pod for pod in pods}
        self._lines: dict[tuple[str, str], list[Line]] = {}
        for stream in capture.streams:
            place = stream.labels["namespace"], stream.labels["pod"]
            self._lines.setdefault(place, []).extend(stream.lines)

    def read(self, item: Mapping[str, Any], wanted: LogWanted) -> str:
        """Return lines of a pod's container. Raises LogRequestError when it has no such log."""
        place = item["metadata"]["namespace"], item["metadata"]["name"]
        _check_container(item, wanted.container)
        pod = self._pods.get(place)
        since, until = self._run(pod, wanted) if pod else (0, self._now * _SECOND)
        since = max(since, wanted.since, self._recent(wanted))
        lines = [line for line in sorted(self._lines.get(place, [])) if since <= line[0] < until]
        if wanted.tail is not None:
            lines = lines[max(len(lines) - wanted.tail, 0) :]
        text = "".join(_written(line, wanted) for line in lines)
        return text if wanted.limit is None else _cut(text, wanted.limit)

    def _recent(self, wanted: LogWanted) -> int:
        seconds = wanted.since_seconds
        return 0 if seconds is None else (self._now - seconds) * _SECOND

    def _run(self, pod: Pod, wanted: LogWanted) -> tuple[int, int]:
        """Return from when to when the run lasted, in nanoseconds.

        While a container waits to be started again, its last run is the current one and the
        previous one at once.
        """
        began = runs(pod)
        is_last = bool(waiting(pod)) or not wanted.previous
        if waiting(pod) and len(began) == 1 and not pod.settings.get("terminated"):
            reason = (waiting(pod) or {})["reason"]
            raise LogRequestError(
                f'container "{pod.container}" in pod "{pod.name}" is waiting to start: {reason}'
            )
        if not is_last and len(began) == 1:
            raise LogRequestError(
                f'previous terminated container "{pod.container}" in pod "{pod.name}" not found'
            )
        start, end = (began[-1], 0.0) if is_last else (began[-2], began[-1])
        return int((self._now + start) * _SECOND), int((self._now + end) * _SECOND)


def _check_container(item: Mapping[str, Any], wanted: str) -> None:
    name = item["metadata"]["name"]
    there = [each["name"] for each in item["spec"]["containers"]]
    if wanted and wanted not in there:
        raise LogRequestError(f"container {wanted} is not valid for pod {name}")
    if not wanted and len(there) > 1:
        told = " ".join(there)
        raise LogRequestError(
            f"a container name must be specified for pod {name}, choose one of: [{told}]"
        )


def _written(line: Line, wanted: LogWanted) -> str:
    if not wanted.timestamps:
        return f"{line[1]}\n"
    seconds, nanoseconds = divmod(line[0], _SECOND)
    moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{nanoseconds:09d}Z {line[1]}\n"


def _cut(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors="ignore")
