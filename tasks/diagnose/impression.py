"""What the evidence alone suggests, before enrich has added what is known."""

from opssage.diagnosis import Finding, Impression, Suspicion
from opssage.evidence import PrimaryContext
from opssage.knowledge import EnhancedContext
from tasks.diagnose.case import Case
from tasks.diagnose.catalogue import CAUSES
from tasks.diagnose.component import kind_of
from tasks.diagnose.findings import find
from tasks.diagnose.hypotheses import weigh
from tasks.diagnose.scene import Scene
from tasks.diagnose.signals.finding import CLEAR, deviates

_MOST_SUSPICIONS = 3
_WORTH_SUSPECTING = 0.1
_NOTHING_WRONG = "none"  # the category of the causes that are none
_CHANGE = "change."


def first_impression(context: PrimaryContext) -> Impression:
    """Return what the evidence suggests; nothing when it shows nothing clearly.

    A third of the work of a diagnosis, and of the same evidence always the same.
    """
    case = Case.of(context, EnhancedContext())
    scene = Scene.of(case, find(case))
    likely = (each for each in weigh(scene, CAUSES) if each.cause.category != _NOTHING_WRONG)
    return Impression(
        suspicions=tuple(
            Suspicion(
                cause=each.cause.name,
                category=each.cause.category,
                component_kind=kind_of(each.component),
                probability=round(each.probability, 4),
            )
            for each in likely
            if each.probability >= _WORTH_SUSPECTING
        )[:_MOST_SUSPICIONS],
        signals=tuple(sorted({each.signal for each in scene.findings if _is_telling(each)})),
    )


def _is_telling(each: Finding) -> bool:
    return each.strength >= CLEAR and (deviates(each) or each.signal.startswith(_CHANGE))
