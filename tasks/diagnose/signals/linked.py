"""Incidents of the same event: what they are about alerts too, whoever of them came first."""

from collections.abc import Iterator

from opssage.diagnosis import Finding
from opssage.evidence import EvidenceKind
from opssage.graph import parts_of
from tasks.diagnose.case import Case
from tasks.diagnose.component import kind_of, label_of
from tasks.diagnose.signals.alert import nearness


def linked(case: Case) -> Iterator[Finding]:
    """Turn each other incident of the event into a symptom of the component that it is about.

    It cites no evidence: what it rests on is in that incident. What evidence tells too is left out.
    """
    told = {
        ((item.data.get("labels") or {}).get("alertname"), case.component(item))
        for item in case.of_kind(EvidenceKind.ALERT)
    }
    for member in case.event.others if case.event else ():
        component = _component(member.component, case)
        if component and (member.alert_name, component) not in told:
            yield Finding(
                signal="alert.nearby",
                component=component,
                strength=round(nearness(member.onset, case.onset), 4),
                statement=f"{member.alert_name} is another incident of the same event, about "
                f"{label_of(component)} ({member.incident_id})",
                evidence_ids=(),
                onset_at=member.onset,
            )


def _component(told: str, case: Case) -> str:
    """Return what an event names as this incident's evidence names it."""
    if kind_of(told) != "service":
        return told
    namespace, name = parts_of(label_of(told))
    return case.names.workload(name, namespace)
