"""The part of Alertmanager's API that reads alerts and silences, answered from a recording."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from flask import Blueprint, Response, request

from cli.replay.alerts import gettable
from cli.replay.logql import LogQueryError, parse
from cli.replay.series import Matcher, matches_all


class AlertmanagerApi:
    """The endpoints over one recording."""

    def __init__(self, document: Mapping[str, Any], now: int) -> None:
        """Answer as of `now`, in unix seconds."""
        self._alerts = gettable(document, now)

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        blueprint = Blueprint("alertmanager", __name__)
        for path, view in (
            ("/api/v2/alerts", self.alerts),
            ("/api/v2/silences", self.silences),
            ("/api/v2/status", self.status),
        ):
            blueprint.add_url_rule(path, path, view)
        return blueprint

    def alerts(self) -> Response:
        """Return the alerts that fire and match every `filter`."""
        try:
            matchers = [each for text in request.args.getlist("filter") for each in _matchers(text)]
        except LogQueryError as error:
            return _json(str(error), HTTPStatus.BAD_REQUEST)
        if request.args.get("active", "true") == "false":
            return _json([])
        return _json([each for each in self._alerts if matches_all(matchers, each["labels"])])

    def silences(self) -> Response:
        """Return that nothing is silenced."""
        return _json([])

    def status(self) -> Response:
        """Return the version whose forms are followed."""
        cluster = {"status": "ready", "peers": []}
        return _json({"cluster": cluster, "versionInfo": {"version": "0.28.1"}})


def _matchers(text: str) -> tuple[Matcher, ...]:
    """Read matchers such as `alertname="X"`, alone or in braces."""
    try:
        return parse(text if text.startswith("{") else f"{{{text}}}").matchers
    except LogQueryError as error:
        raise LogQueryError(f"bad matcher format: {text}") from error


def _json(document: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(orjson.dumps(document), status=status, mimetype="application/json")
