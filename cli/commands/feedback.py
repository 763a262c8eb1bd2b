"""`opssage feedback`."""

import click

from cli.client import Client
from cli.options import Options, messages, pass_options, print_json, takes, takes_incident
from store import Judgement


@click.command()
@takes_incident
@click.argument("verdict", type=click.Choice([each.value for each in Judgement]))
@click.option("--root-cause", metavar="TEXT", help="What it really was.")
@click.option("--cause", metavar="NAME", help="The same, as the catalogue of causes names it.")
@click.option("--comment", metavar="TEXT", help="Anything else.")
@takes("config", "data", "url", "token", "json")
@pass_options
def feedback(options: Options, /, incident_id: str, verdict: str, **said: str | None) -> None:
    """Say whether an incident's present diagnosis is right.

    Judgements of a known cause move later diagnoses of the same component a little.
    """
    with Client(*options.address()) as client:
        told = {name: text for name, text in said.items() if text}
        kept = client.judge(incident_id, {"verdict": verdict, **told})
    if options.json:
        print_json(kept)
    else:
        messages.print(f"the diagnosis of incident {incident_id} is {verdict}", soft_wrap=True)
