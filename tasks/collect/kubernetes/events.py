"""Events, in the forms of both of their APIs, as evidence."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from opssage.evidence import Evidence, EvidenceKind
from opssage.places import owner_of
from opssage.wire import format_time
from tasks.collect.kubernetes.api import SOURCE, Document, Found
from tasks.collect.kubernetes.clock import ahead, by_our_clock
from tasks.collect.kubernetes.sight import MAX_MESSAGE, Key, key_of, mapping, moment, text, whole
from tasks.collect.kubernetes.subjects import Focus
from tasks.collect.sentences import time_of_day
from tasks.collect.source import Scope

MAX_EVENTS = 40
MAX_ALIKE = 3  #: of one reason, about objects of one workload

_TELLING = frozenset(
    {
        "Killing",
        "Preempted",
        "Preempting",
        "Evicted",
        "ScalingReplicaSet",
        "SuccessfulRescale",
        "SuccessfulDelete",
        "DeadlineExceeded",
        "NodeNotReady",
        "NodeReady",
        "NodeNotSchedulable",
        "NodeHasInsufficientMemory",
        "NodeHasInsufficientPID",
        "NodeHasDiskPressure",
        "RegisteredNode",
        "RemovingNode",
        "TaintManagerEviction",
        "Starting",
    }
)
"""Reasons of events of type Normal that tell of a change; the others are everyday life."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One thing that happened to an object, as often as it did."""

    about: Key
    type: str
    reason: str
    message: str
    count: int
    first_at: datetime
    last_at: datetime
    reported_by: str
    query: str


def read_events(asked: Iterable[Found]) -> tuple[Event, ...]:
    """Return all events of the answers that can be read, each once."""
    found: dict[Key, Event | None] = {}
    for answer in asked:
        for item in answer.items if answer.kind == "Event" else ():
            key = key_of(item)
            if key not in found:
                found[key] = _event(item, answer.report.query)
    return tuple(filter(None, found.values()))


def events(focus: Focus, told: Iterable[Event], scope: Scope) -> tuple[Evidence, ...]:
    """Return the telling events of the window: those about the alerts' objects first.

    What happened between the end of the window and now is there too, and says so: the states of
    objects are those of now.
    """
    found: dict[tuple[Any, ...], Event] = {}
    for event in told:
        at = by_our_clock(event.last_at, scope.now)
        if at is not None and at >= scope.window.start and _is_telling(event):
            key = (event.about, event.type, event.reason, event.message)
            found[key] = _joined(found[key], event) if key in found else event
    ordered = sorted(found.values(), key=lambda event: _rank(event, focus))
    kept = _few_alike(ordered, focus)[:MAX_EVENTS]
    return tuple(_evidence(event, focus, scope) for event in kept)


def _event(item: Document, query: str) -> Event | None:
    """Read an event; the newer API has other names, and knows no last time of single events."""
    about = mapping(item, "involvedObject") or mapping(item, "regarding")
    created = moment(item, "metadata", "creationTimestamp") or moment(item, "eventTime")
    first = (
        moment(item, "firstTimestamp")
        or moment(item, "deprecatedFirstTimestamp")
        or moment(item, "eventTime")
        or created
    )
    last = (
        moment(item, "series", "lastObservedTime")
        or moment(item, "lastTimestamp")
        or moment(item, "deprecatedLastTimestamp")
        or moment(item, "eventTime")
        or created
    )
    if first is None or last is None or not about:
        return None
    return Event(
        about=(text(about, "kind"), text(about, "namespace"), text(about, "name")),
        type=text(item, "type"),
        reason=text(item, "reason"),
        message=" ".join((text(item, "message") or text(item, "note")).split())[:MAX_MESSAGE],
        count=whole(item, "series", "count")
        or whole(item, "count")
        or whole(item, "deprecatedCount")
        or 1,
        first_at=min(first, last),
        last_at=last,
        reported_by=_reporter(item),
        query=query,
    )


def _reporter(item: Document) -> str:
    return (
        text(item, "reportingComponent")
        or text(item, "reportingController")
        or text(item, "source", "component")
        or text(item, "deprecatedSource", "component")
    )


def _is_telling(event: Event) -> bool:
    return event.type != "Normal" or event.reason in _TELLING


def _joined(one: Event, other: Event) -> Event:
    """Return two events that say the same of the same object as one."""
    return replace(
        one,
        count=one.count + other.count,
        first_at=min(one.first_at, other.first_at),
        last_at=max(one.last_at, other.last_at),
    )


def _rank(event: Event, focus: Focus) -> tuple[Any, ...]:
    about = _object(event.about)
    is_normal = event.type == "Normal"
    newest_first = -event.last_at.timestamp()
    return (not focus.has(about), is_normal, newest_first, about, event.reason, event.message)


def _object(about: Key) -> Key:
    """Return whom an event is about; of a node's event the namespace means nothing."""
    kind, namespace, name = about
    return (kind, "", name) if kind == "Node" else (kind, namespace, name)


def _few_alike(ordered: Iterable[Event], focus: Focus) -> list[Event]:
    kept: list[Event] = []
    seen: dict[tuple[Any, ...], int] = {}
    for event in ordered:
        subject = focus.subject(_object(event.about))
        place = subject.get("workload") or _owner_by_name(event.about)
        alike = (event.about[0], subject.get("namespace"), place, event.reason)
        seen[alike] = seen.get(alike, 0) + 1
        if seen[alike] <= MAX_ALIKE:
            kept.append(event)
    return kept


def _owner_by_name(about: Key) -> str:
    """Return what an object belongs to as far as its name tells: it may be gone or unlisted."""
    kind, _, name = about
    return owner_of(name) if kind == "Pod" else name


def _evidence(event: Event, focus: Focus, scope: Scope) -> Evidence:
    kind, namespace, name = _object(event.about)
    times = f" ({event.count} times)" if event.count > 1 else ""
    where = f" ({namespace})" if namespace else ""
    said = f": {event.message}" if event.message else ""
    last_at = min(event.last_at, scope.now)
    return Evidence(
        kind=EvidenceKind.EVENT,
        source=SOURCE,
        summary=f"{event.reason} at {kind.lower()} {name}{where}, last at "
        f"{time_of_day(last_at)}{times}{said}",
        observed_at=last_at,
        subject=focus.subject((kind, namespace, name)),
        query=event.query,
        window=scope.window,
        data={
            "type": event.type,
            "reason": event.reason,
            "message": event.message,
            "count": event.count,
            "first_at": format_time(min(event.first_at, scope.now)),
            "last_at": format_time(last_at),
            "object": {"kind": kind, "namespace": namespace, "name": name},
            "reported_by": event.reported_by,
            "after_window": last_at > scope.window.end,
            **ahead(event.last_at, scope.now),
        },
    )
