"""`opssage incidents`."""

import csv
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, TypeVar

import click
import orjson
from rich.console import Console
from rich.text import Text

from cli import report
from cli.client import PAGE, Client, Incident
from cli.options import Options, messages, pass_options, print_json, takes
from cli.output import Output
from opssage.incident import Status
from opssage.wire import parse_time

_COLUMNS = (
    "incident_id",
    "status",
    "severity",
    "alert_name",
    "namespace",
    "service",
    "created_at",
    "confidence_score",
    "root_cause",
    "resolved_at",
)
_CSV = (
    *("incident_id", "status", "created_at", "updated_at", "resolved_at", "archived_at"),
    *("alert_name", "severity", "namespace", "service", "sender", "receiver"),
    *("revision", "previous_id", "confidence_score", "root_cause"),
)
_FORMULA = ("=", "+", "-", "@")  # what makes a spreadsheet compute a cell
_ORDERS = {
    "newest": {},
    "oldest": {"sort": "created_at"},
    "last-changed": {"sort": "-updated_at"},
    "first-changed": {"sort": "updated_at"},
}
"""How the API is asked for the orders of a list."""
_AGES = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_AGE_WIDTH = 6

F = TypeVar("F", bound=Callable[..., Any])


def _any_of(name: str, **more: Any) -> Callable[[F], F]:
    words = name.replace("-", " ")
    return click.option(
        f"--{name}", multiple=True, help=f"Only of this {words}; repeat for any of several.", **more
    )


@click.command()
@_any_of("status", type=click.Choice([status.value for status in Status]))
@_any_of("severity")
@_any_of("namespace")
@_any_of("service")
@_any_of("alert-name")
@_any_of("sender")
@click.option("--q", metavar="WORDS", help="Only with these words in alert, cause or answer.")
@click.option("--open/--resolved", default=None, help="Only those that fire, or that are over.")
@click.option("--acked/--unacked", default=None, help="Only those that somebody has seen, or not.")
@click.option("--created-after", metavar="TIME", help="Only opened then or later; RFC 3339.")
@click.option("--created-before", metavar="TIME", help="Only opened before; RFC 3339.")
@click.option("--updated-since", metavar="TIME", help="Only changed then or later; RFC 3339.")
@click.option(
    "--sort",
    type=click.Choice(list(_ORDERS)),
    default="newest",
    show_default=True,
    help="By the time they opened, or changed.",
)
@click.option("--archived", is_flag=True, help="The archived ones instead of the live ones.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, PAGE))
@click.option("--all", "everything", is_flag=True, help="All there are, whatever --limit says.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    help="A JSON document or a CSV row for each, as it arrives.",
)
@takes("config", "data", "url", "token", "json")
@pass_options
def incidents(
    options: Options,
    /,
    limit: int,
    form: str | None,
    sort: str,
    *,
    everything: bool,
    **chosen: str | tuple[str, ...] | bool | None,
) -> None:
    """List incidents: for people, or tab-separated lines when piped."""
    if options.json and (everything or form):
        raise click.UsageError("--json is one document; with --all or --format take jsonl or csv")
    query = {**_query(chosen), **_ORDERS[sort]}
    with Client(*options.address()) as client:
        if everything:
            _write(client.every_incident(query), form)
            return
        found, more = client.first_incidents(query, limit)
    if options.json:
        print_json(found)
    else:
        _write(found, form)
    if more:
        messages.print("there are more: --all shows them, filters narrow the list")


def _query(chosen: Mapping[str, str | tuple[str, ...] | bool | None]) -> dict[str, Any]:
    """Return the parameters of what was asked for; a flag that is off by default asks nothing."""
    asked = {name: value for name, value in chosen.items() if value not in {None, "", ()}}
    if not asked["archived"]:
        del asked["archived"]
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in asked.items()
    }


def _write(found: Iterable[Incident], form: str | None) -> None:
    """Write incidents one by one; none is kept."""
    console = Output()
    if form == "csv":
        _write_csv(found)
    elif form == "jsonl":
        for incident in found:
            click.echo(orjson.dumps(incident))
    elif console.is_terminal:
        now = datetime.now(UTC)
        for incident in found:
            show(incident, now, console)
    else:
        for incident in found:
            click.echo("\t".join(_row(incident)))


def _write_csv(found: Iterable[Incident]) -> None:
    rows = iter(found)
    first = list(islice(rows, 1))  # no heading before it is known that there is an answer
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(_CSV)
    for incident in chain(first, rows):
        table.writerow(_cell(incident.get(name)) for name in _CSV)


def _cell(value: Any) -> Any:
    """Return a value that no spreadsheet takes for a formula: alerts come from anybody."""
    if not isinstance(value, str):
        return value
    text = report.printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def show(incident: Incident, now: datetime, console: Console) -> None:
    """Print an incident on up to three lines, each cut at the width of the console."""
    words = [incident["status"].replace("_", " ")]
    if incident.get("resolved_at"):
        words.append("resolved")
    if incident.get("confidence_score") is not None:
        words.append(f"confidence {incident['confidence_score']:.2f}")
    found = incident.get("root_cause") or ""
    if incident["status"] == Status.FAILED and incident.get("last_error"):
        found = report.fault(incident["last_error"])
    age = (now - parse_time(incident["created_at"])).total_seconds()
    console.print(
        Text.assemble(f"{_age(age):<{_AGE_WIDTH}}", report.title(incident)),
        no_wrap=True,
        overflow="ellipsis",
    )
    for line, style in ((f"{incident['incident_id']}  {'  '.join(words)}", "dim"), (found, "")):
        if line:
            text = Text(" " * _AGE_WIDTH + report.printable(line), style)
            console.print(text, no_wrap=True, overflow="ellipsis")


def _age(seconds: float) -> str:
    size, unit = next(((size, unit) for size, unit in _AGES if seconds >= size), _AGES[-1])
    return f"{max(int(seconds // size), 0)}{unit}"


def _row(incident: Incident) -> list[str]:
    cells = ("" if incident.get(name) is None else incident[name] for name in _COLUMNS)
    return [
        report.printable(f"{cell:.2f}" if isinstance(cell, float) else str(cell)) for cell in cells
    ]
