"""Which labels a Loki has for namespaces, services, pods and nodes: every site names them anew."""

from collections.abc import Sequence
from datetime import timedelta
from time import monotonic

from opssage.errors import SourceError
from opssage.evidence import SourceReport, SourceStatus
from opssage.places import PLACE_LABELS
from tasks.collect.log_records import nanoseconds
from tasks.collect.logql import Span, labels_by_hand, matcher, names_of, selector
from tasks.collect.targets import Targets
from tasks.collect.upstream import UnreachableError, Upstream

KEEP_SECONDS = 300.0  #: an answer serves the next investigations too
_HOUR = timedelta(hours=1)


class LabelFinder:
    """Finds the labels in use during one span. `reports` is the ledger of what it asked."""

    def __init__(self, upstream: Upstream, span: Span, deadline: float) -> None:
        """Ask there. The span is widened to whole hours, so that kept answers fit more often."""
        start = span.start.replace(minute=0, second=0, microsecond=0)
        end = span.end.replace(minute=0, second=0, microsecond=0) + _HOUR
        self._span = Span(start=start, end=end)
        self._upstream = upstream
        self._deadline = deadline
        self.reports: list[SourceReport] = []

    def find(self, targets: Targets) -> dict[str, str]:
        """Return the label that stands for each kind of place, as far as there is one.

        Of several labels the first that has one of the targets' values is taken, and services are
        looked for among the streams of the targets' namespaces. Raises SourceError when Loki does
        not tell which labels it has.
        """
        labels = self._names("labels", "")
        namespace = self._best("namespace", targets.namespaces, labels, "")
        within = matcher(namespace, targets.namespaces)
        query = selector(*within) if within else ""
        found = {
            "namespace": namespace,
            "service": self._best("service", names_of(targets.services), labels, query),
            "pod": self._best("pod", names_of(targets.pods), labels, query),
            "node": self._best("node", targets.nodes, labels, ""),
        }
        return {kind: label for kind, label in found.items() if label}

    def _best(
        self, kind: str, wanted: Sequence[str], labels: Sequence[str], query: str
    ) -> str | None:
        candidates = [label for label in PLACE_LABELS[kind] if label in labels]
        if not candidates or not wanted:
            return next(iter(candidates), None)
        if kind == "service":  # without a label, a service is found by the names of its pods
            return self._having(candidates, wanted, query)
        if len(candidates) == 1:
            return candidates[0]
        return self._having(candidates, wanted, query) or candidates[0]

    def _having(self, labels: Sequence[str], wanted: Sequence[str], query: str) -> str | None:
        """Return the first label that has a wanted value, or will not tell its values."""
        for label in labels:
            try:
                values = self._names(f"label/{label}/values", query)
            except UnreachableError:
                raise
            except SourceError:
                return label
            if not set(wanted).isdisjoint(values):
                return label
        return None

    def _names(self, what: str, query: str) -> list[str]:
        """Return names of labels or values of one, of the streams that `query` selects."""
        asked = f"{what} {query}".strip()
        params = {
            "start": str(nanoseconds(self._span.start)),
            "end": str(nanoseconds(self._span.end)),
            **({"query": query} if query else {}),
        }
        began = monotonic()
        try:
            reply = self._upstream.get(
                f"/loki/api/v1/{what}", params, self._deadline, keep_seconds=KEEP_SECONDS
            )
            names = _names_in(reply.body)
        except SourceError as error:
            self._report(asked, SourceStatus.FAILED, began, error=str(error))
            raise
        status = SourceStatus.OK if names else SourceStatus.EMPTY
        self._report(asked, status, began, size=reply.size)
        return names

    def _report(
        self, query: str, status: SourceStatus, began: float, *, size: int = 0, error: str = ""
    ) -> None:
        is_failed = status is SourceStatus.FAILED
        self.reports.append(
            SourceReport(
                source=self._upstream.source,
                status=status,
                query=query,
                duration_seconds=round(monotonic() - began, 3),
                error=error,
                size=size,
                by_hand=labels_by_hand(self._span) if is_failed else "",
            )
        )


def _names_in(document: object) -> list[str]:
    """Return the names of an answer; Loki leaves `data` out when there are none."""
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data or [], list) or not isinstance(document, dict):
        raise SourceError("the answer does not have the form of a list of labels")
    return [str(name) for name in data or []]
