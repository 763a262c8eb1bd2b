"""Changes before the trouble, told as leads even where nothing shows that they did harm."""

from collections.abc import Iterator, Sequence

from opssage.diagnosis import Citation, Finding
from tasks.diagnose.scene import Scene
from tasks.diagnose.wording import for_people

_MOST = 3
_CHECK = "See what the {change} of {changed_at} did, and whether undoing it ends the alert"


def changed_before(scene: Scene) -> tuple[Finding, ...]:
    """Return the changes that preceded the trouble, those nearest to it first."""
    found = {
        each.statement: each
        for each in scene.findings
        if each.signal == "change.rollout_before_onset" and each.strength > 0
    }
    ordered = sorted(found.values(), key=lambda each: (-each.strength, each.statement))
    return tuple(ordered[:_MOST])


def told_of_changes(found: Sequence[Finding]) -> Iterator[str]:
    """Yield a sentence for each."""
    yield from (f"Changed before: {each.statement}." for each in found)


def citations_of_changes(found: Sequence[Finding]) -> tuple[Citation, ...]:
    """Return what each rests on."""
    return tuple(
        Citation(evidence_id=evidence_id, statement=each.statement)
        for each in found
        for evidence_id in each.evidence_ids[:1]
    )


def checks_of_changes(found: Sequence[Finding]) -> Iterator[str]:
    """Yield what to look at for each."""
    yield from (for_people(_CHECK, each.details) for each in found)
