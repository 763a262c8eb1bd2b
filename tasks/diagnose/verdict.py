"""The decision: a fault, nothing wrong, or not enough to tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from opssage.diagnosis import Verdict
from tasks.diagnose.hypotheses import Weighed
from tasks.diagnose.scene import Scene
from tasks.diagnose.signals.finding import deviates

UNDECIDED = 0.3
"""The most confidence an answer without a verdict may have."""

_NOTHING_WRONG = "none"  # the category of the cause that is none
_CALM = ("signal.never_crossed", "signal.back_to_normal")


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A verdict, the hypothesis it rests on, and how sure it is."""

    verdict: Verdict
    best: Weighed | None  #: the strongest lead when the verdict is insufficient_evidence
    confidence: float


def decide(
    ranked: Sequence[Weighed], scene: Scene, *, coverage: float, min_confidence: float
) -> Decision:
    """Decide by the most probable hypothesis and by how much could be seen.

    Confidence is its probability times `coverage`; a verdict needs at least `min_confidence`.
    """
    best = ranked[0] if ranked else None
    if best is None:
        return Decision(verdict=Verdict.INSUFFICIENT_EVIDENCE, best=None, confidence=0.0)
    confidence = round(best.probability * coverage, 4)
    healthy = best.cause.category == _NOTHING_WRONG
    if confidence >= min_confidence and (not healthy or _all_calm(scene)):
        verdict = Verdict.HEALTHY if healthy else Verdict.FAULT
        return Decision(verdict=verdict, best=best, confidence=confidence)
    return Decision(
        verdict=Verdict.INSUFFICIENT_EVIDENCE, best=best, confidence=min(confidence, UNDECIDED)
    )


def _all_calm(scene: Scene) -> bool:
    """Tell whether every alert's own signal was read as calm and nothing else is out of order."""
    alerting = {each.component for each in scene.alerts}
    calm = {each.component for each in scene.findings if each.signal in _CALM}
    return alerting <= calm and not any(deviates(each) for each in scene.findings)
