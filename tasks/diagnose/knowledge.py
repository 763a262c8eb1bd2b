"""What enrich knows, added to a report. It never makes or moves a hypothesis."""

import re
from collections.abc import Iterator

from opssage.diagnosis import Action
from opssage.knowledge import EnhancedContext

_GRADED = re.compile(r"(?P<risk>low|medium|high) risk: ", re.IGNORECASE)
_MOST_ACTIONS = 3
_MOST_PASSAGES = 2
_MOST_INCIDENTS = 1


def known_actions(enhanced: EnhancedContext) -> Iterator[Action]:
    """Yield what runbooks say to do and what past incidents were advised, with that source."""
    for text in enhanced.contextual_enrichment.known_remediation_actions[:_MOST_ACTIONS]:
        risk, told = _graded(text)
        yield Action(action=f"{told} (from runbooks and similar incidents)", risk=risk)


def _graded(text: str) -> tuple[str, str]:
    """Split `Low risk: do this` into its risk and what to do; what says none is medium."""
    graded = _GRADED.match(text)
    if graded is None:
        return "medium", text
    told = text[graded.end() :]
    return graded["risk"].lower(), told[:1].upper() + told[1:]


def known_checks(enhanced: EnhancedContext) -> Iterator[str]:
    """Yield the passages to read and the past incidents to compare with."""
    for passage in enhanced.retrieved_knowledge[:_MOST_PASSAGES]:
        yield f"Read “{passage.title}” ({passage.source_id})"
    for related in enhanced.contextual_enrichment.related_incidents[:_MOST_INCIDENTS]:
        told = f": {related.root_cause.rstrip('.')}" if related.root_cause else ""
        yield (
            f"Compare with incident {related.incident_id} of {related.created_at:%Y-%m-%d}{told}"
        )
