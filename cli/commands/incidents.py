"""`opssage incidents`."""

from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from cli.client import Client
from cli.options import Options, pass_options, print_json, takes
from cli.report import printable
from opssage.incident import Status

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
)
_WHOLE = {"incident_id", "status", "created_at"}  # columns that are useless when cut


@click.command()
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([status.value for status in Status]),
    help="Only incidents of this status; repeat for any of several.",
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 200))
@takes("config", "url", "token", "json")
@pass_options
def incidents(options: Options, statuses: tuple[str, ...], limit: int) -> None:
    """List incidents, newest first: a table, or tab-separated lines when piped."""
    with Client(*options.address()) as client:
        found = client.incidents(statuses, limit)
    if options.json:
        print_json(found)
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        for incident in found:
            click.echo("\t".join(_row(incident)))
        return
    table = Table(box=None)
    for column in _COLUMNS:
        table.add_column(column.removesuffix("_score"), no_wrap=column in _WHOLE)
    for incident in found:
        table.add_row(*_row(incident))
    console.print(table)


def _row(incident: Mapping[str, Any]) -> list[str]:
    cells = ("" if incident.get(name) is None else incident[name] for name in _COLUMNS)
    return [printable(f"{cell:.2f}" if isinstance(cell, float) else str(cell)) for cell in cells]
