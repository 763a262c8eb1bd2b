"""`opssage watch`."""

import click

from cli import progress, report
from cli.client import Client
from cli.options import Options, messages, pass_options, print_json, takes, takes_incident, waits
from cli.output import Output


@click.command()
@takes_incident
@waits(600.0)
@takes("config", "data", "url", "token", "json")
@pass_options
@click.pass_context
def watch(context: click.Context, options: Options, incident_id: str, timeout: float) -> None:
    """Follow an incident until it is diagnosed, then show it."""
    with Client(*options.address()) as client:
        started = progress.known(client.incident(incident_id))
        (incident,) = progress.follow(client, started, timeout, messages)
        if options.json:
            print_json(incident)
        else:
            report.show(incident, client.page_of(incident_id), Output())
    context.exit(report.outcome(incident))
