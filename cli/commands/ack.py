"""`opssage ack`."""

import click

from cli import report
from cli.client import Client
from cli.options import Options, messages, pass_options, print_json, takes, takes_incident


@click.command()
@takes_incident
@click.option("--note", metavar="TEXT", help="What others should know; it is kept in the timeline.")
@click.option("--undo", is_flag=True, help="Take it back.")
@takes("config", "data", "url", "token", "json")
@pass_options
def ack(options: Options, incident_id: str, note: str | None, *, undo: bool) -> None:
    """Say that you look after an incident.

    Whoever says so first stays, until it is taken back.
    """
    if undo and note:
        raise click.UsageError("--note goes with an acknowledgement: leave it or --undo out")
    with Client(*options.address()) as client:
        incident = client.take_back_ack(incident_id) if undo else client.ack(incident_id, note)
    if options.json:
        print_json(incident)
    elif incident.get("acked_at"):
        messages.print(
            f"incident {incident_id} is looked after by {report.printable(incident['acked_by'])}",
            soft_wrap=True,
            markup=False,
        )
    else:
        messages.print(f"nobody looks after incident {incident_id}", soft_wrap=True, markup=False)
