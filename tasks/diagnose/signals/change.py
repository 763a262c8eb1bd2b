"""Rollouts and reported changes, told apart by whether they came before the trouble or after it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from opssage.diagnosis import Finding
from opssage.evidence import Evidence, EvidenceKind
from tasks.diagnose.case import Case, time_of
from tasks.diagnose.component import label_of
from tasks.diagnose.signals.finding import fails, finding
from tasks.diagnose.signals.reading import ramp
from tasks.diagnose.wording import plain

_ROLLED_OUT = frozenset({"rollout", "deploy"})
"""What is undone by running what ran before …"""
_TAKEN_BACK = frozenset({"config", "flag", "migration"})
"""… and what is undone by whoever did it. Other kinds change nothing of what a component does."""
_VERSION_CHARS = 80
_SUMMARY_CHARS = 120

_AT_ONCE = 900
"""Up to so many seconds before onset a rollout has full strength."""
_TOO_LONG_AGO = 7200
_SLACK = 60
"""Onsets are read off samples that are up to a scrape and a rate window apart."""


def changes(case: Case, found: Sequence[Finding]) -> Iterator[Finding]:
    """Date each change of a component against the first clear trouble of it."""
    for item in case.of_kind(EvidenceKind.CHANGE):
        component = case.component(item)
        if component and item.data.get("change") in _ROLLED_OUT | _TAKEN_BACK:
            yield _change(item, component, _onset(case, found, component))


def _change(item: Evidence, component: str, onset: datetime) -> Finding:
    at = time_of(item.data.get("at")) or onset - timedelta(
        seconds=float(item.data.get("seconds_before_onset") or 0)
    )
    lead = (onset - at).total_seconds()
    before = lead >= -_SLACK
    strength = 1 - ramp(lead, _AT_ONCE, _TOO_LONG_AGO) if before else 1.0
    what = _what(item.data)
    by = f" by {plain(str(item.data['by']))}" if item.data.get("by") else ""
    return finding(
        "change.rollout_before_onset" if before else "change.rollout_after_onset",
        component,
        strength,
        f"{what} of {label_of(component)}{by} at {at:%H:%M:%SZ}, {_when(lead)} the trouble began",
        [item],
        onset_at=at,
        details={
            "change": what,
            "changed_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "lead": f"{max(lead, 0):.0f}",
            **_undone(item.data, what),
        },
    )


def _what(data: Mapping[str, Any]) -> str:
    """Return `deploy 1.7.3 → 1.8.0`. Whoever reported it may have written anything."""
    versions = [str(data[key])[:_VERSION_CHARS] for key in ("from", "to") if data.get(key)]
    return plain(" ".join([str(data["change"]), " → ".join(versions)]))


def _undone(data: Mapping[str, Any], what: str) -> dict[str, str]:
    """Return what an action names that undoes the change."""
    if data["change"] in _ROLLED_OUT:
        return {"rollout": what}
    summary = str(data.get("summary") or _object(data))[:_SUMMARY_CHARS]
    return {"taken_back": plain(f"{what}, {summary}" if summary else what)}


def _object(data: Mapping[str, Any]) -> str:
    """Return the Kubernetes object that was changed, if it was one."""
    told = (data.get("details") or {}).get("object")
    return f"{told.get('kind')} {told.get('name')}" if isinstance(told, Mapping) else ""


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
