"""`opssage change`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from cli import listing
from cli.ages import seconds_in
from cli.client import PAGE, Client
from cli.options import Options, messages, pass_options, print_json, takes
from cli.output import Output
from opssage.changes import ChangeKind
from opssage.wire import format_time

_COLUMNS = (
    *("at", "kind", "namespace", "service"),
    *("version_before", "version_after", "by", "summary"),
)
_KINDS = click.Choice([kind.value for kind in ChangeKind])


class _Time(click.ParamType[str]):
    """A time as RFC 3339 has it, or an age: so long ago."""

    name = "time"

    def __init__(self, *, needs_zone: bool) -> None:
        self._needs_zone = needs_zone

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the time in UTC, or tell how one is written."""
        now = datetime.now(UTC)
        if age := seconds_in(value):
            return format_time(now - timedelta(seconds=age))
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None and self._needs_zone:
                self.fail(_NO_ZONE.format(value, moment.isoformat()), param, ctx)
            return format_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            example = now.isoformat(timespec="seconds").replace("+00:00", "Z")
            self.fail(f"{value!r} is not a time like {example}, nor an age like 4m", param, ctx)


_NO_ZONE = "{!r} does not say its zone: write {}Z for UTC, or with an offset such as +01:00"
_MOMENT = _Time(needs_zone=True)
_TIME = _Time(needs_zone=False)


@click.group()
def change() -> None:
    """Report a change, or list those that were reported.

    A diagnosis looks at what was changed before the trouble began.
    """


@change.command()
@click.option("--kind", type=_KINDS, default="deploy", show_default=True)
@click.option("--summary", required=True, help="What was changed, in a sentence.")
@click.option("--service", help="The service or workload.")
@click.option("--namespace", help="Its Kubernetes namespace.")
@click.option(
    "--at", type=_MOMENT, help="When (default: now): a time with its zone, or 4m for ago."
)
@click.option("--by", help="Who: a person or a pipeline.")
@click.option("--from", "version_before", help="The version, image or value before.")
@click.option("--to", "version_after", help="The version, image or value after.")
@click.option("--link", "link", metavar="URL", help="Where to read more of it.")
@click.option(
    "--detail",
    "details",
    multiple=True,
    metavar="NAME=VALUE",
    help="Anything else; repeat for several.",
)
@takes("config", "data", "url", "token", "json")
@pass_options
def add(
    options: Options, /, *, link: str | None, details: Sequence[str], **told: str | None
) -> None:
    """Report one change, as the last step of a deploy does; prints its id.

    The same one again is the same, so a step may be run again.
    """
    document: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    if link is not None:
        document["url"] = link
    if details:
        document["details"] = dict(map(_pair, details))
    with Client(*options.address()) as client:
        kept = client.report_change(document)
    if options.json:
        print_json(kept)
    else:
        click.echo(kept["change_id"])


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--detail")
    return name, value


@change.command("list")
@click.option("--service", "services", multiple=True, help="Only of it; repeat for any of several.")
@click.option("--namespace", "namespaces", multiple=True, help="Only in it; repeat as above.")
@click.option("--kind", "kinds", multiple=True, type=_KINDS, help="Only of it; repeat as above.")
@click.option(
    "--since", type=_TIME, help="Happened then or later: a time, UTC without a zone, or 1h for ago."
)
@click.option("--until", type=_TIME, help="Happened then or before; likewise.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, PAGE))
@takes("config", "data", "url", "token", "json")
@pass_options
def list_(
    options: Options,
    *,
    services: Sequence[str],
    namespaces: Sequence[str],
    kinds: Sequence[str],
    since: str | None,
    until: str | None,
    limit: int,
) -> None:
    """List reported changes, newest first."""
    query = {
        "service": services,
        "namespace": namespaces,
        "kind": kinds,
        "since": since,
        "until": until,
    }
    with Client(*options.address()) as client:
        found, more = client.changes({name: asked for name, asked in query.items() if asked}, limit)
    if options.json:
        print_json(found)
    else:
        listing.show(Output(), _COLUMNS, map(_row, found))
    if more:
        messages.print(f"there are older ones: --until, or --limit up to {PAGE}")


def _row(kept: Mapping[str, Any]) -> list[Any]:
    return [kept[name] for name in _COLUMNS]
