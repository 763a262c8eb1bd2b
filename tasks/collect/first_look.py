"""What a person would ask a source first that was asked nothing at all."""

from collections.abc import Callable, Iterator, Mapping
from shlex import join

from opssage.evidence import SourceReport, SourceStatus
from tasks.collect.alertmanager import ALERTS_BY_HAND
from tasks.collect.logql import Span, targets_by_hand
from tasks.collect.prometheus_api import Query
from tasks.collect.promql import Matcher
from tasks.collect.source import Scope

_LINES = 100
_ANSWERED = frozenset({SourceStatus.OK, SourceStatus.EMPTY})


def first_look(report: SourceReport, scope: Scope) -> str:
    """Return a command for a line of the ledger that says nothing was asked; else empty."""
    asked = report.query or report.by_hand or report.status in _ANSWERED
    command = _COMMANDS.get(report.source)
    return "" if asked or command is None else command(scope)


def _prometheus(scope: Scope) -> str:
    lead, *_ = scope.alerts
    firing = f"ALERTS{{{Matcher(label='alertname', values=(lead.name,))}}}"
    return Query(promql=lead.condition or firing, at=scope.window.end.timestamp()).by_hand


def _kubernetes(scope: Scope) -> str:
    return " && ".join(_kubectl(scope))


def _kubectl(scope: Scope) -> Iterator[str]:
    targets = scope.targets
    if targets.nodes:
        yield join(["kubectl", "describe", "node", targets.nodes[0]])
    if targets.namespaces:
        yield join(["kubectl", "get", "pods,events", "-n", targets.namespaces[0]])
    elif not targets.nodes:
        yield "kubectl get pods,events -A"


def _loki(scope: Scope) -> str:
    span = Span(start=scope.baseline_start, end=scope.window.end)
    return targets_by_hand(scope.targets, span, _LINES)


_COMMANDS: Mapping[str, Callable[[Scope], str]] = {
    "prometheus": _prometheus,
    "kubernetes": _kubernetes,
    "loki": _loki,
    "alertmanager": lambda _: ALERTS_BY_HAND,
}
