"""Objects as evidence: those in trouble, and of those the alerts are about a few that are well."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from opssage.evidence import Evidence, EvidenceKind
from opssage.wire import format_time
from tasks.collect.kubernetes import networking, nodes, pods, quotas, storage, workloads
from tasks.collect.kubernetes.api import SOURCE, Document
from tasks.collect.kubernetes.known import Known
from tasks.collect.kubernetes.sight import (
    Key,
    Problem,
    Sight,
    key_of,
)
from tasks.collect.kubernetes.subjects import Focus
from tasks.collect.sentences import time_of_day
from tasks.collect.source import Scope

MAX_OBJECTS = 60
MAX_ALIKE = 3  #: objects of one workload with the same problems
MAX_TOLD = 3  #: problems in a sentence

Read = Callable[[Document, Known], Sight]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """How a kind of object is read."""

    read: Read
    healthy: int = 0  #: so many of those the alerts are about are kept though they are well
    rests_on: tuple[str, ...] = ()  #: kinds all of which must be known to call one well


ROWS: Mapping[str, Row] = {
    "Pod": Row(read=pods.pod, healthy=5),
    "Deployment": Row(read=workloads.deployment, healthy=5),
    "StatefulSet": Row(read=workloads.stateful_set, healthy=5),
    "DaemonSet": Row(read=workloads.daemon_set, healthy=3),
    "ReplicaSet": Row(read=workloads.replica_set),
    "Job": Row(read=workloads.job, healthy=2),
    "CronJob": Row(read=workloads.cron_job, healthy=2),
    "Node": Row(read=nodes.node, healthy=3),
    "HorizontalPodAutoscaler": Row(read=workloads.autoscaler, healthy=3),
    "PersistentVolumeClaim": Row(read=storage.volume_claim, healthy=2),
    "Service": Row(read=networking.service, healthy=3, rests_on=("Pod", "EndpointSlice")),
    "Ingress": Row(read=networking.ingress, healthy=2, rests_on=("Service",)),
    "NetworkPolicy": Row(read=networking.network_policy, healthy=3),
    "ResourceQuota": Row(read=quotas.quota, healthy=2),
    "LimitRange": Row(read=quotas.limit_range, healthy=2),
}
"""A kind of object is a row here and one of `questions.RESOURCES`."""

_BOUNDS = frozenset({"ResourceQuota", "LimitRange"})
_ORDER = {kind: place for place, kind in enumerate(ROWS)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """An object, and what was seen of it."""

    key: Key
    item: Document
    sight: Sight
    query: str


def seen_in(known: Known, kinds: Collection[str] = tuple(ROWS)) -> tuple[Seen, ...]:
    """Return the objects of these kinds, each once, as they were read."""
    found: dict[Key, Seen] = {}
    for answer in known.found:
        row = ROWS[answer.kind] if answer.kind in kinds else None
        for item in answer.items if row else ():
            key = key_of(item)
            if row and key not in found:
                sight = row.read(item, known)
                found[key] = Seen(key=key, item=item, sight=sight, query=answer.report.query)
    return tuple(found.values())


def ailing_pods(focus: Focus, seen: Iterable[Seen]) -> list[tuple[Document, tuple[Problem, ...]]]:
    """Return the pods in trouble: the alerts' own first, one of a workload before two."""
    pods_seen = [each for each in seen if each.key[0] == "Pod" and each.sight.problems]
    pods_seen.sort(key=lambda each: (not focus.has(each.key), each.key))
    turns: dict[Key, int] = {}
    ordered = []
    for each in pods_seen:
        owner = focus.known.owner(each.item)
        turns[owner] = turns.get(owner, 0) + 1
        ordered.append((turns[owner], each))
    ordered.sort(key=lambda turn: (not focus.has(turn[1].key), turn[0], turn[1].key))
    return [(each.item, each.sight.problems) for _, each in ordered]


