"""Changes: rollouts from the history that controllers keep, and edits of ConfigMaps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from opssage.evidence import Evidence, EvidenceKind
from opssage.wire import format_time
from tasks.collect.kubernetes.api import SOURCE, Document, Found
from tasks.collect.kubernetes.clock import ahead, by_our_clock
from tasks.collect.kubernetes.known import Known
from tasks.collect.kubernetes.sight import (
    Key,
    conditions,
    controller_of,
    key_of,
    mapping,
    mappings,
    moment,
    selector_text,
    text,
    told,
)
from tasks.collect.kubernetes.subjects import Focus
from tasks.collect.kubernetes.workloads import REVISION
from tasks.collect.sentences import time_of_day
from tasks.collect.source import Scope

MAX_CHANGES = 20

_CAUSE = "kubernetes.io/change-cause"
_SLACK = timedelta(seconds=10)
"""A controller makes a revision within so long of the edit that asks for it."""
_OF_CONTAINER = ("image", "command", "args", "env", "envFrom", "resources", "volumeMounts", "ports")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "securityContext")


@dataclass(frozen=True, kw_only=True, slots=True)
class Revision:
    """One state of a workload's template."""

    workload: Key
    number: int
    name: str  #: of the ReplicaSet or ControllerRevision that keeps it
    at: datetime  #: when it was made first
    template: Mapping[str, Any]
    cause: str = ""

    @property
    def images(self) -> str:
        """Its images, by which people know a version."""
        containers = mappings(self.template, "spec", "containers")
        return ", ".join(text(each, "image") for each in containers)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rollout:
    at: datetime
    before: Revision
    after: Revision

    @property
    def is_rollback(self) -> bool:
        return self.after.at < self.before.at


def changes(focus: Focus, asked: Sequence[Found], scope: Scope) -> tuple[Evidence, ...]:
    """Return rollouts and edits since the baseline's start, oldest first."""
    known = focus.known
    queries = {answer.kind: answer.report.query for answer in asked}
    found = [
        _rollout(each, focus, scope, queries.get(KEEPER.get(each.after.workload[0], ""), ""))
        for each in _rollouts(known)
        if _is_late(each.at, scope)
    ]
    found += _edits(focus, asked, scope)
    found.sort(key=lambda item: (item.observed_at, item.summary))
    mine = [item for item in found if focus.has(_changed(item))]
    others = [item for item in found if item not in mine]
    kept = [*mine, *others][:MAX_CHANGES]
    return tuple(item for item in found if item in kept)


def _is_late(at: datetime, scope: Scope) -> bool:
    ours = by_our_clock(at, scope.now)
    return ours is not None and ours >= scope.baseline_start


def rollout_times(known: Known) -> list[datetime]:
    """Return when workloads went from one revision to the next, by the cluster's clock."""
    return [each.at for each in _rollouts(known)]


KEEPER = {
    "Deployment": "ReplicaSet",
    "StatefulSet": "ControllerRevision",
    "DaemonSet": "ControllerRevision",
}
"""Kinds that keep the revisions of a workload."""


def _changed(item: Evidence) -> Key:
    there = item.data["details"]["object"]
    return there["kind"], there["namespace"], there["name"]


def _rollouts(known: Known) -> Iterator[_Rollout]:
    """Yield each time a workload went from one revision to the next."""
    histories: dict[Key, list[Revision]] = {}
    for revision in _revisions(known):
        histories.setdefault(revision.workload, []).append(revision)
    for workload, history in sorted(histories.items()):
        history.sort(key=lambda each: (each.number, each.at, each.name))
        nothing = replace(history[0], number=0, name="", template={})
        is_whole = _is_whole(workload, known)
        for before, after in pairwise((nothing, *history)):
            if not is_whole and after.number != before.number + 1:
                continue  # what came between may not have been listed
            at = after.at
            if at < before.at:
                at = _progressed_at(known.get(*workload)) or before.at
            yield _Rollout(at=at, before=before, after=after)


def _is_whole(workload: Key, known: Known) -> bool:
    """Tell whether a workload's history is all there is, though the list of all was cut."""
    kind, namespace, _ = workload
    keeper = KEEPER.get(kind, "")
    selector = selector_text(mapping(known.get(*workload), "spec", "selector"))
    return not known.is_cut(keeper, namespace) or known.lists_chosen(keeper, namespace, selector)


def _revisions(known: Known) -> Iterator[Revision]:
    for item in known.all("ReplicaSet"):
        number = text(item, "metadata", "annotations", REVISION)
        yield from _revision(item, number, mapping(item, "spec", "template"))
    for item in known.all("ControllerRevision"):
        yield from _revision(
            item, text(item, "revision"), mapping(item, "data", "spec", "template")
        )


def _revision(item: Document, number: str, template: Mapping[str, Any]) -> Iterator[Revision]:
    workload = controller_of(item)
    at = moment(item, "metadata", "creationTimestamp")
    if workload is not None and at is not None and number.isdecimal():
        yield Revision(
            workload=workload,
            number=int(number),
            name=key_of(item)[2],
            at=at,
            template=template,
            cause=text(item, "metadata", "annotations", _CAUSE),
        )


