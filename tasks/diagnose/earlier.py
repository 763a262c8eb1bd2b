"""The answer that an earlier revision gave, kept in sight where this one has none."""

from collections.abc import Iterator

from opssage.diagnosis import EarlierAnswer, Verdict
from tasks.diagnose.wording import plain

_FOUND = {Verdict.FAULT: "found a fault", Verdict.HEALTHY: "found nothing wrong"}


def told_of_earlier(answer: EarlierAnswer | None) -> Iterator[str]:
    """Yield what was found on the evidence of then: with less of it, it is not taken back."""
    if answer is not None:
        told = _FOUND.get(answer.verdict, "answered")
        yield plain(
            f"Before, revision {answer.revision} {told}, on the evidence it had: "
            f"{answer.root_cause} (confidence {answer.confidence_score:.2f})."
        )
