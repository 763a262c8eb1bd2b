"""What alerts are about, in words that rows of the plan know."""

from collections.abc import Iterable

from opssage.incident import Alert
from opssage.places import subject_of
from tasks.collect.promql import metrics_in


def topics_of(alerts: Iterable[Alert]) -> tuple[str, ...]:
    """Return the metrics, jobs and services of the alerts, and their names in lower case."""
    return tuple(dict.fromkeys(word for alert in alerts for word in _words(alert)))


def _words(alert: Alert) -> Iterable[str]:
    subject = subject_of(alert.labels)
    yield alert.name.lower()
    yield from filter(None, (subject.get("job"), subject.get("service")))
    try:
        yield from sorted(metrics_in(alert.condition)) if alert.condition else ()
    except ValueError:
        return  # the ledger says that nobody can read it
