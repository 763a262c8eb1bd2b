"""The decision: a fault, nothing wrong, or not enough to tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from opssage.diagnosis import Verdict
from tasks.diagnose.coverage import Gap, coverage
from tasks.diagnose.hypotheses import Weighed
from tasks.diagnose.scene import Scene
from tasks.diagnose.signals.finding import deviates

UNDECIDED = 0.3
"""The most confidence an answer without a verdict may have."""

_NOTHING_WRONG = "none"  # the category of the cause that is none


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A verdict, the hypothesis it rests on, and how sure it is."""

    verdict: Verdict
    best: Weighed | None  #: the strongest lead when the verdict is insufficient_evidence
    confidence: float


def decide(
    ranked: Sequence[Weighed], scene: Scene, gaps: Sequence[Gap], *, min_confidence: float
) -> Decision:
    """Decide by the most probable hypothesis and by how much could be seen.

    Confidence is its probability times the coverage; a verdict needs at least `min_confidence`.
    A fault also needs harm that was seen, and health that no question was left unanswered.
    """
    best = ranked[0] if ranked else None
    if best is None:
        return Decision(verdict=Verdict.INSUFFICIENT_EVIDENCE, best=None, confidence=0.0)
    confidence = round(best.probability * coverage(gaps, reliance=best.reliance), 4)
    healthy = best.cause.category == _NOTHING_WRONG
    shown = _all_calm(scene, gaps) if healthy else scene.harm(best.component) is not None
    if confidence >= min_confidence and shown:
        verdict = Verdict.HEALTHY if healthy else Verdict.FAULT
        return Decision(verdict=verdict, best=best, confidence=confidence)
    return Decision(
        verdict=Verdict.INSUFFICIENT_EVIDENCE, best=best, confidence=min(confidence, UNDECIDED)
    )


def _all_calm(scene: Scene, gaps: Sequence[Gap]) -> bool:
    """Tell whether nothing is wrong as far as was asked, and all that was asked was answered.

    Every alert's own signal must have been read and never have crossed its threshold.
    """
    alerting = {each.component for each in scene.alerts}
    calm = {each.component for each in scene.findings if each.signal == "signal.never_crossed"}
    crossed = any(each.signal == "signal.back_to_normal" for each in scene.findings)
    out_of_order = crossed or any(deviates(each) for each in scene.findings)
    return alerting <= calm and not out_of_order and not any(gap.failed for gap in gaps)
