"""Sources that fail as a whole: not asked in vain, and told from faults of an incident."""

from collections.abc import Callable, Sequence
from time import monotonic

from opssage.evidence import SourceReport, SourceStatus
from opssage.incident import Alert
from tasks.collect.source import Answer, KnowsRules, RuleFacts, Scope, Source
from tasks.collect.tape import settled

FAILURES_TO_REST = 2
REST_SECONDS = 10.0
FORGET_SECONDS = 60.0
"""A failure so long after the one before is not known to be of the same outage."""


class Guarded:
    """A source that is left alone for a while when every question to it fails, again and again.

    Without it, each incident of a storm would wait for the time-outs of a source that is away.
    """

    def __init__(
        self,
        source: Source,
        clock: Callable[[], float] = monotonic,
        *,
        is_witness: bool = True,
    ) -> None:
        """Guard `source`; `clock` counts seconds.

        A witness saw the system itself. One that knows only what it was told by others, as
        Alertmanager does, is not worth going on with when all witnesses are away.
        """
        self.name = source.name
        self.is_witness = is_witness
        self._source = source
        self._clock = clock
        self._failures = 0
        self._failing_since: float | None = None
        self._failed_at = 0.0
        self._resting_until = 0.0
        self._why = ""
        self._silent_on: tuple[str, ...] | None = None

    @property
    def failing_seconds(self) -> float | None:
        """How long it has failed whenever it was asked, up to the last time it was.

        None when it answered then. Rest is not counted: it may be back by now.
        """
        return None if self._failing_since is None else self._failed_at - self._failing_since

    def ask(self, scope: Scope, deadline: float) -> Answer:
        """Ask the source, unless it rests."""
        if told := settled("rested", self._why_not, usual=""):
            return self._unasked(told)
        if self._silent_on is not None and self._silent_on == _incident(scope.alerts):
            self._silent_on = None
            self._note(self._why)
            return self._unasked(f"not asked: it did not answer about the rules ({self._why})")
        answer = self._source.ask(scope, deadline)
        self._note(_fault(answer))
        return answer

    def _unasked(self, error: str) -> Answer:
        report = SourceReport(source=self.name, status=SourceStatus.FAILED, error=error)
        return Answer(reports=(report,))

    def rule_facts(self, alerts: tuple[Alert, ...], deadline: float) -> RuleFacts:
        """Ask the source, if it knows and does not rest.

        One that is silent here is not asked about the same alerts afterwards: it would be waited
        for twice.
        """
        resting = settled("rested", self._why_not, usual="")
        if resting or not isinstance(self._source, KnowsRules):
            return RuleFacts()
        facts = self._source.rule_facts(alerts, deadline)
        self._silent_on = _incident(alerts) if facts.is_silent else None
        if facts.is_silent:
            self._why = next((report.error for report in facts.reports if report.error), "")
        return facts

    @property
    def _why_not(self) -> str:
        """Why it is not asked while it rests, else empty."""
        is_resting = self._clock() < self._resting_until
        last = f", the last time with: {self._why}" if self._why else ""
        told = f"not asked: it has failed {self._failures} times in a row{last}"
        return told if is_resting else ""

    def _note(self, fault: str | None) -> None:
        """Count a fault; None is an answer."""
        if fault is None:
            self._failures, self._failing_since = 0, None
            return
        self._why = fault
        now = self._clock()
        if self._failing_since is None or now - self._failed_at > FORGET_SECONDS:
            self._failures, self._failing_since = 0, now
        self._failures += 1
        self._failed_at = now
        if self._failures >= FAILURES_TO_REST:
            self._resting_until = now + REST_SECONDS


def _incident(alerts: Sequence[Alert]) -> tuple[str, ...]:
    return tuple(alert.fingerprint for alert in alerts)


def _fault(answer: Answer) -> str | None:
    """Return the first fault when all that was asked failed, else None.

    A question that was spared after that says nothing.
    """
    asked = [report for report in answer.reports if report.status is not SourceStatus.SKIPPED]
    if not asked or any(report.status is not SourceStatus.FAILED for report in asked):
        return None
    return asked[0].error


def outage(sources: Sequence[Source], patience_seconds: float) -> str | None:
    """Return the names of the guarded witnesses when all of them fail, and since recently.

    None when one answers, when there is none, and when they have failed for longer than
    `patience_seconds`: then there is nothing to wait for.
    """
    guarded = [source for source in sources if isinstance(source, Guarded) and source.is_witness]
    failing = [source.failing_seconds for source in guarded]
    recent = [seconds for seconds in failing if seconds is not None and seconds < patience_seconds]
    if not guarded or len(recent) < len(guarded):
        return None
    return ", ".join(source.name for source in guarded)
