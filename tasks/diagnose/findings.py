"""Evidence to findings: every reader of signals applied to a case."""

from collections.abc import Callable, Iterator

from opssage.diagnosis import Finding
from tasks.diagnose.case import Case
from tasks.diagnose.signals.alert import alerts, own_signals
from tasks.diagnose.signals.change import changes
from tasks.diagnose.signals.finding import merged
from tasks.diagnose.signals.kubernetes import (
    absences,
    events,
    policies,
    problems,
    settings,
    wellbeing,
)
from tasks.diagnose.signals.limits import near_limits, node_hogs
from tasks.diagnose.signals.linked import linked
from tasks.diagnose.signals.log import logs
from tasks.diagnose.signals.metric import falls, rises, serving
from tasks.diagnose.signals.state import node_conditions, terminated, waiting

READERS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    alerts,
    linked,
    own_signals,
    rises,
    falls,
    serving,
    waiting,
    terminated,
    node_conditions,
    problems,
    events,
    absences,
    wellbeing,
    policies,
    settings,
    near_limits,
    node_hogs,
    logs,
)


def find(case: Case) -> tuple[Finding, ...]:
    """Return the findings of a case, in an order that depends on content only."""
    found = merged(each for reader in READERS for each in reader(case))
    return merged((*found, *changes(case, found)))
