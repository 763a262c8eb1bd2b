"""LogQL: which lines to ask a Loki for, by the labels it has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from opssage.wire import format_time
from tasks.collect.promql import OF_NAME, Matcher
from tasks.collect.shell import word
from tasks.collect.targets import Targets

TROUBLE = (
    ' |~ "(?i)(error|exception|fatal|panic|fail|refused|denied|unavailable|timed? ?out'
    '|oom|killed|crash|warn)"'
)
"""Whole namespaces and nodes write too much; from them only lines that sound like trouble."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A range of a query; `end` is exclusive."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start).total_seconds()


def selector(*matchers: Matcher) -> str:
    """Return the query for all lines of the streams with these labels."""
    return "{" + ",".join(map(str, matchers)) + "}"


def matcher(label: str | None, values: Sequence[str], suffix: str = "") -> tuple[Matcher, ...]:
    """Return a matcher for one of these values; nothing when there is no label or no value."""
    if label is None or not values:
        return ()
    return (Matcher(label=label, values=tuple(values), suffix=suffix),)


def queries_for(targets: Targets, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return log queries for the places, the nearest first.

    `labels` says which label stands for which kind of place, as far as there is one.
    """
    namespaces = matcher(labels.get("namespace"), targets.namespaces)
    services = names_of(targets.services)
    of_services = matcher(labels.get("service"), services) or matcher(
        labels.get("pod"), services, OF_NAME
    )
    pods = matcher(labels.get("pod"), names_of(targets.pods))
    nodes = matcher(labels.get("node"), targets.nodes)
    queries = (
        selector(*namespaces, *pods) if pods else "",
        selector(*namespaces, *of_services) if of_services else "",
        selector(*namespaces) + TROUBLE if namespaces else "",
        selector(*nodes) + TROUBLE if nodes else "",
    )
    return tuple(dict.fromkeys(query for query in queries if query))


def names_of(places: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Return the names of (namespace, name) pairs, each once."""
    return tuple(dict.fromkeys(name for _, name in places))


def count_of(query: str, span: Span) -> str:
    """Return the query for how many lines there are in a range that ends when it is asked for."""
    return f"sum(count_over_time({query}[{max(1, round(span.seconds))}s]))"


def by_hand(query: str, span: Span, limit: int) -> str:
    """Return the command that shows the same lines; logcli reads LOKI_ADDR."""
    times = f"--from={format_time(span.start)} --to={format_time(span.end)}"
    return f"logcli query --limit={limit} {times} {word(query)}"


def count_by_hand(query: str, span: Span) -> str:
    """Return the command that asks the same of a metric query."""
    return f"logcli instant-query --now={format_time(span.end)} {word(query)}"


def labels_by_hand(span: Span) -> str:
    """Return the command that shows which labels there are."""
    return f"logcli labels --from={format_time(span.start)} --to={format_time(span.end)}"


def targets_by_hand(targets: Targets, span: Span, limit: int) -> str:
    """Return a command for a Loki that was not asked, with the labels that are most usual."""
    usual = {"namespace": "namespace", "service": "app", "pod": "pod", "node": "node_name"}
    queries = queries_for(targets, usual)
    return by_hand(queries[0], span, limit) if queries else labels_by_hand(span)
