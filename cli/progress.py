"""Follows incidents on stderr while their stages finish."""

from collections.abc import Iterable

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


def follow(
    client: Client, incident_ids: Iterable[str], seconds: float, console: Console
) -> list[Incident]:
    """Wait until all incidents are diagnosed or given up, with a line for every step.

    Raises CommandError as `Client.follow` does.
    """
    told: dict[str, int] = {}

    def changed(incident: Incident) -> None:
        key = incident["incident_id"]
        words, told[key] = _news(Status(incident["status"]), told.get(key, 0))
        for word in words:
            line = Text.assemble((f"{word:<20}", "cyan"), report.title(incident))
            console.print(line, soft_wrap=True)

    with console.status("waiting for the diagnosis"):
        return client.follow(incident_ids, seconds, changed)


def _news(status: Status, told: int) -> tuple[list[str], int]:
    """Return the words for what happened since `told` steps were told, and how many now are.

    A quick stage is over before the next look at it; its step is told all the same.
    """
    if status is Status.FAILED:
        return ["failed"], told
    reached = _STATUSES.index(status) + 1
    return [_STEPS[step] for step in _STATUSES[min(told, reached - 1) : reached]], reached
