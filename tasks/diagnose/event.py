"""The event that an incident is part of, in words."""

from collections.abc import Iterator

from opssage.linking import IncidentEvent
from tasks.diagnose.component import label_of
from tasks.diagnose.wording import cited, clock


def told_of_event(event: IncidentEvent | None) -> Iterator[str]:
    """Yield what other incidents are part of it, and where it likely began."""
    if event is None:
        return
    others = len(event.others)
    told = f"One event with {others} other incident{'s' if others > 1 else ''}"
    if root := event.likely_root:
        why = f": {root.why}" if root.why else ""
        told += f", which likely began at {label_of(root.component)} at {clock(root.since)}{why}"
    yield cited(told, ())


def checks_of_event(event: IncidentEvent | None) -> Iterator[str]:
    """Yield the incident to look at first, where that is another one."""
    root = event.likely_root if event else None
    if event and root and root.incident_id in {each.incident_id for each in event.others}:
        yield (
            f"Look first at incident {root.incident_id} about {label_of(root.component)}, "
            "where the event of several incidents likely began"
        )
