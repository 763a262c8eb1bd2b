"""Rollouts: a ReplicaSet that appeared is a Deployment that changed."""

from collections import defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime

from opssage.evidence import Evidence, EvidenceKind
from opssage.wire import format_time
from tasks.collect.prometheus_api import SOURCE, Result
from tasks.collect.sentences import time_of_day
from tasks.collect.site import own_labels
from tasks.collect.source import Scope

CREATED = "kube_replicaset_created{$M}"
OWNER = 'kube_replicaset_owner{owner_kind="Deployment",$M}'

SAME_ROLLOUT_SECONDS = 60.0
"""Two accounts of one rollout: kube-state-metrics rounds, and a controller takes its time."""

_Owner = tuple[str, str]  # namespace, deployment


def told_once(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Leave out the rollouts that Kubernetes tells too: it knows the images."""
    known = [item for item in evidence if _is_rollout(item) and item.source != SOURCE]
    return [
        item
        for item in evidence
        if not (_is_rollout(item) and item.source == SOURCE)
        or not any(_are_same(item, other) for other in known)
    ]


def _is_rollout(item: Evidence) -> bool:
    return item.kind is EvidenceKind.CHANGE and item.data.get("change") == "rollout"


def _are_same(one: Evidence, other: Evidence) -> bool:
    apart = abs((one.observed_at - other.observed_at).total_seconds())
    return apart <= SAME_ROLLOUT_SECONDS and all(
        one.subject.get(key) == other.subject.get(key) for key in ("namespace", "workload")
    )


def rollouts(
    created: Result, owners: Result, scope: Scope, serving: AbstractSet[str]
) -> tuple[Evidence, ...]:
    """Return the rollouts since the baseline's start, oldest first.

    `serving` are the names of services that answer requests: a Deployment called the same is that
    service.
    """
    owner_of = {
        (labels.get("namespace", ""), labels.get("replicaset", "")): (
            labels.get("namespace", ""),
            labels.get("owner_name", ""),
        )
        for labels in (own_labels(series.labels) for series in owners.series)
    }
    by_owner: dict[_Owner, list[tuple[float, str]]] = defaultdict(list)
    for series in created.series:
        labels = own_labels(series.labels)
        replicaset = labels.get("replicaset", "")
        owner = owner_of.get((labels.get("namespace", ""), replicaset))
        if owner is not None and series.samples:
            by_owner[owner].append((series.samples[-1][1], replicaset))
    start, end = scope.baseline_start.timestamp(), scope.window.end.timestamp()
    found = [
        (at, owner, previous, replicaset)
        for owner, history in sorted(by_owner.items())
        for (at, replicaset), previous in _with_previous(sorted(history))
        if start <= at <= end
    ]
    return tuple(_change(*item, scope, serving, created.report.query) for item in sorted(found))


def _with_previous(
    history: list[tuple[float, str]],
) -> list[tuple[tuple[float, str], str]]:
    names = ["", *(name for _, name in history)]
    return list(zip(history, names, strict=False))


def _change(
    at: float,
    owner: _Owner,
    previous: str,
    replicaset: str,
    scope: Scope,
    serving: AbstractSet[str],
    query: str,
) -> Evidence:
    namespace, deployment = owner
    moment = datetime.fromtimestamp(at, UTC)
    ahead = (scope.window.onset - moment).total_seconds()
    order = "before" if ahead >= 0 else "after"
    return Evidence(
        kind=EvidenceKind.CHANGE,
        source=SOURCE,
        summary=f"deployment {deployment} ({namespace}) was rolled out at {time_of_day(moment)}, "
        f"{abs(ahead):.0f} s {order} onset: {previous or 'nothing'} → {replicaset}",
        observed_at=moment,
        subject={
            "namespace": namespace,
            "workload": deployment,
            **({"service": deployment} if deployment in serving else {}),
        },
        query=query,
        window=scope.window,
        data={
            "change": "rollout",
            "at": format_time(moment),
            "seconds_before_onset": round(ahead, 3),
            "from": previous,
            "to": replicaset,
        },
    )
