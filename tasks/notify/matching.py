"""Whether a target wants to be told."""

from collections.abc import Iterable

from opssage.incident import Alert, Incident
from opssage.matching import has_labels
from opssage.notification import Event
from opssage.settings import NotifyTarget


def matches(
    target: NotifyTarget, event: Event, incident: Incident, alerts: Iterable[Alert]
) -> bool:
    """Tell whether an event of an incident passes all filters of a target.

    One alert has to match all its labels.
    """
    return (
        event in target.events
        and (not target.severities or incident.severity.lower() in target.severities)
        and (not target.labels or any(has_labels(target.labels, alert.labels) for alert in alerts))
    )
