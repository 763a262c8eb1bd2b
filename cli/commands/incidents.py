"""`opssage incidents`."""

from datetime import UTC, datetime

import click
from rich.console import Console
from rich.text import Text

from cli import report
from cli.client import Client, Incident
from cli.options import Options, messages, pass_options, print_json, takes
from opssage.incident import Status
from opssage.wire import parse_time

_COLUMNS = (
    "incident_id",
    "status",
    "severity",
    "alert_name",
    "namespace",
    "service",
    "created_at",
    "confidence_score",
    "root_cause",
    "resolved_at",
)
_MOST = 200  # that the API gives at once
_AGES = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_AGE_WIDTH = 6


@click.command()
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([status.value for status in Status]),
    help="Only incidents of this status; repeat for any of several.",
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, _MOST))
@takes("config", "data", "url", "token", "json")
@pass_options
def incidents(options: Options, statuses: tuple[str, ...], limit: int) -> None:
    """List incidents, newest first: for people, or tab-separated lines when piped."""
    with Client(*options.address()) as client:
        found, more = client.incidents(statuses, limit)
    console = Console(highlight=False)
    if options.json:
        print_json(found)
    elif console.is_terminal:
        now = datetime.now(UTC)
        for incident in found:
            show(incident, now, console)
    else:
        for incident in found:
            click.echo("\t".join(_row(incident)))
    if more:
        messages.print(
            f"there are older ones: --limit shows up to {_MOST}, --status narrows the list"
        )


def show(incident: Incident, now: datetime, console: Console) -> None:
    """Print an incident on up to three lines, each cut at the width of the console."""
    words = [incident["status"].replace("_", " ")]
    if incident.get("resolved_at"):
        words.append("resolved")
    if incident.get("confidence_score") is not None:
        words.append(f"confidence {incident['confidence_score']:.2f}")
    found = incident.get("root_cause") or ""
    if incident["status"] == Status.FAILED and incident.get("last_error"):
        found = report.fault(incident["last_error"])
    age = (now - parse_time(incident["created_at"])).total_seconds()
    console.print(
        Text.assemble(f"{_age(age):<{_AGE_WIDTH}}", report.title(incident)),
        no_wrap=True,
        overflow="ellipsis",
    )
    for line, style in ((f"{incident['incident_id']}  {'  '.join(words)}", "dim"), (found, "")):
        if line:
            text = Text(" " * _AGE_WIDTH + report.printable(line), style)
            console.print(text, no_wrap=True, overflow="ellipsis")


def _age(seconds: float) -> str:
    size, unit = next(((size, unit) for size, unit in _AGES if seconds >= size), _AGES[-1])
    return f"{max(int(seconds // size), 0)}{unit}"


def _row(incident: Incident) -> list[str]:
    cells = ("" if incident.get(name) is None else incident[name] for name in _COLUMNS)
    return [
        report.printable(f"{cell:.2f}" if isinstance(cell, float) else str(cell)) for cell in cells
    ]
