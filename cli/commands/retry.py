"""`opssage retry`."""

import click

from cli import progress, report
from cli.client import Client
from cli.options import Options, messages, pass_options, print_json, takes, takes_incident, waits
from cli.output import Output


@click.command()
@takes_incident
@click.option("--wait", is_flag=True, help="Wait for the diagnosis and show it.")
@waits(120.0)
@takes("config", "data", "url", "token", "json")
@pass_options
@click.pass_context
def retry(
    context: click.Context, options: Options, incident_id: str, *, wait: bool, timeout: float
) -> None:
    """Diagnose a completed incident anew, or run a failed one on.

    Exits with 1 while it is still being worked on; with --wait as `opssage show` does.
    """
    with Client(*options.address()) as client:
        incident = client.retry(incident_id)
        address = client.page_of(incident_id)
        if wait:
            started = progress.known(incident)
            (incident,) = progress.follow(client, started, timeout, messages)
        if options.json:
            print_json(incident)
        elif wait:
            report.show(incident, address, Output())
        else:
            click.echo(f"{incident_id}\t{incident['status']}\t{address}")
    context.exit(report.outcome(incident))
