"""The topology file as a source: what people wrote of who calls whom."""

from collections.abc import Iterable

from opssage.evidence import SourceReport, SourceStatus
from opssage.graph import ServiceGraph
from opssage.settings.topology import SOURCE
from tasks.collect.service_graph import graph_evidence
from tasks.collect.source import Answer, Scope, Source
from tasks.collect.tape import settled


class TopologyFile:
    """Answers with the calls around the alerts. It asks nobody: its ledger has only its fault."""

    name = SOURCE

    def __init__(self, calls: ServiceGraph, *, fault: str = "") -> None:
        """Take the calls in the file; without a file there are none. `fault`: it cannot be read."""
        self.calls = calls
        self._fault = fault

    def ask(self, scope: Scope, deadline: float) -> Answer:  # noqa: ARG002 - Source's signature
        """Return one evidence, if the alerts' services are in the file."""
        evidence = graph_evidence(scope.declared, self.name, scope)
        if not (told := settled("unread", self._fault, usual="")):
            return Answer(evidence=evidence)
        report = SourceReport(source=self.name, status=SourceStatus.FAILED, error=told)
        return Answer(evidence=evidence, reports=(report,))


def declared_calls(sources: Iterable[Source]) -> ServiceGraph:
    """Return what people declared; in a replay, what they had declared when it was recorded."""
    files = (source.calls.rows() for source in sources if isinstance(source, TopologyFile))
    return ServiceGraph.from_rows(settled("declared", next(files, []), usual=[]))
