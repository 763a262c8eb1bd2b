"""What is asked for where a list was cut: what the alerts name, and what seems to be in trouble."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from opssage.places import owner_of
from tasks.collect.kubernetes.api import Document, Found
from tasks.collect.kubernetes.events import Event, read_events
from tasks.collect.kubernetes.questions import (
    GROUPED_EVENTS,
    OF_CLUSTER,
    RESOURCES,
    Question,
    can_be_named,
)
from tasks.collect.kubernetes.revisions import KEEPER
from tasks.collect.kubernetes.sight import Key, key_of, mapping, selector_text
from tasks.collect.kubernetes.subjects import Focus

MAX_NAMED = 10
MAX_WORKLOADS = 3
MAX_TROUBLED = 5
MAX_TOLD_OF = 8  #: objects whose events are asked for

_UNWELL = "status.phase!=Running,status.phase!=Succeeded"
_IN_VAIN = "BackOff"
"""What the kubelet says of each container that it starts, or pulls an image for, in vain."""
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")


def narrower(focus: Focus) -> list[Question]:
    """Return the questions for what the cut lists may lack: by name, by label, by state."""
    named = [_by_name(key) for key in unlisted(focus)[:MAX_NAMED]]
    of_workloads = [each for key in _workloads(focus) for each in _of_workload(focus, key)]
    by_state = [each for answer in focus.known.found for each in _by_state(answer)]
    return [*named, *of_workloads, *by_state]


def unlisted(focus: Focus) -> list[Key]:
    """Return what the alerts name and was not seen, since the list it would be in was cut."""
    return [
        key
        for key in focus.candidates
        if can_be_named(*key[1:]) and focus.known.is_cut(*key[:2]) and not _is_seen(focus, key)
    ]


def _is_seen(focus: Focus, key: Key) -> bool:
    kind, namespace, name = key
    if namespace or kind in OF_CLUSTER:
        return focus.known.get(*key) is not None
    return any(key_of(item)[2] == name for item in focus.known.all(kind))


def _by_name(key: Key) -> Question:
    return _narrow(key[0], key[1], fieldSelector=f"metadata.name={key[2]}")


def _narrow(kind: str, namespace: str, **params: str) -> Question:
    return Question(resource=RESOURCES[kind], namespace=namespace, params=params, most_pages=1)


def _workloads(focus: Focus) -> list[Key]:
    found = sorted(key for key in focus.keys if key[0] in _WORKLOADS and focus.known.get(*key))
    return found[:MAX_WORKLOADS]


def _of_workload(focus: Focus, key: Key) -> Iterator[Question]:
    """Yield the questions for a workload's pods and for its history."""
    kind, namespace, _ = key
    selector = selector_text(mapping(focus.known.get(*key), "spec", "selector"))
    for wanted in ("Pod", KEEPER.get(kind, "")):
        if selector and wanted and focus.known.is_cut(wanted, namespace):
            yield _narrow(wanted, namespace, labelSelector=selector)


def _by_state(answer: Found) -> Iterator[Question]:
    question = answer.question
    if answer.is_cut and question.is_of_place:
        if answer.kind == "Pod":
            yield _narrow("Pod", question.namespace, fieldSelector=_UNWELL)
        elif answer.kind == "Event":
            yield _narrow("Event", question.namespace, fieldSelector=f"reason={_IN_VAIN}")


def troubled(focus: Focus) -> list[Question]:
    """Return the questions for pods that warnings tell of and that the cut lists lack.

    Those of the alerts' workloads come first, and one pod of a workload before two.
    """
    mine = {owner_of(name) if kind == "Pod" else name for kind, _, name in focus.candidates}
    told = [event for event in read_events(focus.known.found) if _tells_of_missing(event, focus)]
    told.sort(key=lambda event: _urgency(event, mine))
    turns: Counter[tuple[str, str]] = Counter()
    turn: dict[Key, int] = {}
    for _, namespace, name in dict.fromkeys(event.about for event in told):
        owner = namespace, owner_of(name)
        turn["Pod", namespace, name] = turns[owner]
        turns[owner] += 1
    return [_by_name(key) for key in sorted(turn, key=lambda key: turn[key])[:MAX_TROUBLED]]


def _tells_of_missing(event: Event, focus: Focus) -> bool:
    kind, namespace, name = event.about
    is_trouble = event.type == "Warning" and event.last_at >= focus.known.since
    is_missing = focus.known.is_cut(kind, namespace) and not focus.known.get(*event.about)
    return kind == "Pod" and is_trouble and is_missing and can_be_named(namespace, name)


def _urgency(event: Event, mine: set[str]) -> tuple[Any, ...]:
    is_other = owner_of(event.about[2]) not in mine
    return is_other, event.reason != _IN_VAIN, -event.last_at.timestamp(), event.about


def events_about(focus: Focus, ailing: Iterable[tuple[Document, Any]]) -> list[Question]:
    """Return the questions for events about what the alerts name and about ailing pods.

    Nothing is asked where all events were listed.
    """
    named = [key for key in focus.candidates if key[0] == "Pod" and can_be_named(*key[1:])]
    wanted = [*named, *_workloads(focus), *(key_of(pod) for pod, _ in ailing)]
    hidden = [
        key for key in dict.fromkeys(wanted) if key[1] and focus.known.is_cut("Event", key[1])
    ]
    return [_events_about(focus, key) for key in hidden[:MAX_TOLD_OF]]


def _events_about(focus: Focus, key: Key) -> Question:
    kind, namespace, name = key
    is_grouped = any(
        answer.question.resource == GROUPED_EVENTS and answer.question.namespace == namespace
        for answer in focus.known.found
    )
    about = "regarding" if is_grouped else "involvedObject"
    return Question(
        resource=GROUPED_EVENTS if is_grouped else RESOURCES["Event"],
        namespace=namespace,
        params={"fieldSelector": f"{about}.kind={kind},{about}.name={name}"},
        most_pages=1,
    )
