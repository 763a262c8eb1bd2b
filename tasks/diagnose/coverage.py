"""How much could be seen: the ledger of sources, as a factor on confidence."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from opssage.evidence import SourceReport, SourceStatus
from tasks.diagnose.wording import plain

_FULL = 0.97
"""With every source read there is still no certainty."""
_NOT_ASKED = 0.9
_ALL_EMPTY = 0.8
"""It answers, but knows nothing of the places asked about."""
_SILENT = 0.6
"""No question answered; in between the factor grows with the share of answers."""
STATED = 1 / 3
INFERRED = 1.0
UNEXPLAINED = 1.5
"""How much a conclusion rests on what was not seen, as the exponent of that factor: little when
something that was seen says it outright, much when it tells where the trouble is and not why. Set
by judgement, not fitted to data."""
_WORTH = {"alertmanager": 0.2, "changes": 0.2}
"""Sources that tell what is around a fault and seldom what it is: the same for their gaps."""
_MAY_BE_EMPTY = frozenset({"alertmanager", "changes"})
"""Where nothing is found because nothing else fires and nothing was changed, that is an answer."""
_MOST_BY_HAND = 3  # questions, of each source
_ANSWERED = frozenset({SourceStatus.OK, SourceStatus.EMPTY})


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """A source that told less than it could, and what that costs."""

    factor: float
    statement: str
    next_checks: tuple[str, ...]
    failed: bool = False  #: it was asked and did not answer


def gaps(sources: Sequence[SourceReport]) -> tuple[Gap, ...]:
    """Return the gaps of a ledger, in order of source name."""
    names = sorted({each.source for each in sources})
    return tuple(
        gap
        for name in names
        for gap in _gap(name, [each for each in sources if each.source == name])
    )


def coverage(found: Sequence[Gap], *, reliance: float = INFERRED) -> float:
    """Return the factor, 0–1, that a probability is multiplied by.

    `reliance` says how much the conclusion rests on what was not seen.
    """
    missing = 1.0
    for gap in found:
        missing *= gap.factor
    return _FULL * math.pow(missing, reliance)


def _gap(name: str, reports: Sequence[SourceReport]) -> Iterator[Gap]:
    worth = _WORTH.get(name, 1.0)
    for gap in _gaps_of(name, reports):
        yield replace(gap, factor=gap.factor**worth)


def _gaps_of(name: str, reports: Sequence[SourceReport]) -> Iterator[Gap]:
    answered = sum(each.status in _ANSWERED for each in reports)
    failed = [each for each in reports if each.status is SourceStatus.FAILED]
    if not answered and not failed:
        yield _not_asked(name, reports)
    elif answered < len(reports):
        yield _partly(name, reports, failed)
    is_blank = answered and not any(each.status is SourceStatus.OK for each in reports)
    if is_blank and name not in _MAY_BE_EMPTY:
        yield Gap(
            factor=_ALL_EMPTY,
            statement=f"{name} holds nothing on the places asked about",
            next_checks=(f"See whether {name} holds the data of this cluster, under which labels",),
        )


def _not_asked(name: str, reports: Sequence[SourceReport]) -> Gap:
    why = next((each.error for each in reports if each.error), "not configured")
    return Gap(
        factor=_NOT_ASKED,
        statement=f"{name} was not asked ({plain(why)})",
        next_checks=_by_hand(name, reports) or (f"Configure {name}, or look there by hand",),
    )


def _partly(name: str, reports: Sequence[SourceReport], failed: Sequence[SourceReport]) -> Gap:
    silent = [each for each in reports if each.status not in _ANSWERED]
    answered = len(reports) - len(silent)
    first = min(failed or silent, key=lambda each: (each.error, each.query))
    return Gap(
        factor=_SILENT + (1 - _SILENT) * answered / len(reports),
        statement=f"{name} answered {answered} of {len(reports)} questions"
        f" ({plain(first.error or 'no answer')})",
        next_checks=_by_hand(name, silent) or (f"See why {name} does not answer",),
        failed=bool(failed),
    )


def _by_hand(name: str, silent: Sequence[SourceReport]) -> tuple[str, ...]:
    """Return how to ask what was not answered: one question for each reason, faults first."""
    wanted = [each for each in silent if each.status is not SourceStatus.NOT_CONFIGURED]
    commands: dict[tuple[bool, str], str] = {}
    for each in wanted:
        reason = (each.status is SourceStatus.SKIPPED, each.error)
        if command := each.by_hand or each.query:
            commands.setdefault(reason, command)
    ordered = sorted(commands, key=lambda reason: reason[0])  # as the ledger has them otherwise
    told = dict.fromkeys(commands[reason] for reason in ordered)
    return tuple(f"Ask {name} by hand: {command}" for command in told)[:_MOST_BY_HAND]
