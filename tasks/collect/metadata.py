"""What Prometheus knows about itself: its metrics, their labels, and the rules it evaluates."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Generic, TypeVar

from opssage.errors import SourceError
from opssage.evidence import SourceReport, SourceStatus
from opssage.incident import Alert
from tasks.collect.prometheus_api import PARTIAL, SOURCE, is_barred, is_partial
from tasks.collect.shell import word
from tasks.collect.tape import Params
from tasks.collect.upstream import RefusedError, Upstream

T = TypeVar("T")

KEEP_SECONDS = 300.0
"""So long an answer about metrics and rules is believed."""

_DAY_SECONDS = 86_400
_METRICS = "/api/v1/label/__name__/values"


@dataclass(frozen=True, kw_only=True, slots=True)
class Told(Generic[T]):
    """What came of a question about Prometheus itself."""

    value: T | None  #: None when there was no answer
    report: SourceReport
    is_there: bool = True  #: somebody answered, be it to refuse
    is_barred: bool = False  #: whoever answered lets nobody in, at least not here


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """An alerting rule as Prometheus evaluates it."""

    name: str
    expression: str
    for_seconds: float
    labels: Mapping[str, str]

    def made(self, alert: Alert) -> bool:
        """Say whether an alert is one of this rule; a label with a template fits any value."""
        return alert.name == self.name and all(
            "{{" in value or alert.labels.get(name) == value for name, value in self.labels.items()
        )


class Metadata:
    """Asks a Prometheus about itself; what it answers is kept for a while."""

    def __init__(self, upstream: Upstream) -> None:
        """Ask there."""
        self._upstream = upstream

    def metrics(self, start: datetime, end: datetime, deadline: float) -> Told[frozenset[str]]:
        """Return the names of the metrics of these days."""
        return self._told(_METRICS, _days(start, end), deadline, _names)

    @staticmethod
    def unanswered(error: str) -> Told[Any]:
        """Return what becomes of a question about the metrics without an answer."""
        report = SourceReport(
            source=SOURCE,
            status=SourceStatus.FAILED,
            query=_METRICS,
            error=error,
            by_hand=_by_hand(_METRICS, {}),
        )
        return Told(value=None, report=report, is_there=False)

    def labels(
        self, metrics: Iterable[str], start: datetime, end: datetime, deadline: float
    ) -> Told[frozenset[str]]:
        """Return the names of the labels on any of these metrics; of none, on any series."""
        chosen = tuple(metrics)
        params = {**_days(start, end), **({"match[]": chosen} if chosen else {})}
        return self._told("/api/v1/labels", params, deadline, _names)

    def rules(self, deadline: float) -> Told[tuple[Rule, ...]]:
        """Return the alerting rules, in the order Prometheus lists them."""
        params = {"type": "alert", "exclude_alerts": "true"}
        return self._told("/api/v1/rules", params, deadline, _rules)

    def _told(
        self, path: str, params: Params, deadline: float, read: Callable[[Any], T]
    ) -> Told[T]:
        began = monotonic()
        value, size, error, is_there, barred, note = None, 0, "", True, False, ""
        try:
            reply = self._upstream.get(path, params, deadline, keep_seconds=KEEP_SECONDS)
            value, size = _read(reply.body, read), reply.size
            if is_partial(reply.body):
                value, note = None, PARTIAL  # what is not in it may exist all the same
        except SourceError as fault:
            error, is_there = str(fault), isinstance(fault, RefusedError)
            barred = is_barred(fault)
        report = SourceReport(
            source=SOURCE,
            status=SourceStatus.FAILED if error else SourceStatus.OK,
            query=f"{path}?match[]={','.join(params['match[]'])}" if "match[]" in params else path,
            duration_seconds=round(monotonic() - began, 3),
            error=error or note,
            size=size,
            truncated=bool(note),
            by_hand=_by_hand(path, params) if error else "",
        )
        return Told(value=value, report=report, is_there=is_there, is_barred=barred)


def _days(start: datetime, end: datetime) -> dict[str, str]:
    """Return whole days around a time, so that later questions are the same ones."""
    first = int(start.timestamp()) // _DAY_SECONDS * _DAY_SECONDS
    last = int((end + timedelta(days=1)).timestamp()) // _DAY_SECONDS * _DAY_SECONDS
    return {"start": str(first), "end": str(last)}


def _read(document: Any, read: Callable[[Any], T]) -> T:
    try:
        return read(document["data"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError("the answer does not have the expected form") from error


def _names(data: Any) -> frozenset[str]:
    if not isinstance(data, list):
        raise TypeError("not a list of names")
    return frozenset(map(str, data))


def _rules(data: Any) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            name=str(item["name"]),
            expression=str(item["query"]),
            for_seconds=float(item.get("duration") or 0.0),
            labels={str(key): str(value) for key, value in (item.get("labels") or {}).items()},
        )
        for group in data["groups"]
        for item in group["rules"]
        if item.get("type") == "alerting"
    )


def rules_of(alerts: Iterable[Alert], rules: Collection[Rule]) -> dict[str, Rule]:
    """Return the rule that made each alert, by fingerprint; the first that fits.

    An alert that rules with different expressions could have made is left out.
    """
    found = {}
    for alert in alerts:
        fitting = [rule for rule in rules if rule.made(alert)]
        if len({rule.expression for rule in fitting}) == 1:
            found[alert.fingerprint] = fitting[0]
    return found


def _by_hand(path: str, params: Params) -> str:
    pairs = (
        f"{name}={value}"
        for name, values in params.items()
        for value in ((values,) if isinstance(values, str) else values)
    )
    data = " ".join(f"--data-urlencode {word(pair)}" for pair in pairs)
    return f'curl -sG "$PROMETHEUS_URL{path}" {data}'
