"""The part of Loki's HTTP API that reads lines, answered from a capture."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import islice
from typing import Any

import orjson
from flask import Blueprint, Response, request

from cli.replay.logql import LogQuery, LogQueryError, parse, parse_count
from cli.replay.logs import Stream
from cli.replay.recording import Capture
from opssage.wire import parse_time

_SECOND = 1_000_000_000
_DEFAULT_RANGE = 3600 * _SECOND
_DEFAULT_LIMIT, _MOST_LINES = 100, 5000
_SECONDS_DIGITS = 10  # a whole number of at most ten digits is seconds, a longer one nanoseconds
_FLAGS_HEADER, _CATEGORIZE = "X-Loki-Response-Encoding-Flags", "categorize-labels"


def _nanoseconds(parameter: str, default: int) -> int:
    """Read a time: nanoseconds, seconds or RFC 3339."""
    text = request.values.get(parameter, "")
    if not text:
        return default
    try:
        if "." in text:
            return int(float(text) * _SECOND)
        return int(text) * (_SECOND if len(text) <= _SECONDS_DIGITS else 1)
    except ValueError:
        pass
    try:
        return int(parse_time(text).timestamp() * _SECOND)
    except ValueError:
        raise LogQueryError(f"could not parse '{parameter}' parameter: {text!r}") from None


def _limit() -> int:
    text = request.values.get("limit") or str(_DEFAULT_LIMIT)
    if not text.isdecimal() or int(text) == 0:
        raise LogQueryError("limit must be a positive value")
    if int(text) > _MOST_LINES:
        raise LogQueryError(
            "max entries limit per query exceeded, limit > max_entries_limit_per_query "
            f"({text} > {_MOST_LINES})"
        )
    return int(text)


def _newest_first() -> bool:
    direction = (request.values.get("direction") or "backward").lower()
    if direction not in {"backward", "forward"}:
        raise LogQueryError(f"invalid direction {direction!r}")
    return direction == "backward"


def _success(data: object) -> Response:
    body = orjson.dumps({"status": "success", "data": data})
    return Response(body, mimetype="application/json")


def _refused(error: LogQueryError) -> Response:
    return Response(f"{error}\n", status=HTTPStatus.BAD_REQUEST, mimetype="text/plain")


class LokiApi:
    """The endpoints over one capture."""

    def __init__(self, capture: Capture) -> None:
        """Answer from the capture; its moment is `now`."""
        self._capture = capture

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        blueprint = Blueprint("loki", __name__)
        for path, view in (
            ("/loki/api/v1/query_range", self.query_range),
            ("/loki/api/v1/query", self.query),
            ("/loki/api/v1/labels", self.labels),
            ("/loki/api/v1/label/<name>/values", self.label_values),
            ("/ready", self.ready),
        ):
            blueprint.add_url_rule(path, path, view, methods=["GET", "POST"])
        blueprint.register_error_handler(LogQueryError, _refused)
        return blueprint

    def query_range(self) -> Response:
        """Return lines from `start` on and before `end`, at most `limit`."""
        query = parse(request.values.get("query", ""))
        start, end = self._span()
        limit, newest_first = _limit(), _newest_first()
        if end < start:
            raise LogQueryError("end timestamp must not be before or equal to start time")
        lines = sorted(self._lines(query, start, end), reverse=newest_first)
        categorize = _CATEGORIZE in request.headers.get(_FLAGS_HEADER, "")
        found: dict[int, list[list[Any]]] = {}
        for moment, line, index in islice(lines, limit):
            extra: list[Any] = [{}] if categorize else []
            found.setdefault(index, []).append([str(moment), line, *extra])
        data: dict[str, Any] = {
            "resultType": "streams",
            "result": [
                {"stream": self._capture.streams[index].labels, "values": values}
                for index, values in sorted(found.items())
            ],
            "stats": {},
        }
        return _success(data | ({"encodingFlags": [_CATEGORIZE]} if categorize else {}))

    def _lines(self, query: LogQuery, start: int, end: int) -> Iterator[tuple[int, str, int]]:
        for index, stream in enumerate(self._capture.streams):
            if query.selects(stream.labels):
                for moment, line in stream.lines:
                    if start <= moment < end and query.keeps(line):
                        yield moment, line, index

    def query(self) -> Response:
        """Return how many lines there are in a time; refuse lines, which are not an instant."""
        counting = parse_count(request.values.get("query", ""))
        if counting:
            wanted, seconds = counting
            end = _nanoseconds("time", self._capture.now * _SECOND)
            # A range leaves its start out and takes its end in.
            start = end - seconds * _SECOND
            count = sum(1 for _ in self._lines(wanted, start + 1, end + 1))
            value = [end / _SECOND, str(count)]
            result = [{"metric": {}, "value": value}] if count else []
            return _success({"resultType": "vector", "result": result, "stats": {}})
        raise LogQueryError(
            "log queries are not supported as an instant query type, please change your query "
            "to a range query type"
        )

    def labels(self) -> Response:
        """Return the names of labels."""
        return _success(sorted({name for labels in self._label_sets() for name in labels}))

    def label_values(self, name: str) -> Response:
        """Return the values of a label."""
        found = {labels[name] for labels in self._label_sets() if name in labels}
        return _success(sorted(found))

    def _label_sets(self) -> Iterator[Mapping[str, str]]:
        """Return the labels of streams with lines in the request's time that `query` selects."""
        start, end = self._span()
        text = request.values.get("query", "")
        query = parse(text) if text else None
        for stream in self._capture.streams:
            if _overlaps(stream, start, end) and (query is None or query.selects(stream.labels)):
                yield stream.labels

    def _span(self) -> tuple[int, int]:
        end = _nanoseconds("end", self._capture.now * _SECOND)
        return _nanoseconds("start", end - _DEFAULT_RANGE), end

    def ready(self) -> Response:
        """Answer that queries can be asked."""
        return Response("ready\n", mimetype="text/plain")


def _overlaps(stream: Stream, start: int, end: int) -> bool:
    return bool(stream.lines) and stream.lines[0][0] < end and stream.lines[-1][0] >= start
