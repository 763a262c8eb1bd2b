"""The diagnose stage: evidence → findings → hypotheses → verdict → report."""

from opssage.diagnosis import Diagnosis
from opssage.evidence import PrimaryContext
from opssage.knowledge import EnhancedContext
from opssage.settings import DiagnoseSettings
from tasks.diagnose.case import Case
from tasks.diagnose.catalogue import CAUSES
from tasks.diagnose.citations import check_citations
from tasks.diagnose.coverage import gaps
from tasks.diagnose.findings import find
from tasks.diagnose.hypotheses import weigh
from tasks.diagnose.objects import objects_behind
from tasks.diagnose.report import Material, write
from tasks.diagnose.scene import Scene
from tasks.diagnose.verdict import decide


def diagnose(
    context: PrimaryContext, enhanced: EnhancedContext, settings: DiagnoseSettings
) -> Diagnosis:
    """Return the diagnosis of what was collected and enriched.

    The same evidence gives the same report, in whatever order it came. The probabilities behind
    `confidence_score` come from weights set by experts and are not calibrated (see `cause`).
    Raises CitationError when the report would claim what the context does not hold.
    """
    case = Case.of(context, enhanced)
    scene = Scene.of(case, find(case))
    ranked = weigh(scene, CAUSES, enhanced.priors)
    unseen = gaps(context.sources)
    report = write(
        Material(
            context=context,
            enhanced=enhanced,
            scene=scene,
            ranked=ranked,
            gaps=unseen,
            objects=objects_behind(case, context.affected_components.namespace or ""),
            decision=decide(ranked, scene, unseen, min_confidence=settings.min_confidence),
        )
    )
    check_citations(report, context)
    return report
