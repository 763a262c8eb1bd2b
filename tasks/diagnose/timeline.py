"""How the trouble went: findings in order of time, and its way from the root to the victims."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from opssage.diagnosis import Finding
from tasks.diagnose.scene import Scene
from tasks.diagnose.signals.finding import fails, in_order
from tasks.diagnose.wording import cited, clock

_LAST = datetime.max.replace(tzinfo=UTC)
_MOST_IDS = 5
_MOST_STEPS = 6


def propagation(scene: Scene, root: str) -> tuple[str, ...]:
    """Return the components from the root to the last victim.

    Victims depend on the root and show trouble themselves; nearer ones come first, then earlier.
    """
    distance = scene.depend_on(root)
    troubled = {
        each.component
        for each in scene.findings
        if fails(each) or each.about or each.signal.startswith("alert.")
    }
    victims = sorted(
        troubled & set(distance),
        key=lambda each: (distance[each], scene.onsets.get(each, _LAST), each),
    )
    return (root, *victims)


def spread(scene: Scene, path: Sequence[str]) -> Iterator[str]:
    """Yield each step of the way from the root to a victim, with what the victim shows."""
    for victim in path[1 : _MOST_STEPS + 1]:
        nearer = (*scene.calls.get(victim, ()), *scene.nodes.get(victim, ()))
        source = next((each for each in path if each in nearer), path[0])
        complaints = [each for each in scene.complaints.get(victim, ()) if each.about == source]
        telling = complaints or [each for each in scene.own.get(victim, ()) if fails(each)]
        ids = in_order(one for each in telling for one in each.evidence_ids)
        yield cited(f"It spreads from {source} to {victim}", ids[:_MOST_IDS])


def course(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield what happened, in order of time; what has no time comes last."""
    ordered = sorted(
        findings, key=lambda each: (each.onset_at or _LAST, each.statement, each.evidence_ids)
    )
    for each in ordered:
        at = f"{clock(each.onset_at)}: " if each.onset_at else ""
        yield cited(f"{at}{each.statement}", each.evidence_ids[:_MOST_IDS])
