"""Logs of containers that are in trouble: of the run that is, and of the one before."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from opssage.evidence import Evidence
from opssage.wire import parse_time
from tasks.collect.kubernetes.api import SOURCE, Document, Found
from tasks.collect.kubernetes.clock import MAX_AHEAD
from tasks.collect.kubernetes.pods import container_statuses
from tasks.collect.kubernetes.questions import RESOURCES, Question
from tasks.collect.kubernetes.sight import Problem, key_of, mapping, text, whole
from tasks.collect.kubernetes.subjects import Focus
from tasks.collect.log_records import LATEST, nanoseconds
from tasks.collect.log_templates import (
    Line,
    LineReader,
    Stretch,
    grouped,
    log_evidence,
    merged,
    parted,
)
from tasks.collect.source import Scope

MAX_PODS = 4
MAX_RUNS = 10
LIMIT_BYTES = 262_144

# The kubelet writes the time with nanoseconds before each line (timestamps=true).
_LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ?(.*)")


def log_questions(
    pods: Sequence[tuple[Document, Sequence[Problem]]], scope: Scope, *, lines: int
) -> list[Question]:
    """Return the logs to ask for, worst containers first.

    `pods` are those in trouble, the most telling first; `lines` is how many to read of each.
    """
    if not lines:
        return []
    runs = [run for pod, problems in pods[:MAX_PODS] for run in _runs(pod, problems)]
    return [_question(run, scope, lines) for run in runs[:MAX_RUNS]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    pod: Document
    container: str
    is_previous: bool


def _runs(pod: Document, problems: Sequence[Problem]) -> Iterator[_Run]:
    """Yield containers with a problem, or all that are not ready, and which of their runs."""
    named = {problem.container for problem in problems if problem.container}
    for status in container_statuses(pod):
        name = text(status, "name")
        if name in named or (not named and not status.get("ready")):
            if whole(status, "restartCount") or mapping(status, "lastState", "terminated"):
                yield _Run(pod=pod, container=name, is_previous=True)
            if mapping(status, "state", "running") or mapping(status, "state", "terminated"):
                yield _Run(pod=pod, container=name, is_previous=False)


def _question(run: _Run, scope: Scope, lines: int) -> Question:
    _, namespace, name = key_of(run.pod)
    start = scope.baseline_start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Question(
        resource=RESOURCES["Pod"],
        namespace=namespace,
        name=name,
        is_log=True,
        params={
            "container": run.container,
            "tailLines": str(lines),
            "limitBytes": str(LIMIT_BYTES),
            "timestamps": "true",
            **({"previous": "true"} if run.is_previous else {"sinceTime": start}),
        },
    )


def logs(focus: Focus, asked: Sequence[Found], scope: Scope) -> tuple[Evidence, ...]:
    """Return what containers wrote in their runs that were read, counted before and after onset.

    Lines up to now count, since the states they explain are those of now.
    """
    reader = LineReader()
    until_now = replace(scope, window=replace(scope.window, end=max(scope.window.end, scope.now)))
    containers: dict[tuple[str, str, str], list[Found]] = {}
    for answer in asked:
        if answer.text:
            question = answer.question
            key = (question.namespace, question.name, question.params["container"])
            containers.setdefault(key, []).append(answer)
    groups = [
        grouped(runs[0].report.query, *_parted(runs, focus, until_now), reader)
        for runs in containers.values()
    ]
    return log_evidence(merged(groups), scope, source=SOURCE)


def _parted(runs: Sequence[Found], focus: Focus, scope: Scope) -> tuple[Stretch, Stretch]:
    lines = [line for run in runs for line in _lines(run, _labels(run, focus), scope.now)]
    since = scope.baseline_start
    if lines and any(map(_is_cut, runs)):
        since = datetime.fromtimestamp(min(line.at for line in lines) / 1e9, UTC)
    return parted(lines, scope, since=since)


def _is_cut(run: Found) -> bool:
    """Tell whether there were older lines: a limit cut them off, or a run before the last one."""
    params = run.question.params
    is_full = run.text.count("\n") >= int(params["tailLines"]) or run.report.size >= LIMIT_BYTES
    return is_full or "previous" in params


def _labels(run: Found, focus: Focus) -> dict[str, str]:
    question = run.question
    subject = focus.subject(("Pod", question.namespace, question.name))
    service = subject.get("service") or subject.get("workload")
    return {
        "namespace": question.namespace,
        "pod": question.name,
        "container": question.params["container"],
        **({"service": service} if service else {}),
    }


def _lines(run: Found, labels: Mapping[str, str], now: datetime) -> Iterator[Line]:
    """Yield lines with their times; one without a time is of the time of the one before.

    A node's clock may be ahead of ours: its last lines are of now.
    """
    at = None
    latest, too_late = nanoseconds(now) - 1, nanoseconds(now + MAX_AHEAD)
    for line in run.text.splitlines():
        said = line
        if match := _LINE.match(line):
            seconds, fraction, zone, said = match.groups()
            at = _nanoseconds(seconds + zone, fraction or "", otherwise=at)
        if at is not None:
            yield Line(at=at if at > too_late else min(at, latest), text=said, labels=labels)


def _nanoseconds(moment: str, fraction: str, *, otherwise: int | None) -> int | None:
    try:
        at = round(parse_time(moment).timestamp()) * 10**9 + int(f"{fraction:0<9}")
    except (ValueError, OverflowError):
        return otherwise  # digits that are no date
    return at if at < LATEST else otherwise
