"""Log lines of a recording, as the streams an agent would have sent to Loki."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any

import numpy as np

from cli.replay.pods import Pod
from cli.replay.shapes import Numbers, drawn, seed_of, uniform

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """The lines of one label set."""

    labels: Mapping[str, str]
    lines: tuple[tuple[int, str], ...]  #: (nanoseconds since the epoch, text), oldest first


def streams(document: Mapping[str, Any], pods: Sequence[Pod], now: int) -> Iterator[Stream]:
    """Return every pod's streams; `now` is in unix seconds."""
    for spec in document.get("logs", ()):
        for pod in pods:
            if pod.workload == spec["workload"] and _concerns(spec, pod):
                lines = sorted(
                    (int(moment * _NANOSECONDS) + now * _NANOSECONDS, text)
                    for number, line in enumerate(spec["lines"])
                    for moment, text in _written(line, number, pod, document)
                )
                yield Stream(labels=_labels(pod, spec["stream"]), lines=tuple(lines))


def _concerns(spec: Mapping[str, Any], pod: Pod) -> bool:
    """Return whether the lines are of this pod: all pods, or those of one generation."""
    return pod.owner.endswith(spec.get("generation", ""))


def _labels(pod: Pod, stream: str) -> dict[str, str]:
    return {
        "namespace": pod.namespace,
        "pod": pod.name,
        "container": pod.container,
        "app": pod.workload,
        "node_name": pod.node,
        "job": f"{pod.namespace}/{pod.workload}",
        "stream": stream,
    }


def _written(
    line: Mapping[str, Any], number: int, pod: Pod, document: Mapping[str, Any]
) -> Iterator[tuple[float, str]]:
    """Return when one kind of line was written by a pod, and its text each time."""
    seed = seed_of(f"{pod.name} {line['text']}")
    born = document["from"] if pod.since is None else pod.since
    gone = document["until"] if pod.until is None else pod.until
    if line.get("at") == "starts":
        moments = np.array([born, *pod.restarts_at]) + 0.2 + 0.04 * number
    elif "at" in line:
        moments = np.array(line["at"], dtype=np.float64)
    else:
        moments = _moments(line["per_minute"], document, seed)
    template, chance = Template(line["text"]), uniform(seed ^ 1, len(moments))
    for moment, luck in zip(moments, chance, strict=True):
        if born <= moment < gone:
            yield float(moment), template.safe_substitute(_filling(float(luck)))


def _moments(per_minute: Any, document: Mapping[str, Any], seed: int) -> Numbers:
    """Spread lines over time so that their rate follows a shape, never quite evenly."""
    seconds = np.arange(document["from"], document["until"], dtype=np.float64)
    expected = np.cumsum(drawn(per_minute, seconds)) / 60 + uniform(seed, 1)[0]
    written = np.diff(np.floor(expected), prepend=0.0).astype(np.int64)
    moments = np.repeat(seconds, written)
    return np.sort(moments + uniform(seed ^ 2, len(moments)))


def _filling(luck: float) -> dict[str, str]:
    """Return what the variable parts of a line are filled with: $ms, $n and $id."""
    number = int(luck * 0xFFFFFFFF)
    return {"ms": str(4 + number % 180), "n": str(1000 + number % 9000), "id": f"{number:08x}"}
