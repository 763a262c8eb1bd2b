"""Rollouts, told apart by whether they came before the trouble or after it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from opssage.diagnosis import Finding
from opssage.evidence import Evidence, EvidenceKind
from tasks.diagnose.case import Case, time_of
from tasks.diagnose.component import label_of
from tasks.diagnose.signals.finding import fails, finding
from tasks.diagnose.signals.reading import ramp

_AT_ONCE = 900
"""Up to so many seconds before onset a rollout has full strength."""
_TOO_LONG_AGO = 7200
_SLACK = 60
"""Onsets are read off samples that are up to a scrape and a rate window apart."""


def changes(case: Case, found: Sequence[Finding]) -> Iterator[Finding]:
    """Date each rollout against the first clear trouble of its own component."""
    for item in case.of_kind(EvidenceKind.CHANGE):
        component = case.component(item)
        if component:
            yield _change(item, component, _onset(case, found, component))


def _change(item: Evidence, component: str, onset: datetime) -> Finding:
    at = time_of(item.data.get("at")) or onset - timedelta(
        seconds=float(item.data.get("seconds_before_onset") or 0)
    )
    lead = (onset - at).total_seconds()
    before = lead >= -_SLACK
    strength = 1 - ramp(lead, _AT_ONCE, _TOO_LONG_AGO) if before else 1.0
    versions = [str(item.data[key]) for key in ("from", "to") if item.data.get(key)]
    what = " ".join([str(item.data.get("change") or "change"), " → ".join(versions)]).strip()
    return finding(
        "change.rollout_before_onset" if before else "change.rollout_after_onset",
        component,
        strength,
        f"{what} of {label_of(component)} at {at:%H:%M:%SZ}, {_when(lead)} the trouble began",
        [item],
        onset_at=at,
        details={
            "change": what,
            "changed_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "lead": f"{max(lead, 0):.0f}",
        },
    )


def _when(lead: float) -> str:
    if lead < -_SLACK:
        return f"{-lead:.0f} s after"
    return f"{lead:.0f} s before" if round(lead) > 0 else "as"


def _onset(case: Case, found: Sequence[Finding], component: str) -> datetime:
    """Return when trouble began: the alerts date it at the latest, the component may be earlier."""
    own = [
        each.onset_at
        for each in found
        if each.onset_at and each.component == component and fails(each)
    ]
    return min([case.onset, *own])
