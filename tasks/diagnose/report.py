"""The report: the decision in words, every statement with its evidence."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from opssage.diagnosis import (
    Citation,
    Diagnosis,
    Finding,
    Hypothesis,
    Remediation,
    Verdict,
)
from opssage.evidence import PrimaryContext
from opssage.knowledge import EnhancedContext
from tasks.diagnose.component import kind_of, label_of
from tasks.diagnose.coverage import Gap
from tasks.diagnose.earlier import told_of_earlier
from tasks.diagnose.event import checks_of_event, told_of_event
from tasks.diagnose.hypotheses import Weighed, rest_of
from tasks.diagnose.knowledge import known_actions, known_checks, suggestions
from tasks.diagnose.objects import Objects
from tasks.diagnose.recent import (
    changed_before,
    checks_of_changes,
    citations_of_changes,
    told_of_changes,
)
from tasks.diagnose.scene import Scene
from tasks.diagnose.signals.alert import INCIDENT
from tasks.diagnose.signals.finding import deviates
from tasks.diagnose.structure import Factor, harmless, no_harm
from tasks.diagnose.timeline import course, propagation, spread
from tasks.diagnose.verdict import Decision
from tasks.diagnose.wording import (
    chance,
    cited,
    clock,
    filled,
    first_filled,
    for_people,
    looks,
    names_of,
    plain,
)

ENGINE = "rules"
ENGINE_VERSION = "3"
"""Bump it with every change that can alter a report on the same evidence: signals, causes,
weights, wording. Then two reports that differ can be told apart by their engines."""

_MOST_HYPOTHESES = 8
_MOST_STEPS = 20
_MOST_VICTIMS = 5
_MOST_DOUBTS = 2
_MOST_REJECTED = 3
_MOST_CHECKS = 8
_MOST_IDS = 5  # of one finding
_WORTH_A_LEAD = 0.05
_NEIGHBOUR = 0.02  # a hypothesis this probable is worth a check


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """What a report is written from."""

    context: PrimaryContext
    enhanced: EnhancedContext
    scene: Scene
    ranked: Sequence[Weighed]  #: most probable first
    gaps: Sequence[Gap]
    decision: Decision
    objects: Mapping[str, Objects]  #: component → what runs it

    @property
    def found(self) -> Weighed | None:
        """The fault, when there is one."""
        return self.decision.best if self.decision.verdict is Verdict.FAULT else None

    @property
    def changes(self) -> tuple[Finding, ...]:
        """Changes before the trouble that no verdict accounts for."""
        undecided = self.decision.verdict is Verdict.INSUFFICIENT_EVIDENCE
        return changed_before(self.scene) if undecided else ()

    @property
    def path(self) -> tuple[str, ...]:
        """The way of the fault from its root to the last victim."""
        return propagation(self.scene, self.found.component) if self.found else ()


def write(material: Material) -> Diagnosis:
    """Return the report."""
    decision, found = material.decision, material.found
    undecided = decision.verdict is Verdict.INSUFFICIENT_EVIDENCE
    best = decision.best
    return Diagnosis(
        verdict=decision.verdict,
        root_cause=_root_cause(material),
        confidence_score=decision.confidence,
        reasoning_steps=tuple(_reasoning(material)),
        supporting_evidence=_supports(material),
        recommended_remediation=_remediation(material),
        category="unknown" if best is None or undecided else best.cause.category,
        root_cause_component=found.component if found else None,
        engine=ENGINE,
        engine_version=ENGINE_VERSION,
        hypotheses=_hypotheses(material),
        propagation=material.path,
        next_checks=tuple(dict.fromkeys(_next_checks(material)))[:_MOST_CHECKS],
        cause=None if best is None or undecided else best.cause.name,
        earlier=material.enhanced.earlier if undecided else None,
        owner=material.enhanced.owners.get(label_of(found.component)) if found else None,
    )


def _title(each: Weighed) -> str:
    return first_filled(each.cause.titles, names_of(each.component, each.details))


def _root_cause(material: Material) -> str:
    decision, found = material.decision, material.found
    if found:
        when = _when(material.scene, found.component)
        return plain(f"{_title(found)}{when}{_victims(material.path[1:])}.")
    if decision.best and decision.verdict is Verdict.HEALTHY:
        return f"{_title(decision.best)}."
    return plain(" ".join(_lead(material)))


def _when(scene: Scene, component: str) -> str:
    """Return when the fault began, by the rollout that preceded it if there was one."""
    for each in scene.findings:
        if each.signal == "change.rollout_before_onset" and each.component == component:
            told = each.details
            lead = "right" if told["lead"] == "0" else f"{told['lead']} s"
            return f"; it began {lead} after the {told['change']} at {told['changed_at']}"
    onset = scene.onsets.get(component)
    return f"; since {clock(onset)}" if onset else ""


def _victims(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = len(names) - _MOST_VICTIMS
    others = f" and {more} more" if more > 0 else ""
    return f"; it spreads to {', '.join(names[:_MOST_VICTIMS])}{others}"


def _lead(material: Material) -> Iterator[str]:
    best = material.decision.best
    yield "Not enough evidence to name a cause."
    if best is None or best.probability < _WORTH_A_LEAD:
        best = None
        if not material.changes:
            yield "Nothing beyond the alerts themselves points to one."
    else:
        yield f"Strongest lead: {_title(best)} (probability {chance(best.probability)})."
        if any(harmless(material.scene, best.component)) and best.component != INCIDENT:
            yield f"Yet {no_harm(best.component)}."
    yield from told_of_changes(material.changes)
    yield from told_of_earlier(material.enhanced.earlier)
    missing = [each.statement for each in material.gaps]
    if missing:
        yield f"Missing: {'; '.join(missing)}."
    if best and best.cause.next_checks:
        yield f"What would decide: {_checks(best)[0]}."


def _reasoning(material: Material) -> Iterator[str]:
    yield from course(_told(material))
    yield from _conclusion(material)
    yield from told_of_event(material.enhanced.event)
    if material.decision.verdict is Verdict.INSUFFICIENT_EVIDENCE:
        yield from told_of_earlier(material.enhanced.earlier)
    for gap in material.gaps:
        yield cited(f"Confidence is lowered: {gap.statement}", ())


def _told(material: Material) -> tuple[Finding, ...]:
    """Return the findings worth telling: the alerts, what weighs, and what shows in the victims."""
    best = material.decision.best
    weighing = [factor.finding for factor in best.factors] if best else []
    path = material.path
    others = sorted(
        (
            each
            for each in material.scene.findings
            if _is_telling(each) and (each.component in path or not best)
        ),
        key=lambda each: -each.strength,
    )
    chosen: list[Finding] = []
    for each in (*weighing, *material.scene.alerts, *others):
        if each not in chosen:
            chosen.append(each)
    return tuple(chosen[:_MOST_STEPS])


def _is_telling(each: Finding) -> bool:
    return deviates(each) or each.signal in {"change.rollout_before_onset", "alert.nearby"}


def _conclusion(material: Material) -> Iterator[str]:
    best = material.decision.best
    if best is None:
        return
    ids = [one for each in best.supports for one in each.finding.evidence_ids[:_MOST_IDS]]
    yield cited(
        f"Of {len(material.ranked)} hypotheses the most probable is: {_title(best)} "
        f"({chance(best.probability)}); {chance(rest_of(material.ranked))} is left for causes "
        "unknown here",
        tuple(dict.fromkeys(ids))[:_MOST_IDS],
    )
    for doubt in best.refutes[:_MOST_DOUBTS]:
        yield cited(f"Against it: {doubt.statement}", doubt.finding.evidence_ids[:_MOST_IDS])
    yield from spread(material.scene, material.path)
    for each in [other for other in material.ranked[1:] if other.refutes][:_MOST_REJECTED]:
        against = each.refutes[0]
        yield cited(
            f"Less probable: {_title(each)} ({chance(each.probability)}): {against.statement}",
            against.finding.evidence_ids[:_MOST_IDS],
        )


def _hypotheses(material: Material) -> tuple[Hypothesis, ...]:
    ranked, context = material.ranked, material.context
    told = [
        Hypothesis(
            cause=each.cause.name,
            component=each.component,
            title=_title(each),
            category=each.cause.category,
            probability=round(each.probability, 4),
            supports=_citations(each.supports, context),
            refutes=_citations(each.refutes, context),
        )
        for each in ranked[:_MOST_HYPOTHESES]
    ]
    rest = Hypothesis(
        cause="something_else",
        component="",
        title="Something the catalogue of causes does not know",
        category="unknown",
        probability=round(rest_of(ranked), 4),
    )
    return tuple(sorted([*told, rest], key=lambda each: -each.probability))


def _supports(material: Material) -> tuple[Citation, ...]:
    best = material.decision.best
    own = _citations(best.supports, material.context) if best else ()
    told = {each.evidence_id for each in own}
    changes = citations_of_changes(material.changes)
    return (*own, *(each for each in changes if each.evidence_id not in told))


def _citations(factors: Iterable[Factor], context: PrimaryContext) -> tuple[Citation, ...]:
    """Return a citation for each piece of evidence, with no more than that piece shows."""
    summaries = {item.evidence_id: item.summary for item in context.evidence_collected}
    return tuple(
        dict.fromkeys(
            Citation(
                evidence_id=evidence_id,
                statement=summaries[evidence_id] if place else each.statement,
            )
            for each in factors
            for place, evidence_id in enumerate(each.finding.evidence_ids[:_MOST_IDS])
        )
    )


def _remediation(material: Material) -> Remediation:
    """Return what to do; without a fault nothing may be changed, only looked at."""
    best = material.decision.best
    if best is None:
        return Remediation()
    names = _names(material, best)
    now = tuple(filled(best.cause.now, names))
    if material.decision.verdict is Verdict.INSUFFICIENT_EVIDENCE:
        worth = best.probability >= _WORTH_A_LEAD
        return Remediation(short_term_actions=tuple(each for each in now if worth and looks(each)))
    known = known_actions(material.enhanced, now, _places(names)) if material.found else ()
    return Remediation(
        short_term_actions=(*now, *known),
        long_term_actions=tuple(filled(best.cause.later, names)),
    )


def _names(material: Material, each: Weighed) -> dict[str, str]:
    """Return the names commands may use; the component's own evidence knows its place best."""
    named = names_of(each.component, each.details)
    objects = material.objects.get(each.component, Objects())
    incident = material.context.affected_components.namespace or ""
    own = objects.names(named.pop("pod", ""))
    return {"namespace": incident, **named, **own}


def _places(names: Mapping[str, str]) -> dict[str, str]:
    """Return what the placeholders of runbooks stand for: on a node, the pod that burdens it."""
    if kind_of(names["component"]) == "node":
        keys = ("hog_namespace", "hog", "hog_deployment", "node")
    else:
        keys = ("namespace", "pod", "deployment", "")
    placeholders = ("NAMESPACE", "POD", "NAME", "NODE")
    return {word: names.get(key, "") for word, key in zip(placeholders, keys, strict=True)}


def _checks(each: Weighed) -> list[str]:
    names = names_of(each.component, each.details)
    return [for_people(check, names) for check in each.cause.next_checks]


def _next_checks(material: Material) -> Iterator[str]:
    yield from checks_of_event(material.enhanced.event)
    for index, each in enumerate(material.ranked[:3]):
        if index == 0 or each.probability >= _NEIGHBOUR:
            yield from _checks(each)
    yield from checks_of_changes(material.changes)
    for gap in material.gaps:
        yield from gap.next_checks
    if material.decision.verdict is Verdict.INSUFFICIENT_EVIDENCE:
        yield from suggestions(material.enhanced)
    yield from known_checks(material.enhanced)
