"""Follows incidents on stderr while their stages finish."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from cli import report
from cli.client import Client, Incident
from opssage.incident import Status

_STEPS = {
    Status.PENDING: "accepted",
    Status.CONTEXT_COLLECTED: "evidence collected",
    Status.CONTEXT_ENRICHED: "knowledge added",
    Status.COMPLETED: "diagnosed",
}
_STATUSES = tuple(_STEPS)


def known(*answers: Mapping[str, Any]) -> dict[str, Status]:
    """Return the statuses of incidents by their ids, as the API told them."""
    return {answer["incident_id"]: Status(answer["status"]) for answer in answers}


def follow(
    client: Client, started: Mapping[str, Status], seconds: float, console: Console
) -> list[Incident]:
    """Wait until all incidents are diagnosed or given up, with a line for every step.

    `started` tells how far each had come when the watch began: what was over then is not told.
    Raises CommandError as `Client.follow` does.
    """
    told = {
        key: len(_STATUSES) if status.is_terminal else _STATUSES.index(status)
        for key, status in started.items()
    }

    def changed(incident: Incident) -> None:
        key = incident["incident_id"]
        words, told[key] = _news(Status(incident["status"]), told[key])
        for word in words:
            line = Text.assemble((f"{word:<20}", "cyan"), report.title(incident))
            console.print(line, soft_wrap=True)

    with console.status("waiting for the diagnosis"):
        return client.follow(started, seconds, changed)


def _news(status: Status, told: int) -> tuple[list[str], int]:
    """Return the words for what happened since `told` steps were told, and how many now are.

    A quick stage is over before the next look at it; its step is told all the same. An incident
    that somebody restarts goes back by several steps.
    """
    if status is Status.FAILED:
        return ["failed"] if told < len(_STATUSES) else [], len(_STATUSES)
    reached = _STATUSES.index(status) + 1
    start = told if told <= reached else reached - 1
    return [_STEPS[step] for step in _STATUSES[start:reached]], reached