def objects(focus: Focus, seen: Sequence[Seen], scope: Scope) -> tuple[Evidence, ...]:
    """Return the objects worth telling of: in trouble first, then those that are well."""
    ordered = sorted(seen, key=lambda each: _rank(each, focus))
    bounded = _bounded(seen)
    healthy: dict[str, int] = {}
    alike: dict[tuple[object, ...], int] = {}
    kept = []
    for each in ordered:
        if not each.sight.problems and not _is_known_well(each.key, focus):
            continue
        if each.sight.problems:
            reasons = tuple(sorted({problem.reason for problem in each.sight.problems}))
            group = (each.key[0], focus.known.owner(each.item)[1:], reasons)
            same = each.key if each.key[0] == "Node" else group
            alike[same] = alike.get(same, 0) + 1
            is_kept = alike[same] <= MAX_ALIKE
        else:
            healthy[each.key[0]] = healthy.get(each.key[0], 0) + 1
            is_wanted = focus.has(each.key) or (each.key[0] in _BOUNDS and each.key[1] in bounded)
            is_kept = is_wanted and healthy[each.key[0]] <= ROWS[each.key[0]].healthy
        if is_kept:
            kept.append(each)
    return tuple(_evidence(each, focus, scope) for each in kept[:MAX_OBJECTS])


def _is_known_well(key: Key, focus: Focus) -> bool:
    """Tell whether no problem in sight means that there is none.

    Of a list that was cut only what the alerts name says something: the others are a part that
    nobody chose, and what is wrong may be in the rest.
    """
    kind, namespace, _ = key
    is_cut = [focus.known.is_cut(other, namespace) for other in ROWS[kind].rests_on]
    return not any(is_cut) and (not focus.known.is_cut(kind, namespace) or focus.names(key))


def _bounded(seen: Iterable[Seen]) -> frozenset[str]:
    """Return the namespaces in which pods cannot be made, so that bounds are of interest."""
    return frozenset(
        each.key[1]
        for each in seen
        for problem in each.sight.problems
        if problem.reason in {"FailedCreate", "ReplicaFailure"}
    )


def _rank(each: Seen, focus: Focus) -> tuple[object, ...]:
    is_well = not each.sight.problems
    return (is_well, not focus.has(each.key), _ORDER[each.key[0]], each.key)


def _evidence(each: Seen, focus: Focus, scope: Scope) -> Evidence:
    return object_evidence(
        each.key, each.sight, scope, subject=focus.subject(each.key), query=each.query
    )


def object_evidence(
    key: Key,
    sight: Sight,
    scope: Scope,
    *,
    subject: Mapping[str, str],
    query: str,
    exists: bool = True,
) -> Evidence:
    """Return the evidence of an object, or of its absence, as of now."""
    kind, namespace, name = key
    return Evidence(
        kind=EvidenceKind.OBJECT,
        source=SOURCE,
        summary=_summary(key, sight, scope, exists=exists),
        observed_at=scope.now,
        subject=subject,
        query=query,
        window=scope.window,
        data={
            "object": {"kind": kind, "namespace": namespace, "name": name},
            "as_of": format_time(scope.now),
            "exists": exists,
            "facts": dict(sight.facts),
            "problems": [problem.to_json() for problem in sight.problems],
        },
    )


def _summary(key: Key, sight: Sight, scope: Scope, *, exists: bool) -> str:
    kind, namespace, name = key
    head = f"{kind} {name}" + (f" ({namespace})" if namespace else "")
    when = f"at {time_of_day(scope.now)}"
    problems = [_words(problem) for problem in sight.problems[:MAX_TOLD]]
    more = len(sight.problems) - MAX_TOLD
    if more > 0:
        problems.append(f"and {more} more")
    if not exists:
        return f"{head} does not exist {when}" + "".join(f"; {told}" for told in problems)
    if not problems:
        return f"{head} has no problem {when}"
    return f"{head} {when}: " + "; ".join(problems)


def _words(problem: Problem) -> str:
    document = problem.to_json()
    where = f" in container {problem.container}" if problem.container else ""
    said = f": {document['message']}" if document["message"] else ""
    return f"{problem.reason}{where}{said}"
