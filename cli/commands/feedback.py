"""`opssage feedback`."""

import click

from cli.client import Client
from cli.options import Options, messages, pass_options, print_json, takes, takes_incident
from store import Judgement


@click.command()
@takes_incident
@click.argument("verdict", type=click.Choice([each.value for each in Judgement]))
@click.option("--root-cause", metavar="TEXT", help="What it really was.")
@click.option("--comment", metavar="TEXT", help="Anything else.")
@takes("config", "data", "url", "token", "json")
@pass_options
def feedback(
    options: Options, incident_id: str, verdict: str, root_cause: str | None, comment: str | None
) -> None:
    """Say whether an incident's present diagnosis is right."""
    said = {"verdict": verdict, "root_cause": root_cause, "comment": comment}
    with Client(*options.address()) as client:
        kept = client.judge(incident_id, {name: text for name, text in said.items() if text})
    if options.json:
        print_json(kept)
    else:
        messages.print(f"the diagnosis of incident {incident_id} is {verdict}", soft_wrap=True)
