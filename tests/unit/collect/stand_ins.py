"""Stand-ins for what collect talks to, and builders that show only what matters."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx2

from opssage.fingerprint import fingerprint
from opssage.incident import Alert
from tasks.collect.source import Scope
from tasks.collect.targets import targets_of
from tasks.collect.upstream import Upstream
from tasks.collect.windows import calm_until, window_of

ONSET = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def make_alert(labels: Mapping[str, str] | None = None, **changes: Any) -> Alert:
    """An alert that has fired since `ONSET`."""
    known = {"alertname": "HighErrorRate", "severity": "critical"} if labels is None else labels
    values = {"starts_at": ONSET, "fingerprint": fingerprint(known), **changes}
    return Alert(labels=known, **values)


def make_scope(*alerts: Alert, settle_seconds: int = 600, **changes: Any) -> Scope:
    """A scope with half an hour of baseline and the `for` of its rules known."""
    window = window_of(
        alerts,
        active_since={},
        widest_range_seconds=0,
        baseline_seconds=1800,
        settle_seconds=settle_seconds,
        now=ONSET + timedelta(hours=1),
    )
    scope = Scope(
        alerts=alerts,
        targets=targets_of(alerts),
        window=window,
        baseline_start=window.start,
        calm_until=calm_until(window, baseline_seconds=1800, onset_is_known=True),
        now=ONSET + timedelta(hours=1),
        max_points=121,
        max_series=40,
    )
    return replace(scope, **changes)


def upstream_to(transport: httpx2.BaseTransport, **changes: Any) -> Upstream:
    """An upstream whose network is `transport`."""
    values = {"source": "source", "url": "http://there", "timeout_seconds": 5, **changes}
    return Upstream(client=httpx2.Client(transport=transport), **values)


Value = Callable[[float], float | None]  #: unix seconds → sample


def step_at(moment: datetime, before: float | None, after: float | None) -> Value:
    """A value that changes once."""
    return lambda at: after if at >= moment.timestamp() else before


@dataclass
class FakePrometheus:
    """Answers each query with the series of the first pattern that occurs in it."""

    answers: list[tuple[str, list[tuple[Mapping[str, str], Value]]]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    refuse: Callable[[str], httpx2.Response | None] = lambda _: None
    metrics: Mapping[str, Sequence[str]] | None = None
    """Which metrics exist, with their labels; None: nobody knows."""
    rules: Sequence[Mapping[str, Any]] | None = None
    about: list[str] = field(default_factory=list)  #: what was asked about itself

    def on(self, pattern: str, *series: tuple[Mapping[str, str], Value | float]) -> None:
        """Answer queries that contain `pattern`; a number is a series that never changes."""
        known = [(labels, v if callable(v) else _always(v)) for labels, v in series]
        self.answers.append((pattern, known))

    @property
    def queries(self) -> list[str]:
        """All queries asked, sorted."""
        return sorted(form["query"] for form in self.asked)

    @property
    def transport(self) -> httpx2.MockTransport:
        """To be passed to the source."""
        return httpx2.MockTransport(self._handle)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            return self._about_itself(request)
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.asked.append(form)
        self.paths.append(request.url.path)
        if (refusal := self.refuse(form["query"])) is not None:
            return refusal
        series = next((found for word, found in self.answers if word in form["query"]), [])
        return httpx2.Response(200, json={"status": "success", "data": _data(form, series)})

    def _about_itself(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        self.about.append(path)
        data: Any = None
        if path == "/api/v1/label/__name__/values" and self.metrics is not None:
            data = sorted(self.metrics)
        if path == "/api/v1/labels" and self.metrics is not None:
            asked = request.url.params.get_list("match[]") or self.metrics
            data = sorted({label for metric in asked for label in self.metrics.get(metric, ())})
        if path == "/api/v1/rules" and self.rules is not None:
            data = {"groups": [{"rules": list(self.rules)}]}
        if data is None:
            return httpx2.Response(404, text="404 page not found")
        return httpx2.Response(200, json={"status": "success", "data": data})


def _always(value: float) -> Value:
    return lambda _: value


def _data(form: Mapping[str, str], series: Sequence[tuple[Mapping[str, str], Value]]) -> Any:
    if "time" in form:
        at = float(form["time"])
        result = [
            {"metric": dict(labels), "value": [at, str(value(at))]} for labels, value in series
        ]
        return {"resultType": "vector", "result": result}
    start, end, step = (float(form[key]) for key in ("start", "end", "step"))
    times = [start + index * step for index in range(int((end - start) // step) + 1)]
    result = [
        {
            "metric": dict(labels),
            "values": [[at, str(sample)] for at in times if (sample := value(at)) is not None],
        }
        for labels, value in series
    ]
    return {"resultType": "matrix", "result": [item for item in result if item["values"]]}


@dataclass
class FakeLoki:
    """Answers label and log queries; each stream holds (time, line) pairs. Counts all lines."""

    labels: Sequence[str] = ("namespace", "pod", "container", "app")
    streams: list[tuple[Mapping[str, str], list[tuple[datetime, str]]]] = field(
        default_factory=list
    )
    asked: list[dict[str, str]] = field(default_factory=list)
    counted: list[dict[str, str]] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)
    headers: list[httpx2.Headers] = field(default_factory=list)
    refuse: Callable[[httpx2.Request], httpx2.Response | None] = lambda _: None

    def on(self, labels: Mapping[str, str], *lines: tuple[datetime, str]) -> None:
        """Keep lines of a stream."""
        self.streams.append((labels, list(lines)))

    @property
    def transport(self) -> httpx2.MockTransport:
        """To be passed to the source."""
        return httpx2.MockTransport(self._handle)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.headers.append(request.headers)
        if (refusal := self.refuse(request)) is not None:
            return refusal
        if request.url.path.endswith("/labels"):
            return httpx2.Response(200, json={"status": "success", "data": list(self.labels)})
        params = dict(request.url.params)
        if request.url.path.endswith("/values"):
            self.looked_up.append(request.url.path)
            label = request.url.path.split("/")[-2]
            values = {labels[label] for labels, _ in self.streams if label in labels}
            return httpx2.Response(200, json={"status": "success", "data": sorted(values)})
        if request.url.path.endswith("/query"):
            self.counted.append(params)
            count = sum(len(lines) for _, lines in self.streams)
            vector = [{"metric": {}, "value": [0, str(count)]}]
            body = {"status": "success", "data": {"resultType": "vector", "result": vector}}
            return httpx2.Response(200, json=body)
        self.asked.append(params)
        start, end, limit = (int(params[key]) for key in ("start", "end", "limit"))
        newest = sorted(
            (
                (nanoseconds(at), text, labels)
                for labels, lines in self.streams
                for at, text in lines
            ),
            key=lambda item: -item[0],
        )
        kept = [item for item in newest if start <= item[0] < end][:limit]
        result = [
            {"stream": dict(labels), "values": [[str(at), text]]} for at, text, labels in kept
        ]
        body = {"status": "success", "data": {"resultType": "streams", "result": result}}
        return httpx2.Response(200, content=json.dumps(body))


def nanoseconds(moment: datetime) -> int:
    """Loki's way to tell the time."""
    return round(moment.timestamp()) * 10**9
