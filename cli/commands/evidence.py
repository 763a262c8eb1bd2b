"""`opssage evidence`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
import yaml
from rich.console import Console

from cli import listing
from cli.client import Client, Incident
from cli.exits import CommandError, Exit
from cli.options import Options, messages, pass_options, print_json, takes, takes_incident
from cli.output import Output
from cli.report import printable

_COLUMNS = ("id", "kind", "source", "observed", "cited", "summary")
_LEDGER = ("source", "status", "seconds", "query", "error")
_MOST_POINTS = 12  #: of a series, evenly taken
_NO_CONTEXT = "nothing was collected yet: see its status in `opssage show`"
_NO_EVIDENCE = "it has no evidence {}; `opssage evidence ID` lists what it has"

Item = Mapping[str, Any]


@click.command()
@takes_incident
@click.argument("evidence_id", required=False, metavar="[EID]")
@click.option("--ledger", is_flag=True, help="Show what was asked of each source instead.")
@takes("config", "data", "url", "token", "json")
@pass_options
def evidence(options: Options, incident_id: str, evidence_id: str | None, *, ledger: bool) -> None:
    """Show what was seen for an incident, or all of one piece, such as E3.

    The ledger has every question, how it went, and how to ask by hand what was not answered.
    """
    if ledger and evidence_id is not None:
        raise click.UsageError("--ledger is of all sources: leave the evidence out")
    with Client(*options.address()) as client:
        incident = client.incident(incident_id)
    context = incident.get("primary_context")
    if context is None:
        raise CommandError(_NO_CONTEXT, Exit.NOT_FOUND)
    found = [item for kind in context["evidence_collected"].values() for item in kind]
    shown: Sequence[Item] | Item = found
    if ledger:
        shown = context["sources"]
    elif evidence_id is not None:
        shown = _one(found, evidence_id.upper())
    if options.json:
        print_json(shown)
    elif isinstance(shown, Mapping):
        click.echo(_details(shown))
    elif ledger:
        _show_ledger(Output(), shown)
    else:
        listing.show(Output(), _COLUMNS, (_row(item, _cited(incident)) for item in shown))


def _one(found: Sequence[Item], evidence_id: str) -> Item:
    for item in found:
        if item["evidence_id"] == evidence_id:
            return item
    raise CommandError(_NO_EVIDENCE.format(evidence_id), Exit.NOT_FOUND)


def _cited(incident: Incident) -> frozenset[str]:
    report = incident.get("diagnostic_report") or {}
    return frozenset(each["evidence_id"] for each in report.get("supporting_evidence") or ())


def _row(item: Item, cited: frozenset[str]) -> list[object]:
    is_cited = "yes" if item["evidence_id"] in cited else ""
    told = [item[name] for name in ("evidence_id", "kind", "source")]
    return [*told, _moment(item["observed_at"]), is_cited, item["summary"]]


def _moment(text: str) -> str:
    return f"{text[:19]}Z"


def _details(item: Item) -> str:
    """Return all of one piece of evidence, of a series some of its points."""
    told = {key: value for key, value in item.items() if key != "data" and value}
    data = {key: _short(key, value) for key, value in item["data"].items() if value is not None}
    text = yaml.safe_dump(
        {**told, "data": data}, sort_keys=False, allow_unicode=True, width=10_000
    ).rstrip()
    return "\n".join(printable(line) for line in text.splitlines())


def _short(key: str, value: Any) -> Any:
    if key != "points" or not isinstance(value, list) or len(value) <= _MOST_POINTS:
        return value
    step = -(-len(value) // _MOST_POINTS)
    return {"shown": f"every {step}th of {len(value)}", "points": value[::step]}


def _show_ledger(console: Console, reports: Sequence[Item]) -> None:
    listing.show(console, _LEDGER, map(_line, reports))
    commands = list(dict.fromkeys(each["by_hand"] for each in reports if each.get("by_hand")))
    if commands:
        messages.print("\nWhat was not answered can be asked by hand:")
        for command in commands:
            messages.print(f"  {printable(command)}", soft_wrap=True, markup=False)
        for note in _notes(commands):
            messages.print(note, soft_wrap=True, markup=False)


def _notes(commands: Sequence[str]) -> Iterator[str]:
    if any(command.startswith("curl ") for command in commands):
        yield "curl needs the source's credentials (-u or -H) and --cacert, where it has any"
    if any(command.startswith("logcli ") for command in commands):
        yield "logcli takes LOKI_ADDR, LOKI_USERNAME, LOKI_ORG_ID and the like from the environment"


def _line(report: Item) -> list[object]:
    seconds = f"{report['duration_seconds']:.2f}" if report["duration_seconds"] else ""
    return [report["source"], report["status"], seconds, report["query"], report["error"]]
