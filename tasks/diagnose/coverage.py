"""How much could be seen: the ledger of sources, as a factor on confidence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from opssage.evidence import SourceReport, SourceStatus
from tasks.diagnose.wording import plain

_FULL = 0.97
"""With every source read there is still no certainty."""
_NOT_ASKED = 0.9
_ALL_EMPTY = 0.8
"""It answers, but knows nothing of the places asked about."""
_SILENT = 0.6
"""No question answered; in between the factor grows with the share of answers."""
_ANSWERED = frozenset({SourceStatus.OK, SourceStatus.EMPTY})


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """A source that told less than it could, and what that costs."""

    factor: float
    statement: str
    next_check: str
    failed: bool = False  #: it was asked and did not answer


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
    if not answered and not failed:
        yield _not_asked(name, reports)
    elif answered < len(reports):
        yield _partly(name, reports, failed)
    if answered and not any(each.status is SourceStatus.OK for each in reports):
        yield Gap(
            factor=_ALL_EMPTY,
            statement=f"{name} holds nothing on the places asked about",
            next_check=f"See whether {name} holds the data of this cluster, under which labels",
        )


def _not_asked(name: str, reports: Sequence[SourceReport]) -> Gap:
    why = next((each.error for each in reports if each.error), "not configured")
    return Gap(
        factor=_NOT_ASKED,
        statement=f"{name} was not asked ({plain(why)})",
        next_check=f"Configure {name}, or look there by hand",
    )


def _partly(name: str, reports: Sequence[SourceReport], failed: Sequence[SourceReport]) -> Gap:
    silent = [each for each in reports if each.status not in _ANSWERED]
    answered = len(reports) - len(silent)
    first = min(failed or silent, key=lambda each: (each.error, each.query))
    return Gap(
        factor=_SILENT + (1 - _SILENT) * answered / len(reports),
        statement=f"{name} answered {answered} of {len(reports)} questions"
        f" ({plain(first.error or 'no answer')})",
        next_check=f"Ask {name} by hand: {first.query}"
        if first.query
        else f"See why {name} does not answer",
        failed=bool(failed),
    )
