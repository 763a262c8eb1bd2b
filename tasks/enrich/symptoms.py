"""What the collected context says of the trouble, as names and sentences to search with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opssage.evidence import PrimaryContext
from opssage.places import service_of
from tasks.enrich.words import words

_TELLING_ANNOTATIONS = ("summary", "message", "description")
_LOUD = frozenset({"error", "fatal", "critical", "warning"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Symptoms:
    """The incident in the terms that runbooks and past incidents are compared by."""

    alert_names: tuple[str, ...]  #: the lead alert's first
    services: tuple[str, ...]
    namespace: str | None
    sentences: tuple[str, ...]  #: observations, annotations, changes, reasons, log templates

    @property
    def vocabulary(self) -> frozenset[str]:
        """Every word of the alert names and the sentences."""
        return frozenset(
            word for text in (*self.alert_names, *self.sentences) for word in words(text)
        )


def read_symptoms(context: PrimaryContext) -> Symptoms:
    """Gather the symptoms of an incident from what collect found."""
    labels = tuple(_labels(context))
    where = context.affected_components
    return Symptoms(
        alert_names=_distinct(
            context.alert_metadata.alert_name, *(each.get("alertname", "") for each in labels)
        ),
        services=_distinct(where.service or "", *(service_of(each) or "" for each in labels)),
        namespace=where.namespace,
        sentences=_distinct(
            *context.preliminary_analysis.observations,
            *_annotations(context),
            *_changes(context),
            *_reasons(context),
            *_templates(context),
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
    for change in context.evidence_collected.changes:
        yield f"{change.data.get('change') or ''} {change.summary}".strip()


def _reasons(context: PrimaryContext) -> Iterator[str]:
    """Yield the Kubernetes reasons that were true after onset, such as `OOMKilled`."""
    for metric in context.evidence_collected.metrics:
        if (metric.data.get("after") or {}).get("max"):
            yield metric.data.get("reason") or ""


def _templates(context: PrimaryContext) -> Iterator[str]:
    """Yield log templates that complain, or that were not seen before onset."""
    for log in context.evidence_collected.logs:
        if log.data.get("level") in _LOUD or not log.data.get("count_before"):
            yield log.data.get("template") or ""
