"""`opssage alerts`."""

from collections.abc import Sequence
from typing import Any

import click

from cli import listing
from cli.client import ALERTS_PAGE, Client, KeptAlert
from cli.options import Options, messages, pass_options, print_json, takes
from cli.output import Output
from opssage.incident import Disposition

_COLUMNS = ("last_seen_at", "disposition", "status", "deliveries", "sender", "fingerprint")


@click.command()
@click.option(
    "--disposition",
    "dispositions",
    multiple=True,
    type=click.Choice([each.value for each in Disposition]),
    help="Only those left out for this reason; repeat for any of several.",
)
@click.option("--sender", "senders", multiple=True, help="Only of this sender; repeat as above.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, ALERTS_PAGE))
@takes("config", "data", "url", "token", "json")
@pass_options
def alerts(
    options: Options, *, dispositions: Sequence[str], senders: Sequence[str], limit: int
) -> None:
    """List alerts that opened no incident, and why, newest first.

    They were over when first heard of, left out by ingest.ignore, or only serve alerting itself.
    """
    query = {"disposition": dispositions, "sender": senders}
    with Client(*options.address()) as client:
        found, more = client.stray_alerts(
            {name: values for name, values in query.items() if values}, limit
        )
    if options.json:
        print_json(found)
    else:
        listing.show(Output(), (*_COLUMNS, "alert_name"), map(_row, found))
    if more:
        messages.print(f"there are older ones: --limit shows up to {ALERTS_PAGE}")


def _row(alert: KeptAlert) -> list[Any]:
    return [*(alert[name] for name in _COLUMNS), alert["labels"].get("alertname", "")]
