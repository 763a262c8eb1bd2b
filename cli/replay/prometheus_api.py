"""The part of Prometheus' HTTP API that reads series, answered from a capture.

Answers and errors have the form of Prometheus 2; a query outside the family is a 422 that names
what is not supported.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import numpy as np
import orjson
import promql_parser
from flask import Blueprint, Response, request

from cli.replay.promql import EvaluationError, evaluate
from cli.replay.promql.vectors import Value
from cli.replay.recording import Capture
from cli.replay.series import Matcher, Series, matches_all, selector_matchers
from opssage.errors import OpsSageError, UnsupportedQueryError
from opssage.wire import parse_time

_MOST_POINTS = 11_000
_EARLIEST_MS, _LATEST_MS = -(1 << 62), 1 << 62


_NO_RANGE_OF: Mapping[type, str] = {
    promql_parser.StringLiteral: "string",
    promql_parser.MatrixSelector: "range vector",
    promql_parser.SubqueryExpr: "range vector",
}
_WANTED = "must be Scalar or instant Vector"


class RequestError(OpsSageError):
    """A parameter of the request is wrong."""


def _wrong(parameter: str, reason: object) -> RequestError:
    return RequestError(f'invalid parameter "{parameter}": {reason}')


def _milliseconds(parameter: str, default: int | None = None) -> int:
    """Read a time: unix seconds or RFC 3339."""
    text = request.values.get(parameter, "")
    if not text and default is not None:
        return default
    try:
        return round(float(text) * 1000)
    except (ValueError, OverflowError):
        pass
    try:
        return round(parse_time(text).timestamp() * 1000)
    except ValueError:
        raise _wrong(parameter, f'cannot parse "{text}" to a valid timestamp') from None


def _duration_ms(parameter: str) -> int:
    """Read a duration: seconds, or Prometheus' form such as `1m30s`."""
    text = request.values.get(parameter, "")
    try:
        return round(float(text) * 1000)
    except (ValueError, OverflowError):
        pass
    try:
        return promql_parser.parse_duration(text) // timedelta(milliseconds=1)
    except ValueError:
        raise _wrong(parameter, f'cannot parse "{text}" to a valid duration') from None


def _parsed(parameter: str, text: str) -> promql_parser.Expr:
    try:
        return promql_parser.parse(text)
    except ValueError as error:
        raise _wrong(parameter, f"parse error: {error}") from error


def _selector(text: str) -> tuple[Matcher, ...]:
    parsed = _parsed("match[]", text)
    if not isinstance(parsed, promql_parser.VectorSelector):
        raise _wrong("match[]", "parse error: expected a series selector")
    return selector_matchers(parsed)


def _seconds(milliseconds: int) -> float:
    whole, rest = divmod(int(milliseconds), 1000)
    return whole if rest == 0 else milliseconds / 1000


def _number(value: float) -> str:
    """Write a sample as Go does: shortest form that reads back, never an exponent."""
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(np.format_float_positional(value, trim="-"))


def _success(data: object) -> Response:
    body = orjson.dumps({"status": "success", "data": data})
    return Response(body, mimetype="application/json")


def _failure(status: HTTPStatus, error_type: str, message: object) -> Response:
    body = {"status": "error", "errorType": error_type, "error": str(message)}
    return Response(orjson.dumps(body), status=status, mimetype="application/json")


def _bad_data(error: RequestError) -> Response:
    return _failure(HTTPStatus.BAD_REQUEST, "bad_data", error)


def _not_executable(error: OpsSageError) -> Response:
    return _failure(HTTPStatus.UNPROCESSABLE_ENTITY, "execution", error)


