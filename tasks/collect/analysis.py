"""What stands out in the evidence at first sight, and what could not be seen."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opssage.evidence import (
    Evidence,
    EvidenceKind,
    PreliminaryAnalysis,
    SourceReport,
    SourceStatus,
)
from opssage.redaction import redact_text
from tasks.collect.targets import Targets

MAX_OBSERVATIONS = 10
MAX_MISSING = 10
_RECENT_SECONDS = 7200.0  #: a change of longer ago does not stand out
_BASELINE_LEFT = 1.0  #: a metric's deviation at which it is worth a sentence


def _metric(data: Mapping[str, Any]) -> float:
    return float(data["deviation"]) if data["onset_at"] is not None else 0.0


def _log(data: Mapping[str, Any]) -> float:
    is_new = data["count_before"] == 0 and data["count_after"] > 0  # None: nobody knows
    return 10.0 + data["count_after"] if is_new and data["level"] == "error" else 0.0


def _change(data: Mapping[str, Any]) -> float:
    return 50.0 if 0 <= data["seconds_before_onset"] <= _RECENT_SECONDS else 0.0


_REMARKABLE: Mapping[EvidenceKind, Callable[[Mapping[str, Any]], float]] = {
    EvidenceKind.METRIC: _metric,
    EvidenceKind.LOG: _log,
    EvidenceKind.CHANGE: _change,
}
"""How remarkable a kind of evidence is, in multiples of what is normal."""


def first_sight(
    evidence: Sequence[Evidence], reports: Sequence[SourceReport], targets: Targets
) -> PreliminaryAnalysis:
    """Return the strongest deviations in words, and what the ledger lacks."""
    scored = [
        (-_REMARKABLE[item.kind](item.data), index, item.summary)
        for index, item in enumerate(evidence)
        if item.kind in _REMARKABLE
    ]
    strongest = [summary for score, _, summary in sorted(scored) if -score > _BASELINE_LEFT]
    return PreliminaryAnalysis(
        observations=tuple(dict.fromkeys(strongest))[:MAX_OBSERVATIONS],
        missing_information=tuple(_missing(reports, targets))[:MAX_MISSING],
    )


def _missing(reports: Sequence[SourceReport], targets: Targets) -> list[str]:
    """Name every fault once, with a query to run by hand."""
    lines = []
    if targets.is_nowhere:
        lines.append("the alerts name no namespace, service, pod or node to look at")
    faults = [
        report for report in reports if report.status not in {SourceStatus.OK, SourceStatus.EMPTY}
    ]
    counts = Counter((report.source, report.status, report.error) for report in faults)
    first: dict[tuple[str, SourceStatus, str], SourceReport] = {}
    for report in faults:
        first.setdefault((report.source, report.status, report.error), report)
    for key, report in first.items():
        lines.append(_sentence(report, counts[key] - 1))
    return lines


def _sentence(report: SourceReport, more: int) -> str:
    if report.status is SourceStatus.NOT_CONFIGURED:
        return f"{report.source} was not asked: {report.error}"
    verb = "did not answer" if report.status is SourceStatus.FAILED else "was not asked"
    others = f" (and {more} more like it)" if more else ""
    fault = f"{report.source} {verb}: {report.error}"
    told = f"{fault}; to run by hand{others}: {report.by_hand}" if report.by_hand else fault
    # a mask in the midst of a command may take a quotation mark of it away
    return told if redact_text(told) == told else fault
