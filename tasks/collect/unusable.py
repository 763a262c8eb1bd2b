"""A source whose settings cannot be used: missing evidence, not the end of every diagnosis."""

from dataclasses import dataclass

from opssage.evidence import SourceReport, SourceStatus
from opssage.incident import Alert
from tasks.collect.source import Answer, RuleFacts, Scope
from tasks.collect.tape import settled


@dataclass(frozen=True, kw_only=True, slots=True)
class Unusable:
    """Stands in for a source that cannot be made, so that the ledger says why."""

    name: str
    fault: str  #: with the key of the setting

    def ask(self, scope: Scope, deadline: float) -> Answer:  # noqa: ARG002 - Source's signature
        """Answer that it cannot be asked."""
        report = SourceReport(source=self.name, status=SourceStatus.FAILED, error=self._told())
        return Answer(reports=(report,))

    def rule_facts(
        self,
        alerts: tuple[Alert, ...],  # noqa: ARG002 - KnowsRules' signature
        deadline: float,  # noqa: ARG002 - KnowsRules' signature
    ) -> RuleFacts:
        """Know nothing."""
        self._told()
        return RuleFacts()

    def _told(self) -> str:
        # as of a source that rests: that is how a replay has it, where every source can be made
        return settled("rested", self.fault, usual="")
