"""What there is to ask at a site: found out before the plan is put to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from opssage.evidence import SourceReport
from tasks.collect.concurrency import run_all
from tasks.collect.metadata import Metadata, Told
from tasks.collect.plan import ROWS
from tasks.collect.questions import Row
from tasks.collect.site import OBJECT_LABELS, Site, exported_as
from tasks.collect.source import Scope

_OBJECT_METRICS = ("kube_pod_info", "kube_pod_container_info")


def _request_metrics() -> frozenset[str]:
    return frozenset(name for row in ROWS if row.label for name in row.metrics)


@dataclass(frozen=True, kw_only=True, slots=True)
class Discovered:
    """A site, and the ledger of how it was found out."""

    site: Site
    reports: tuple[SourceReport, ...]


def discovered(
    metadata: Metadata, names: Told[frozenset[str]], scope: Scope, deadline: float
) -> Discovered:
    """Return what is known of the site whose metrics have been asked for."""
    if names.value is None:
        return Discovered(site=Site(), reports=(names.report,))
    asked = [
        tuple(name for name in metrics if name in names.value)
        for metrics in (_OBJECT_METRICS, sorted(_request_metrics()))
    ]
    start, end = scope.window.start, scope.window.end
    calls = [
        partial(metadata.labels, metrics, start, end, deadline)
        for metrics in ((), *filter(None, asked))  # of nothing in particular: of all series
    ]
    every, *some = run_all(calls, workers=len(calls), deadline=deadline)
    answers = iter(some)
    objects, requests = (next(answers) if metrics else None for metrics in asked)
    told = [answer for answer in (every, objects, requests) if answer is not None]
    labels = (objects.value if objects else None) or frozenset()
    site = Site(
        metrics=names.value,
        labels=(every.value if every else None) or frozenset(),
        request_labels=requests.value if requests else None,
        exported=frozenset(name for name in OBJECT_LABELS if exported_as(name) in labels),
    )
    return Discovered(site=site, reports=(names.report, *(answer.report for answer in told)))


def with_left_out(report: SourceReport, site: Site, left_out: Sequence[Row]) -> SourceReport:
    """Return the ledger line of the discovery with what was not asked for want of metrics."""
    if not left_out or report.error:
        return report
    missing = site.missing_families
    note = f"{len(left_out)} queries of the plan were left out: their metrics do not exist here"
    if missing:
        note += f"; nothing was found of {', '.join(missing)}"
    return replace(report, error=note)
