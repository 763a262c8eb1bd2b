"""What `opssage send` posts: what a file holds, and the door it goes to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Any

from cli.exits import CommandError, Exit

_GRAFANA_VERSION = "1"  # Alertmanager's is "4"
_RECORDING = {"path", "headers", "body"}


class Form(StrEnum):
    """The forms in which alerts come; each has a door of its own."""

    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"
    V2 = "v2"
    PLAIN = "plain"

    @property
    def path(self) -> str:
        """Where OpsSage takes it."""
        return _PATHS[self]

    @property
    def gets_receipt(self) -> bool:
        """Whether its door tells what became of the alerts: Alertmanager's own API does not."""
        return self is not Form.V2


_PATHS = {
    Form.ALERTMANAGER: "/api/v1/webhooks/alertmanager",
    Form.GRAFANA: "/api/v1/webhooks/grafana",
    Form.V2: "/api/v2/alerts",
    Form.PLAIN: "/api/v1/alerts",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """A request to make."""

    name: str  #: of the file it comes from
    form: Form
    body: bytes  #: what is sent, byte by byte
    document: Any  #: the same, read

    @property
    def only_ends(self) -> bool:
        """Whether it tells of no alert that fires."""
        found = self.document if isinstance(self.document, dict) else {}
        alerts = found.get("alerts", [found])
        if not isinstance(alerts, list) or not alerts:
            return False
        return all(isinstance(each, dict) and each.get("status") == "resolved" for each in alerts)


def read(file: IO[bytes], form: Form | None = None) -> Post:
    """Return what a file holds: a body as it is sent, or the recording of a request.

    Of a recording the body counts alone: its headers may hold somebody's token. Without `form` the
    shape tells it. Raises CommandError for what is no alert in any form.
    """
    body, name = file.read(), str(getattr(file, "name", "stdin"))
    document = _parsed(body, name)
    if isinstance(document, dict) and document.keys() >= _RECORDING:
        recorded = document["body"]
        body = recorded.encode() if isinstance(recorded, str) else json.dumps(recorded).encode()
        document = _parsed(body, name)
    return Post(name=name, form=form or _form_of(document, name), body=body, document=document)


def _parsed(body: bytes, name: str) -> Any:
    try:
        # as lenient as Python is: the server says what is wrong with it
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{name} is not JSON: {error}", Exit.USAGE) from error


def _form_of(document: Any, name: str) -> Form:
    if isinstance(document, list):
        return Form.V2
    if not isinstance(document, dict):
        raise CommandError(
            f"{name} is not an alert: expected an object with `alerts` (as Alertmanager or Grafana "
            "posts it) or with `alert_name`, or a list of alerts (as Prometheus posts it)",
            Exit.USAGE,
        )
    if "alerts" not in document:
        return Form.PLAIN
    return Form.GRAFANA if _is_grafanas(document) else Form.ALERTMANAGER


def _is_grafanas(document: Mapping[str, Any]) -> bool:
    return document.get("version") == _GRAFANA_VERSION or "orgId" in document
