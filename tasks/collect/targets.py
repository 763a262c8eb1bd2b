"""All places that an incident's alerts point to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from opssage.incident import Alert
from opssage.places import subject_of
from tasks.collect.promql import pinned

T = TypeVar("T")

MAX_VALUES = 50  #: of each kind; an alert storm must not build endless queries


@dataclass(frozen=True, kw_only=True, slots=True)
class Targets:
    """All places an incident's alerts point to, each once, in order of the alerts."""

    namespaces: tuple[str, ...] = ()
    services: tuple[tuple[str, str], ...] = ()  #: (namespace or "", service or workload)
    pods: tuple[tuple[str, str], ...] = ()  #: (namespace or "", pod)
    nodes: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()  #: of alerts that name nothing better
    instances: tuple[str, ...] = ()  #: of alerts that name nothing better

    @property
    def is_nowhere(self) -> bool:
        """True when no alert names any place."""
        return not (self.namespaces or self.services or self.pods or self.nodes or self.instances)


def targets_of(alerts: Sequence[Alert]) -> Targets:
    """Return where the alerts point.

    What an alert's labels leave open, the matchers of its expression may say.
    """
    subjects = [subject_of({**_pinned(alert), **alert.labels}) for alert in alerts]
    vague = [item for item in subjects if not item.keys() & {"namespace", "service", "pod", "node"}]
    return Targets(
        namespaces=_distinct(item.get("namespace") for item in subjects),
        services=_distinct(
            (item.get("namespace", ""), name)
            for item in subjects
            if (name := item.get("service") or item.get("workload"))
        ),
        pods=_distinct(
            (item.get("namespace", ""), item["pod"]) for item in subjects if "pod" in item
        ),
        nodes=_distinct(item.get("node") for item in subjects),
        jobs=_distinct(item.get("job") for item in vague),
        instances=_distinct(item.get("instance") for item in vague),
    )


def _pinned(alert: Alert) -> dict[str, str]:
    try:
        return pinned(alert.condition) if alert.condition else {}
    except ValueError:
        return {}  # the ledger says that nobody can read it


def _distinct(values: Iterable[T | None]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(value for value in values if value is not None))[:MAX_VALUES]
