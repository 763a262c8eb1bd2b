"""The promise that a report claims only what its context holds."""

import re
from collections.abc import Iterator

from opssage.diagnosis import Diagnosis, Verdict
from opssage.errors import OpsSageError
from opssage.evidence import PrimaryContext

_BRACKETS = re.compile(r"\[(E\d+(?:, E\d+)*)\]")


class CitationError(OpsSageError):
    """A report cites evidence that its context does not hold, or claims without citing."""


def check_citations(report: Diagnosis, context: PrimaryContext) -> None:
    """Raise CitationError unless every cited id exists and every claim cites something."""
    known = {item.evidence_id for item in context.evidence_collected}
    unknown = sorted(set(_cited(report)) - known)
    if unknown:
        raise CitationError(f"evidence that does not exist is cited: {', '.join(unknown)}")
    if report.verdict is not Verdict.INSUFFICIENT_EVIDENCE and not report.supporting_evidence:
        raise CitationError(f"the verdict {report.verdict.value} rests on no evidence")
    for each in report.hypotheses:
        if each.component and not each.supports:
            raise CitationError(f"the hypothesis {each.cause} rests on no evidence")


def _cited(report: Diagnosis) -> Iterator[str]:
    citations = list(report.supporting_evidence)
    for each in report.hypotheses:
        citations += [*each.supports, *each.refutes]
    yield from (each.evidence_id for each in citations)
    for text in (report.root_cause, *report.reasoning_steps):
        for match in _BRACKETS.finditer(text):
            yield from match[1].split(", ")
