"""What a person would ask a source first that was asked nothing at all."""

import re
from collections.abc import Callable, Iterator, Mapping

from opssage.evidence import SourceReport, SourceStatus
from tasks.collect.alertmanager import ALERTS_BY_HAND
from tasks.collect.logql import Span, targets_by_hand
from tasks.collect.prometheus_api import Query
from tasks.collect.promql import Matcher
from tasks.collect.shell import command
from tasks.collect.source import Scope

_LINES = 100
# RFC 1123: what Kubernetes takes for a name. kubectl takes other things, such as options.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_ANSWERED = frozenset({SourceStatus.OK, SourceStatus.EMPTY})


def first_look(report: SourceReport, scope: Scope) -> str:
    """Return a command for a line of the ledger that says nothing was asked; else empty."""
    asked = report.query or report.by_hand or report.status in _ANSWERED
    make = _COMMANDS.get(report.source)
    return "" if asked or make is None else make(scope)


def _prometheus(scope: Scope) -> str:
    lead, *_ = scope.alerts
    firing = f"ALERTS{{{Matcher(label='alertname', values=(lead.name,))}}}"
    return Query(promql=lead.condition or firing, at=scope.window.end.timestamp()).by_hand


def _kubernetes(scope: Scope) -> str:
    return " && ".join(_kubectl(scope))


def _kubectl(scope: Scope) -> Iterator[str]:
    nodes = list(filter(_NAME.fullmatch, scope.targets.nodes))
    namespaces = list(filter(_NAME.fullmatch, scope.targets.namespaces))
    if nodes:
        yield command("kubectl", "describe", "node", nodes[0])
    if namespaces:
        yield command("kubectl", "get", "pods,events", "-n", namespaces[0])
    elif not nodes:
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
