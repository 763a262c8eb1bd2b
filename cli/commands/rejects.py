"""`opssage rejects`."""

import json
from collections.abc import Iterator
from typing import IO, Any

import click
import orjson

from cli import listing, report
from cli.client import PAGE, Client, Reject
from cli.exits import CommandError, Exit
from cli.options import Options, messages, pass_options, print_json, takes
from cli.output import Output

_COLUMNS = ("reject_id", "last_seen_at", "sender", "deliveries", "reason", "incident_id")
_LABEL_WIDTH = 12

_reject_id = click.argument("reject_id", metavar="ID", type=click.IntRange(min=1))


@click.group(invoke_without_command=True)
@click.option("--sender", metavar="NAME", help="Only what this sender sent.")
@click.option("--taken", is_flag=True, help="Those that were taken after all, instead.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, PAGE))
@takes("config", "data", "url", "token", "json")
@pass_options
@click.pass_context
def rejects(
    context: click.Context, options: Options, *, sender: str | None, taken: bool, limit: int
) -> None:
    """List alerts that could not be taken, newest first.

    To take one after all: `opssage rejects show ID --raw > alert.json`, correct the file, and
    `opssage rejects ingest ID alert.json`.
    """
    if context.invoked_subcommand is not None:
        return
    with Client(*options.address()) as client:
        found, more = client.rejects(limit, taken=taken, sender=sender)
    if options.json:
        print_json(found)
    else:
        rows = ([reject[name] for name in _COLUMNS] for reject in found)
        listing.show(Output(), _COLUMNS, rows)
    if more:
        messages.print(f"there are older ones: --limit shows up to {PAGE}")


@rejects.command()
@_reject_id
@click.option("--raw", is_flag=True, help="Only what was sent, to be corrected.")
@takes("config", "data", "url", "token", "json")
@pass_options
def show(options: Options, reject_id: int, *, raw: bool) -> None:
    """Show a reject: what was sent, and why it could not be taken."""
    with Client(*options.address()) as client:
        reject = client.reject(reject_id)
    if raw:
        click.echo(_sent(reject))
    elif options.json:
        print_json(reject)
    else:
        for label, text in _lines(reject):
            click.echo(f"{label:<{_LABEL_WIDTH}}{report.printable(text)}")
        click.echo(_sent(reject))


def _lines(reject: Reject) -> Iterator[tuple[str, str]]:
    yield "Reject", str(reject["reject_id"])
    yield "Reason", reject["reason"]
    yield "Sender", reject["sender"]
    yield "Received", reject["received_at"]
    yield "Last seen", reject["last_seen_at"]
    yield "Deliveries", str(reject["deliveries"])
    if reject["envelope"]:
        yield "Group", reject["envelope"]["group_key"]
        yield "Receiver", reject["envelope"]["receiver"]
    if reject["incident_id"]:
        yield "Taken as", reject["incident_id"]


def _sent(reject: Reject) -> str:
    """Return what was sent; JSON laid out and in ASCII, so that it steers no terminal."""
    raw = reject["raw"]
    try:
        return json.dumps(json.loads(raw), indent=2)
    except ValueError:
        messages.print("this is no whole JSON: only its beginning may have been kept")
        return "\n".join(report.printable(line) for line in raw.splitlines())


@rejects.command()
@_reject_id
@click.argument("file", required=False, type=click.File("rb"))
@takes("config", "data", "url", "token", "json")
@pass_options
def ingest(options: Options, reject_id: int, file: IO[bytes] | None) -> None:
    """Take a reject after all: corrected, from FILE (- for stdin), or as it was sent.

    FILE holds one alert as Alertmanager spells it; a whole webhook when a body was unreadable.
    """
    document = _read(file) if file else None
    with Client(*options.address()) as client:
        receipt = client.ingest_reject(reject_id, document)
        if options.json:
            print_json(receipt)
            return
        for incident in receipt["incidents"]:
            address = client.page_of(incident["incident_id"])
            click.echo(f"{incident['incident_id']}\t{incident['status']}\t{address}")
    if not receipt["incidents"]:
        messages.print("taken, and no incident was opened")


def _read(file: IO[bytes]) -> Any:
    try:
        return orjson.loads(file.read())
    except orjson.JSONDecodeError as error:
        name = getattr(file, "name", "stdin")
        raise CommandError(f"{name} is not JSON: {error}", Exit.USAGE) from error


@rejects.command()
@_reject_id
@takes("config", "data", "url", "token", "json")
@pass_options
def delete(options: Options, reject_id: int) -> None:
    """Delete a reject."""
    with Client(*options.address()) as client:
        deleted = client.delete_reject(reject_id)
    if options.json:
        print_json(deleted)
    else:
        messages.print(f"reject {reject_id} is deleted")
