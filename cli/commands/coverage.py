"""`opssage coverage`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from cli import listing, rule_files
from cli.exits import Exit
from cli.options import Options, messages, pass_options, print_json, takes
from cli.output import Output
from opssage.wire import to_json
from tasks.collect.coverage import CLUSTER, Coverage, covered

_COLUMNS = ("alert", "places", "own_signals", "queries", "signals", "sources")


@click.command()
@click.option(
    "--rules",
    "file",
    metavar="FILE",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Rules as Prometheus reads them, PrometheusRule manifests, or a JSON list.",
)
@click.option("--markdown", is_flag=True, help="Answer with a table for a page, names only.")
@takes("json")
@pass_options
@click.pass_context
def coverage(context: click.Context, options: Options, file: Path, *, markdown: bool) -> None:
    """Say what would be asked for an alert of each rule in FILE; nobody is asked for it.

    Places are the kinds of place an alert of the rule can name, `cluster` when there is none. Own
    signals are taken out of the rule's expression; a rule has a plan when other signals are asked
    for besides. Which queries a Prometheus gets depends on its metrics: shown is what one gets
    that does not tell them.

    Exits with 1 when a rule has no plan or its expression cannot be read, 2 when the file is
    malformed.
    """
    read = rule_files.read(file)
    found = [covered(rule) for rule in read.rules]
    if options.json:
        print_json({"summary": _summary(found), "rules": [_document(each) for each in found]})
    elif markdown:
        click.echo("\n".join(_markdown(found)))
    else:
        listing.show(Output(), _COLUMNS, map(_row, found))
    for told in (*read.notes, *_unreadable(found)):
        messages.print(told, soft_wrap=True, markup=False)
    summary = _summary(found)
    messages.print(
        f"{summary['with_plan']} of {summary['rules']} rules have a plan; "
        f"{summary['without_place']} name no place and are asked of the whole cluster",
        soft_wrap=True,
    )
    if summary["with_plan"] < summary["rules"]:
        context.exit(Exit.FAILURE)


def _summary(found: Sequence[Coverage]) -> dict[str, int]:
    return {
        "rules": len(found),
        "with_plan": sum(each.has_plan and not each.error for each in found),
        "unreadable": sum(bool(each.error) for each in found),
        "without_place": sum(each.places == (CLUSTER,) for each in found),
    }


def _unreadable(found: Sequence[Coverage]) -> Iterator[str]:
    for each in found:
        if each.error:
            yield f"the expression of {each.name} cannot be read: {' '.join(each.error.split())}"


def _document(each: Coverage) -> dict[str, Any]:
    return {**to_json(each), "has_plan": each.has_plan}


def _row(each: Coverage) -> tuple[object, ...]:
    sources = " ".join(f"{name}:{asked.queries}" for name, asked in each.sources.items())
    signals = " ".join(each.signals) or "none"
    queries = each.sources["prometheus"].queries
    return each.name, " ".join(each.places), each.own_signals, queries, signals, sources


def _markdown(found: Sequence[Coverage]) -> Iterator[str]:
    yield "| alert | places | topics | own | signals | sources |"
    yield "|---|---|---|---|---|---|"
    yield from dict.fromkeys(map(_line, found))


def _line(each: Coverage) -> str:
    lists = (each.places, each.topics, (str(each.own_signals),), each.signals, each.sources)
    return f"| {each.name} | {' | '.join(', '.join(words) for words in lists)} |"
