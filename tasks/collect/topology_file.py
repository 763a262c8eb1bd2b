"""The topology file as a source: what people wrote of who calls whom."""

from collections.abc import Iterable

from opssage.graph import ServiceGraph
from opssage.settings.topology import SOURCE
from tasks.collect.service_graph import graph_evidence
from tasks.collect.source import Answer, Scope, Source
from tasks.collect.tape import settled


class TopologyFile:
    """Answers with the calls around the alerts. It asks nobody, so its ledger is empty."""

    name = SOURCE

    def __init__(self, calls: ServiceGraph) -> None:
        """Take the calls in the file; without a file there are none."""
        self.calls = calls

    def ask(self, scope: Scope, deadline: float) -> Answer:  # noqa: ARG002 - Source's signature
        """Return one evidence, if the alerts' services are in the file."""
        return Answer(evidence=graph_evidence(scope.declared, self.name, scope))


def declared_calls(sources: Iterable[Source]) -> ServiceGraph:
    """Return what people declared; in a replay, what they had declared when it was recorded."""
    files = (source.calls.rows() for source in sources if isinstance(source, TopologyFile))
    return ServiceGraph.from_rows(settled("declared", next(files, []), usual=[]))
