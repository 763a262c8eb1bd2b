"""`opssage show`."""

import click

from cli import report
from cli.client import Client
from cli.options import Options, pass_options, print_json, takes, takes_incident
from cli.output import Output


@click.command()
@takes_incident
@takes("config", "data", "url", "token", "json")
@pass_options
@click.pass_context
def show(context: click.Context, options: Options, incident_id: str) -> None:
    """Show an incident and its diagnosis.

    Exits with 1 when the investigation failed, 10 when the evidence was not enough.
    """
    with Client(*options.address()) as client:
        incident = client.incident(incident_id)
        if options.json:
            print_json(incident)
        else:
            alerts, more = client.alerts_of(incident_id)
            counted = report.counted(alerts, more=more)
            report.show(incident, client.page_of(incident_id), Output(), alerts=counted)
    context.exit(report.outcome(incident))
