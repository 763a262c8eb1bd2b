"""`opssage export`."""

import sys
from pathlib import Path

import click

from cli import bundles
from cli.client import Client
from cli.options import Options, pass_options, print_json, takes, takes_incident


@click.command()
@takes_incident
@click.option(
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="The file to write (default: opssage-ID.json.gz; - is standard output).",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@takes("config", "data", "url", "token", "json")
@pass_options
def export(options: Options, incident_id: str, output: str | None, *, force: bool) -> None:
    """Write an incident to a file with all that its sources were asked and answered.

    `opssage replay` diagnoses it again from that file, on any machine. What looks like a secret is
    masked in it; names of services, pods and hosts are not.
    """
    path = Path(output or f"opssage-{incident_id}.json.gz")
    is_file = output != bundles.STANDARD
    if is_file:
        bundles.check_free(path, force=force)
    with Client(*options.address()) as client:
        content = client.bundle(incident_id)
    if not is_file:
        sys.stdout.buffer.write(content)
        return
    bundles.save(content, path)
    if options.json:
        print_json({"path": str(path), "bytes": len(content)})
    else:
        click.echo(path)
