"""How much could be seen: the ledger of sources, as a factor on confidence."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from opssage.evidence import NO_VALUE, SourceReport, SourceStatus
from opssage.redaction import redact_text
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
_WORTH = {"alertmanager": 0.2, "changes": 0.2, "topology_file": 0.2}
"""Sources that tell what is around a fault and seldom what it is: the same for their gaps."""
_MAY_BE_EMPTY = frozenset({"alertmanager", "changes"})
"""Where nothing is found because nothing else fires and nothing was changed, that is an answer."""
_MOST_BY_HAND = 3  # questions, of each source
_ABOUT_ITSELF = ("/api/", "labels", "label/")
"""How questions begin that tell what there is to ask, and nothing of the places asked about."""
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
    is_blank = answered and not any(
        each.status is SourceStatus.OK and not each.query.startswith(_ABOUT_ITSELF)
        for each in reports
    )
    if is_blank and name not in _MAY_BE_EMPTY:
        yield Gap(
            factor=_ALL_EMPTY,
            statement=f"{name} holds nothing on the places asked about",
            next_checks=(f"See whether {name} holds the data of this cluster, under which labels",),
        )
    if any(each.error == NO_VALUE for each in reports):
        yield Gap(
            factor=1.0,
            statement=f"{name} has no value of the alert's own expression",
            next_checks=(f"See whether this {name} is the one that evaluates the alert's rule",),
        )


def _not_asked(name: str, reports: Sequence[SourceReport]) -> Gap:
    why = next((each.error for each in reports if each.error), "not configured")
    return Gap(
        factor=_NOT_ASKED,
        statement=f"{name} was not asked ({plain(why)})",
        next_checks=_by_hand(name, reports) or (_to_configure(name, reports),),
    )


def _to_configure(name: str, reports: Sequence[SourceReport]) -> str:
    told = f"Configure {name}, or look there by hand"
    command = next((f": {each.by_hand}" for each in reports if each.by_hand), "")
    return f"{told}{command}" if redact_text(command) == command else told


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
    """Return how to ask what was not answered: one question for each reason.

    What a person asks first comes first, which is told where nothing was asked; then faults.
    """
    wanted = [each for each in silent if each.status is not SourceStatus.NOT_CONFIGURED]
    commands: dict[tuple[bool, bool, str], str] = {}
    for each in wanted:
        reason = (bool(each.query), each.status is SourceStatus.SKIPPED, each.error)
        if check := _check(name, each):
            commands.setdefault(reason, check)
    ordered = sorted(commands, key=lambda reason: reason[:2])  # as the ledger has them otherwise
    told = dict.fromkeys(commands[reason] for reason in ordered)
    return tuple(told)[:_MOST_BY_HAND]


_REFUSED = ("check the credentials", "CERTIFICATE_VERIFY_FAILED")


def _with_credentials(report: SourceReport) -> str:
    """Return, as a comment of the shell, what the command leaves out and the source asks for."""
    is_refused = report.by_hand.startswith("curl ") and any(
        words in report.error for words in _REFUSED
    )
    return "  # add the source's credentials (-u or -H) and --cacert" if is_refused else ""


def _check(name: str, report: SourceReport) -> str:
    """Return how to ask what a line of the ledger asked; "" when nobody knows.

    A command in which a secret would be masked is left out: a mask may take a quotation mark of it
    away, and a shell would run what the mark held together.
    """
    told = f"Ask {name} by hand: {report.by_hand}" if report.by_hand else ""
    if told and redact_text(told) == told:
        return told + _with_credentials(report)
    return f"Ask {name} for {report.query}" if report.query else ""
