"""`opssage send`."""

from collections.abc import Mapping
from typing import IO, Any

import click
import orjson
from rich.console import Console

from cli import progress, report
from cli.client import Client
from cli.exits import CommandError, Exit
from cli.options import Options, messages, pass_options, print_json, takes, waits
from opssage.incident import Status


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--wait", is_flag=True, help="Wait for the diagnosis and show it.")
@waits(120.0)
@takes("config", "data", "url", "token", "json")
@pass_options
@click.pass_context
def send(
    context: click.Context, options: Options, file: IO[bytes], *, wait: bool, timeout: float
) -> None:
    """Send FILE (- for stdin): an Alertmanager webhook body, or one plain alert.

    With --wait exits with 1 when an investigation failed, 10 when the evidence was not enough.
    """
    document = _read(file)
    with Client(*options.address()) as client:
        receipt = client.send(document)
        started = progress.known(*receipt["incidents"])
        over = {key: status for key, status in started.items() if status.is_terminal}
        _tell(receipt, over)
        if not wait:
            _print_receipt(receipt, client, as_json=options.json)
            return
        found = progress.follow(client, started, timeout, messages)
        if options.json:
            print_json(found)
        else:
            for incident in found:
                key = incident["incident_id"]
                console = Console(highlight=False)
                report.show(incident, client.page_of(key), console, earlier=key in over)
    context.exit(report.outcome(*found))


def _read(file: IO[bytes]) -> Mapping[str, Any]:
    try:
        document = orjson.loads(file.read())
    except orjson.JSONDecodeError as error:
        raise CommandError(f"{file.name} is not JSON: {error}", Exit.USAGE) from error
    if not isinstance(document, dict):
        raise CommandError(
            f"{file.name} is not an alert: expected an object with `alerts` (as Alertmanager "
            "posts it) or with `alert_name`",
            Exit.USAGE,
        )
    return document


def _tell(receipt: Mapping[str, Any], over: Mapping[str, Status]) -> None:
    for reject in receipt["rejected"]:
        messages.print(f"alert {reject['index']} rejected: {reject['reason']}", markup=False)
    if more := receipt["rejected_more"]:
        messages.print(f"and {more} more, which the server has not kept")
    if not receipt["incidents"]:
        if receipt["rejected"]:
            raise CommandError("no alert was taken")
        messages.print("taken, and no incident was opened")
    for key, status in over.items():
        how = "given up" if status is Status.FAILED else "diagnosed"
        anew = "runs it on" if status is Status.FAILED else "diagnoses it anew"
        messages.print(
            f"joined incident {key}, which was {how} before these alerts came; "
            f"`opssage retry {key}` {anew} at once",
            soft_wrap=True,
        )


def _print_receipt(receipt: Mapping[str, Any], client: Client, *, as_json: bool) -> None:
    if as_json:
        print_json(receipt)
        return
    for incident in receipt["incidents"]:
        address = client.page_of(incident["incident_id"])
        click.echo(f"{incident['incident_id']}\t{incident['status']}\t{address}")