def _progressed_at(item: Document | None) -> datetime | None:
    """Return when a Deployment last went on with a rollout: a rollback makes no new ReplicaSet."""
    return moment(conditions(item or {}).get("Progressing", {}), "lastUpdateTime")


def _rollout(rollout: _Rollout, focus: Focus, scope: Scope, query: str) -> Evidence:
    before, after = rollout.before, rollout.after
    kind, namespace, name = after.workload
    what = "rolled back" if rollout.is_rollback else "rolled out"
    course = f"{before.images or 'nothing'} → {after.images}"
    if before.images == after.images:
        course = f"the same images ({after.images})"
    details = {
        "object": {"kind": kind, "namespace": namespace, "name": name},
        "revision": after.number,
        "revision_name": after.name,
        "previous_name": before.name,
        "rollback": rollout.is_rollback,
        "changed": sorted(_differences(before.template, after.template)),
        "cause": after.cause,
    }
    by = _editor(focus.known.get(*after.workload), rollout.at)
    return _change(
        focus,
        scope,
        key=after.workload,
        change="rollout",
        at=rollout.at,
        done=f"{kind.lower()} {name} ({namespace}) was {what}",
        how=f": {course}",
        query=query,
        data={"from": before.images, "to": after.images, "by": by, "details": details},
    )


def _change(
    focus: Focus,
    scope: Scope,
    *,
    key: Key,
    change: str,
    at: datetime,
    done: str,
    how: str = "",
    query: str,
    data: Mapping[str, Any],
) -> Evidence:
    by_theirs, at = at, min(at, scope.now)
    early = (scope.window.onset - at).total_seconds()
    order = "before" if early >= 0 else "after"
    when = f"{time_of_day(at)}, {abs(early):.0f} s {order} onset"
    return Evidence(
        kind=EvidenceKind.CHANGE,
        source=SOURCE,
        summary=f"{done} at {when}{how}",
        observed_at=at,
        subject=focus.subject(key),
        query=query,
        window=scope.window,
        data={
            "change": change,
            "at": format_time(at),
            "seconds_before_onset": round(early, 3),
            "url": "",
            **data,
            **ahead(by_theirs, scope.now),
        },
    )


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield what differs between two templates, in words: `web: image`, `web: env DB_HOST`."""
    old, new = (
        {text(each, "name"): each for each in mappings(template, "spec", kind)}
        for template in (before, after)
        for kind in ("containers",)
    )
    for name in sorted(old.keys() | new.keys()):
        if name not in old or name not in new:
            yield f"{name}: container {'added' if name in new else 'removed'}"
            continue
        for key in (*_OF_CONTAINER, *_PROBES):
            if old[name].get(key) != new[name].get(key):
                yield from _named_differences(name, key, old[name].get(key), new[name].get(key))
    for key in ("initContainers", "volumes", "nodeSelector", "affinity", "tolerations"):
        if mapping(before, "spec").get(key) != mapping(after, "spec").get(key):
            yield key
    notes = [mapping(template, "metadata", "annotations") for template in (before, after)]
    for key in sorted(notes[0].keys() | notes[1].keys()):
        if notes[0].get(key) != notes[1].get(key):
            yield f"annotation {key}"


def _named_differences(container: str, key: str, before: Any, after: Any) -> Iterator[str]:
    if key != "env":
        yield f"{container}: {key}"
        return
    old, new = (
        {text(each, "name"): each for each in mappings({"env": value}, "env")}
        for value in (before, after)
    )
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"{container}: env {name}"


def _editor(item: Document | None, at: datetime) -> str:
    """Return which program edited an object last before `at`: `kubectl-edit`, `helm`."""
    edits = [
        (when, text(entry, "manager"))
        for entry in mappings(item or {}, "metadata", "managedFields")
        if not text(entry, "subresource")
        and (when := moment(entry, "time")) is not None
        and when <= at + _SLACK
    ]
    return max(edits)[1] if edits else ""


def _edits(focus: Focus, asked: Sequence[Found], scope: Scope) -> list[Evidence]:
    """Return the ConfigMaps of the alerts' pods that were changed of late."""
    found = []
    for answer in asked:
        if answer.kind != "ConfigMap":
            continue
        for item in answer.items:
            key = _config_map(answer)
            made = moment(item, "metadata", "creationTimestamp")
            times = [moment(each, "time") for each in mappings(item, "metadata", "managedFields")]
            at = max(filter(None, [made, *times]), default=None)
            if at is not None and _is_late(at, scope):
                found.append(_edit(focus, scope, answer, key, item, at))
    return found


def _config_map(answer: Found) -> Key:
    return "ConfigMap", answer.question.namespace, answer.question.name


def _edit(
    focus: Focus, scope: Scope, answer: Found, key: Key, item: Document, at: datetime
) -> Evidence:
    kind, namespace, name = key
    there = {"kind": kind, "namespace": namespace, "name": name}
    return _change(
        focus,
        scope,
        key=key,
        change="config",
        at=at,
        done=f"config map {name} ({namespace}) was changed",
        query=answer.report.query,
        data={
            "from": "",
            "to": text(item, "metadata", "resourceVersion"),
            "by": _editor(item, at),
            "details": told({"object": there}),
        },
    )
