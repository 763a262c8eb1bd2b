"""Findings to hypotheses: every cause on every component it could befall, weighed.

The log-odds of a hypothesis are its prior plus, for each fact, the weight of its strongest sign
times that sign's strength, plus the terms of its place (`structure`). Probabilities are shared
out over all hypotheses and a fixed remainder for everything the catalogue does not know.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, log

from opssage.diagnosis import Finding
from opssage.priors import CauseCount, Priors
from tasks.diagnose.cause import VERY_STRONG, Cause, Sign, facts
from tasks.diagnose.component import kind_of, label_of
from tasks.diagnose.coverage import INFERRED, STATED, UNEXPLAINED
from tasks.diagnose.scene import Scene, Where
from tasks.diagnose.signals.alert import INCIDENT
from tasks.diagnose.signals.finding import CLEAR
from tasks.diagnose.structure import TERMS, Factor, failing_beneath

NO_PRIORS = Priors()
SOMETHING_ELSE = 1.0
"""Odds of a cause outside the catalogue, before and after any evidence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighed:
    """A cause on a component, with everything that speaks for and against it."""

    cause: Cause
    component: str
    factors: tuple[Factor, ...]  #: heaviest first
    details: Mapping[str, str]  #: names read off its findings, the heaviest first
    probability: float = 0.0

    @property
    def log_odds(self) -> float:
        """Natural logarithm of the odds against everything outside the catalogue."""
        return log(self.cause.prior) + sum(each.weight for each in self.factors)

    @property
    def reliance(self) -> float:
        """How much it rests on what was not seen (see `coverage`)."""
        if not self.cause.explains:
            return UNEXPLAINED
        outright = any(each.is_outright and each.finding.strength >= CLEAR for each in self.factors)
        return STATED if outright else INFERRED

    @property
    def supports(self) -> tuple[Factor, ...]:
        """What speaks for it."""
        return tuple(each for each in self.factors if each.weight > 0)

    @property
    def refutes(self) -> tuple[Factor, ...]:
        """What speaks against it."""
        return tuple(each for each in self.factors if each.weight < 0)


def weigh(scene: Scene, causes: Sequence[Cause], priors: Priors = NO_PRIORS) -> tuple[Weighed, ...]:
    """Return all hypotheses with their probabilities, the most probable first.

    `priors` is what people said of such hypotheses before.
    """
    judged = {(each.component, each.cause): each for each in priors.counts}
    weighed = [
        _as_judged(found, judged.get((component, found.cause.name)))
        for component in (*scene.components, INCIDENT)
        for found in _befalling(scene, causes, component)
    ]
    odds = [exp(each.log_odds) for each in weighed]
    whole = SOMETHING_ELSE + sum(odds)
    ranked = [
        Weighed(
            cause=each.cause,
            component=each.component,
            factors=each.factors,
            details=each.details,
            probability=share / whole,
        )
        for each, share in zip(weighed, odds, strict=True)
    ]
    return tuple(sorted(ranked, key=lambda one: (-one.probability, one.component, one.cause.name)))


def _as_judged(each: Weighed, count: CauseCount | None) -> Weighed:
    """Return a hypothesis with what people said of it as a factor, if it weighs anything."""
    if count is None or not count.weight:
        return each
    times = f"confirmed {count.confirmed}×, rejected {count.rejected}×"
    statement = f"people said of {each.cause.name} at {label_of(each.component)}: {times}"
    said = Finding(
        signal="known.judged",
        component=each.component,
        strength=1.0,
        statement=statement,
        evidence_ids=(),
    )
    factor = Factor(weight=count.weight, statement=statement, finding=said)
    return replace(each, factors=_heaviest_first((*each.factors, factor)))


def _befalling(scene: Scene, causes: Sequence[Cause], component: str) -> Iterator[Weighed]:
    """Yield the hypotheses that have everything they need."""
    terms = () if component == INCIDENT else TERMS
    placed = [(term, tuple(term(scene, component))) for term in terms]
    for cause in causes:
        told = _told(scene, cause, component) if kind_of(component) in cause.kinds else None
        if told is not None:
            by_place = (
                factor
                for term, factors in placed
                for factor in factors
                if not (cause.flows_down and term is failing_beneath)
            )
            yield Weighed(
                cause=cause,
                component=component,
                factors=_heaviest_first((*told, *by_place)),
                details=_details(told, component),
            )


def _told(scene: Scene, cause: Cause, component: str) -> tuple[Factor, ...] | None:
    """Return a factor per fact that is seen; None when a needed one is not clearly seen."""
    seen = {fact: _strongest(scene, signs, component) for fact, signs in facts(cause)}
    for need in cause.needs:
        sign = seen.get((need, None))
        if sign is None or sign.finding.strength < CLEAR:
            return None
    return _heaviest_first(factor for factor in seen.values() if factor)


def _heaviest_first(factors: Iterable[Factor]) -> tuple[Factor, ...]:
    return tuple(sorted(factors, key=lambda each: (-abs(each.weight), each.statement)))


def _strongest(scene: Scene, signs: Sequence[Sign], component: str) -> Factor | None:
    factors = [factor for sign in signs for factor in _factors(scene, sign, component)]
    return max(factors, key=lambda each: abs(each.weight), default=None)


def _factors(scene: Scene, sign: Sign, component: str) -> Iterator[Factor]:
    finding = scene.strongest(component, sign.signal, sign.where)
    if finding:
        yield Factor(
            weight=log(sign.ratio) * finding.strength,
            statement=finding.statement,
            finding=finding,
            is_outright=sign.ratio >= VERY_STRONG and sign.where is Where.SELF,
        )


def _details(factors: Sequence[Factor], component: str) -> dict[str, str]:
    """Collect names from what supports the hypothesis; places only from the component itself."""
    details: dict[str, str] = {}
    for each in factors:
        if each.weight > 0:
            details = {**_named(each.finding, component), **details}
    return details


def _named(finding: Finding, component: str) -> dict[str, str]:
    own = finding.component == component
    named = {
        key: text
        for key, text in finding.details.items()
        if own or key not in {"pod", "container", "node", "change", "changed_at", "lead"}
    }
    return named if own else {"caller": finding.component, **named}


def rest_of(ranked: Sequence[Weighed]) -> float:
    """Return the probability left for everything the catalogue does not know."""
    return SOMETHING_ELSE / (SOMETHING_ELSE + sum(exp(each.log_odds) for each in ranked))
