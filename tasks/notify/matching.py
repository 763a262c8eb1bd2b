"""Whether a target wants to be told."""

import re
from collections.abc import Iterable

from opssage.incident import Alert, Incident
from opssage.notification import Event
from opssage.settings import NotifyTarget


def matches(
    target: NotifyTarget, event: Event, incident: Incident, alerts: Iterable[Alert]
) -> bool:
    """Tell whether an event of an incident passes all filters of a target.

    Labels match as in a route of Alertmanager: the expression has to cover the whole value, a
    label that is not there counts as empty, and one alert has to match them all.
    """
    return (
        event in target.events
        and (not target.severities or incident.severity.lower() in target.severities)
        and (not target.labels or any(_has_labels(target, alert) for alert in alerts))
    )


def _has_labels(target: NotifyTarget, alert: Alert) -> bool:
    return all(re.fullmatch(pattern, alert.labels.get(name, "")) for name, pattern in target.labels)
