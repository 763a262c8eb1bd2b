"""What the collected context says of the trouble, as names and sentences to search with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from opssage.diagnosis import Impression
from opssage.evidence import PrimaryContext
from opssage.places import service_of
from tasks.enrich.words import words

_TELLING_ANNOTATIONS = ("summary", "message", "description")
_OWNER_LABELS = ("owner", "team")
_OF_THE_ALERT = "alert_signal"  # whatever its rule measures
_SURGED = "surged"
_QUIET = frozenset({"info", "debug", "trace"})
_LOUD = frozenset({"error", "fatal", "critical", "warning"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Symptoms:
    """The incident in the terms that runbooks and past incidents are compared by."""

    alert_names: tuple[str, ...]  #: the lead alert's first
    services: tuple[str, ...]
    namespace: str | None
    sentences: tuple[str, ...]  #: annotations, changes, what moved, reasons, log templates
    owners: tuple[str, ...] = ()  #: teams that labels name
    impression: Impression = field(default_factory=Impression)

    @property
    def vocabulary(self) -> frozenset[str]:
        """Every word of the alert names and the sentences."""
        return frozenset(
            word for text in (*self.alert_names, *self.sentences) for word in words(text)
        )


def read_symptoms(context: PrimaryContext, impression: Impression) -> Symptoms:
    """Gather the symptoms of an incident from what collect found, and what that suggests."""
    labels = tuple(_labels(context))
    where = context.affected_components
    return Symptoms(
        alert_names=_distinct(
            context.alert_metadata.alert_name, *(each.get("alertname", "") for each in labels)
        ),
        services=_distinct(where.service or "", *(service_of(each) or "" for each in labels)),
        namespace=where.namespace,
        owners=_distinct(*(each.get(key, "") for each in labels for key in _OWNER_LABELS)),
        impression=impression,
        sentences=_distinct(
            *_annotations(context),
            *_changes(context),
            *_moved(context),
            *_reasons(context),
            *_problems(context),
            *_templates(context),
            *_exceptions(context),
        ),
    )


def _distinct(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _alerts(context: PrimaryContext) -> Iterator[Mapping[str, Any]]:
    """Yield the incident's own alerts: what else fires may be another trouble."""
    for alert in context.evidence_collected.alerts:
        if "relation" not in alert.data:
            yield alert.data


def _labels(context: PrimaryContext) -> Iterator[Mapping[str, str]]:
    for alert in _alerts(context):
        yield alert.get("labels") or {}


def _annotations(context: PrimaryContext) -> Iterator[str]:
    for alert in _alerts(context):
        annotations = alert.get("annotations") or {}
        yield from (annotations[key] for key in _TELLING_ANNOTATIONS if key in annotations)


def _changes(context: PrimaryContext) -> Iterator[str]:
    """Yield what sort of change it was, and what somebody reported of it."""
    for change in context.evidence_collected.changes:
        yield f"{change.data.get('change') or ''} {change.data.get('summary') or ''}".strip()


def _moved(context: PrimaryContext) -> Iterator[str]:
    """Yield the names of what left its baseline: sentences of metrics have words in common."""
    for metric in context.evidence_collected.metrics:
        signal = metric.data.get("signal") or ""
        if metric.data.get("onset_at") is not None and signal != _OF_THE_ALERT:
            yield signal


def _reasons(context: PrimaryContext) -> Iterator[str]:
    """Yield the Kubernetes reasons that were true after onset, such as `OOMKilled`."""
    for metric in context.evidence_collected.metrics:
        if (metric.data.get("after") or {}).get("max"):
            yield metric.data.get("reason") or ""


def _problems(context: PrimaryContext) -> Iterator[str]:
    """Yield what Kubernetes says is wrong with objects, and what it warned of."""
    for item in context.evidence_collected.objects:
        for problem in item.data.get("problems") or ():
            yield problem.get("reason") or ""
    for event in context.evidence_collected.events:
        if event.data.get("type") == "Warning":
            yield event.data.get("reason") or ""


def _templates(context: PrimaryContext) -> Iterator[str]:
    """Yield log templates that complain, and did not before onset or not as much."""
    for log in context.evidence_collected.logs:
        level = log.data.get("level")
        is_new = not log.data.get("count_before") and level not in _QUIET
        surged = log.data.get("change") == _SURGED and level in _LOUD
        if is_new or surged:
            yield log.data.get("template") or ""


def _exceptions(context: PrimaryContext) -> Iterator[str]:
    for log in context.evidence_collected.logs:
        yield (log.data.get("exception") or {}).get("type") or ""