class PrometheusApi:
    """The endpoints over one capture."""

    def __init__(self, capture: Capture) -> None:
        """Answer from the capture; its moment is `now`."""
        self._capture = capture

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        blueprint = Blueprint("prometheus", __name__)
        both: Mapping[str, Callable[..., Response]] = {
            "/api/v1/query": self.query,
            "/api/v1/query_range": self.query_range,
            "/api/v1/labels": self.labels,
            "/api/v1/series": self.series,
        }
        read: Mapping[str, Callable[..., Response]] = {
            "/api/v1/label/<name>/values": self.label_values,
            "/api/v1/rules": self.rules,
            "/api/v1/status/buildinfo": self.buildinfo,
            "/-/ready": self.ready,
            "/-/healthy": self.ready,
        }
        for path, view in both.items():
            blueprint.add_url_rule(path, view.__name__, view, methods=["GET", "POST"])
        for path, view in read.items():
            blueprint.add_url_rule(path, path, view)
        blueprint.register_error_handler(RequestError, _bad_data)
        blueprint.register_error_handler(UnsupportedQueryError, _not_executable)
        blueprint.register_error_handler(EvaluationError, _not_executable)
        return blueprint

    def query(self) -> Response:
        """Evaluate at one time."""
        moment = _milliseconds("time", self._capture.now * 1000)
        self._check_timeout()
        query = _parsed("query", request.values.get("query", ""))
        value = self._evaluate(query, moment, moment, 1)
        if isinstance(value, str):
            return _success({"resultType": "string", "result": [_seconds(moment), value]})
        if isinstance(value, list):
            rows = [
                {
                    "metric": dict(column.labels),
                    "value": [_seconds(moment), _number(column.values[0])],
                }
                for column in value
                if column.present[0]
            ]
            return _success({"resultType": "vector", "result": rows})
        point = [_seconds(moment), _number(value[0])]
        return _success({"resultType": "scalar", "result": point})

    def query_range(self) -> Response:
        """Evaluate at regular steps."""
        start, end = _milliseconds("start"), _milliseconds("end")
        if end < start:
            raise _wrong("end", "end timestamp must not be before start time")
        step = _duration_ms("step")
        if step <= 0:
            raise _wrong(
                "step",
                "zero or negative query resolution step widths are not accepted. "
                "Try a positive integer",
            )
        if (end - start) // step > _MOST_POINTS:
            raise RequestError(
                "exceeded maximum resolution of 11,000 points per timeseries. "
                "Try decreasing the query resolution (?step=XX)"
            )
        self._check_timeout()
        query = _parsed("query", request.values.get("query", ""))
        if kind := _NO_RANGE_OF.get(type(query)):
            raise _wrong("query", f'invalid expression type "{kind}" for range query, {_WANTED}')
        value = self._evaluate(query, start, end, step)
        rows = list(_rows(value, range(start, end + 1, step)))
        return _success({"resultType": "matrix", "result": rows})

    def _evaluate(self, query: promql_parser.Expr, start: int, end: int, step: int) -> Value:
        return evaluate(query, self._capture.series, start_ms=start, end_ms=end, step_ms=step)

    def _check_timeout(self) -> None:
        if request.values.get("timeout"):
            _duration_ms("timeout")

    def labels(self) -> Response:
        """Return the names of labels."""
        return _success(sorted({name for series in self._found() for name in series.labels}))

    def label_values(self, name: str) -> Response:
        """Return the values of a label."""
        found = {series.labels[name] for series in self._found() if name in series.labels}
        return _success(sorted(found))

    def series(self) -> Response:
        """Return the label sets that match."""
        if not request.values.getlist("match[]"):
            raise RequestError("no match[] parameter provided")
        return _success([series.labels for series in self._found()])

    def _found(self) -> Iterator[Series]:
        """Return the series with samples in the request's time that any `match[]` selects."""
        start, end = _milliseconds("start", _EARLIEST_MS), _milliseconds("end", _LATEST_MS)
        choices = [_selector(text) for text in request.values.getlist("match[]")] or [()]
        for series in self._capture.series:
            in_time = series.times[0] <= end and series.times[-1] >= start
            if in_time and any(matches_all(matchers, series.labels) for matchers in choices):
                yield series

    def rules(self) -> Response:
        """Return the alerting rules."""
        return _success({"groups": self._capture.rule_groups})

    def buildinfo(self) -> Response:
        """Return the version of Prometheus whose semantics are followed."""
        return _success(
            {
                "version": "2.42.0",
                "revision": "opssage-replay",
                "branch": "",
                "buildUser": "",
                "buildDate": "",
                "goVersion": "",
            }
        )

    def ready(self) -> Response:
        """Answer that queries can be asked."""
        return Response("Prometheus Server is Ready.\n", mimetype="text/plain")


def _rows(value: Value, steps: range) -> Iterator[dict[str, Any]]:
    """Return a range query's result, ordered by labels."""
    times = [_seconds(step) for step in steps]
    if not isinstance(value, list):
        points = [[time, _number(number)] for time, number in zip(times, value, strict=True)]
        yield {"metric": {}, "values": points}
        return
    for column in sorted(value, key=lambda column: column.labels):
        indices = np.flatnonzero(column.present)
        if len(indices):
            points = [[times[index], _number(column.values[index])] for index in indices]
            yield {"metric": dict(column.labels), "values": points}
