"""How much could be seen: the ledger of sources, as a factor on confidence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from opssage.evidence import SourceReport, SourceStatus

_FULL = 0.97
"""With every source read there is still no certainty."""
_NOT_ASKED = 0.9
_PARTLY_FAILED = 0.85
_FAILED = 0.7
_ANSWERED = frozenset({SourceStatus.OK, SourceStatus.EMPTY})


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """A source that told less than it could, and what that costs."""

    factor: float
    statement: str
    next_check: str


def gaps(sources: Sequence[SourceReport]) -> tuple[Gap, ...]:
    """Return the gaps of a ledger, in order of source name."""
    names = sorted({each.source for each in sources})
    return tuple(
        gap
        for name in names
        for gap in _gap(name, [each for each in sources if each.source == name])
    )


def coverage(found: Sequence[Gap]) -> float:
    """Return the factor, 0–1, that a probability is multiplied by."""
    factor = _FULL
    for gap in found:
        factor *= gap.factor
    return factor


def _gap(name: str, reports: Sequence[SourceReport]) -> Iterator[Gap]:
    answered = sum(each.status in _ANSWERED for each in reports)
    failed = [each for each in reports if each.status is SourceStatus.FAILED]
    if failed:
        first = min(failed, key=lambda each: (each.error, each.query))
        yield Gap(
            factor=_PARTLY_FAILED if answered else _FAILED,
            statement=f"{name} answered {answered} of {len(reports)} questions"
            f" ({_plain(first.error or 'no answer')})",
            next_check=f"Ask {name} by hand: {first.query}"
            if first.query
            else f"See why {name} does not answer",
        )
    elif not answered:
        why = next((each.error for each in reports if each.error), "not configured")
        yield Gap(
            factor=_NOT_ASKED,
            statement=f"{name} was not asked ({_plain(why)})",
            next_check=f"Configure {name}, or look there by hand",
        )


def _plain(text: str) -> str:
    """Return text that cannot be mistaken for a citation."""
    return " ".join(text.replace("[", "(").replace("]", ")").split())
