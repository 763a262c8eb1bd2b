"""Making findings, and making one of several that say the same."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from opssage.diagnosis import Finding
from opssage.evidence import Evidence
from tasks.diagnose.case import subject_of

_PLACES = ("namespace", "pod", "container", "node")
WEAKEST = 0.05
"""A finding weaker than this says nothing."""
CLEAR = 0.4
"""A weaker finding neither dates the trouble nor carries a claim by itself."""

_BUSY = frozenset(
    {
        "metric.traffic_surge",
        "metric.traffic_drop",
        "metric.cpu_rise",
        "metric.memory_rise",
        "metric.cpu_near_limit",
        "metric.cpu_hog",
        "metric.no_cpu_limit",
        "state.autoscaler_at_max",
    }
)


def finding(
    signal: str,
    component: str,
    strength: float,
    statement: str,
    items: Iterable[Evidence],
    *,
    onset_at: datetime | None = None,
    about: str | None = None,
    details: Mapping[str, str] | None = None,
) -> Finding:
    """Return a finding that cites `items`; the first one's places are among its details.

    The first shows what the statement says, the others with it; their ids keep that order.
    """
    cited = tuple(items)
    subject = subject_of(cited[0])
    places = {key: subject[key] for key in _PLACES if subject.get(key)}
    return Finding(
        signal=signal,
        component=component,
        strength=round(strength, 4),
        statement=statement,
        evidence_ids=tuple(dict.fromkeys(item.evidence_id for item in cited if item.evidence_id)),
        onset_at=onset_at,
        about=about,
        details={**places, **(details or {})},
    )


def merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return one finding per signal, component and component complained of; each alert stays.

    The strongest speaks for all of them; the earliest onset and every evidence id are kept.
    """
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for each in findings:
        if each.strength >= WEAKEST:
            own = each.statement if each.signal.startswith("alert.") else ""
            key = (each.component, each.signal, each.about or "", own)
            groups.setdefault(key, []).append(each)
    return tuple(_one_of(groups[key]) for key in sorted(groups))


def deviates(each: Finding) -> bool:
    """Tell whether a finding shows something out of order, beyond the alerts and changes."""
    return each.signal.startswith(("metric.", "state.", "log."))


def fails(each: Finding) -> bool:
    """Tell whether a finding shows its own component failing, not just busy or complaining."""
    busy = each.signal in _BUSY
    return deviates(each) and not busy and each.about is None and each.strength >= CLEAR


def harms(each: Finding) -> bool:
    """Tell whether a finding shows harm: measured, stated by Kubernetes, or answered with an error.

    A line that words a cause shows none; programs log much that hurts nobody.
    """
    if each.signal in {"signal.over_threshold", "log.server_error", "metric.edge_errors"}:
        return each.strength >= CLEAR
    return fails(each) and not each.signal.startswith("log.")


def in_order(ids: Iterable[str]) -> tuple[str, ...]:
    """Return evidence ids without repeats, E2 before E10."""
    return tuple(sorted({each for each in ids if each}, key=lambda each: (len(each), each)))


def _one_of(alike: list[Finding]) -> Finding:
    best, *others = sorted(alike, key=lambda each: (-each.strength, each.statement))
    onsets = [each.onset_at for each in alike if each.onset_at]
    rest = [one for each in others for one in each.evidence_ids]
    return Finding(
        signal=best.signal,
        component=best.component,
        strength=best.strength,
        statement=f"{best.statement} (and {len(others)} more alike)" if others else best.statement,
        evidence_ids=tuple(dict.fromkeys((*best.evidence_ids, *in_order(rest)))),
        onset_at=min(onsets, default=None),
        about=best.about,
        details=best.details,
    )
