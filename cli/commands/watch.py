"""`opssage watch`."""

import click
from rich.console import Console

from cli import progress, report
from cli.client import Client
from cli.options import Options, messages, pass_options, print_json, takes


@click.command()
@click.argument("incident_id")
@click.option(
    "--timeout",
    default=600.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Seconds to wait before giving up with 7.",
)
@takes("config", "url", "token", "json")
@pass_options
@click.pass_context
def watch(context: click.Context, options: Options, incident_id: str, timeout: float) -> None:
    """Follow an incident until it is diagnosed, then show it."""
    with Client(*options.address()) as client:
        (incident,) = progress.follow(client, [incident_id], timeout, messages)
        if options.json:
            print_json(incident)
        else:
            report.show(incident, client.page_of(incident_id), Console(highlight=False))
    context.exit(report.outcome(incident))
